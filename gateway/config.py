"""gateway.toml: everything the gateway is told. Declared once, here; checked in full before anything is started.

Paths are relative to the folder of the file they stand in. Nothing in here touches the network.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from gateway.console.settings import ConsoleConfig, console_problems
from gateway.files import read_password
from protocol.host.strict import ConfigError, Problem, read
from protocol.host.tables import Name, Port, Section, Text, duplicates

MODBUS_UNIT_MAX = 247  # Modbus over serial line 1.02, 2.2; beyond are reserved numbers
MODBUS_LINES_MAX = 512  # a connection each: half of the 1,024 descriptors that a service gets by default

CLIENT_ID = "wattline-gateway"


class MqttConfig(Section, frozen=True):
    """[mqtt]: the broker that terminals publish to."""

    host: Text
    port: Port = 1883
    # tcp, with or without TLS; websockets where nothing else reaches the broker: a frame costs ten times the CPU
    transport: Literal["tcp", "websockets"] = "tcp"
    websocket_path: Annotated[str, msgspec.Meta(pattern=r"^/[!-~]{0,254}$")] = "/mqtt"
    client_id: Name = CLIENT_ID
    username: Text | None = None
    password_file: Text | None = None
    tls_ca_file: Text | None = None  # given: TLS, and the broker's certificate must be from this authority
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    reconnect_max_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30  # back-off: 1 s, doubled up to this, for ever
    # how long the broker keeps what it holds for us while we are away
    session_expiry_s: Annotated[int, msgspec.Meta(ge=60, le=4294967295)] = 7 * 86400
    # given: workers of this name share the terminals ($share), each with a client_id of its own, and the broker keeps
    # nothing for one that is away: the others take what the terminals send again
    share: Name | None = None
    # as mosquitto's, of the terminals' listener: what they say and hear is below it, and none can join the share
    mount_point: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9_-]{1,32}/)?$")] = ""
    # frames in memory at most: the broker sends no more until we acknowledge; 2000 of 4 KiB are 8 MiB
    receive_maximum: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 2000


class IntakeConfig(Section, frozen=True):
    """[intake]: how many frames share one commit."""

    batch_frames: Annotated[int, msgspec.Meta(ge=1, le=10000)] = 500
    batch_wait_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10  # an fsync costs as much: it is shared for free


class ModbusTerminal(Section, frozen=True):
    """A terminal whose mailbox (protocol/MAILBOX.md) is on a Modbus line."""

    id: Name
    unit: Annotated[int, msgspec.Meta(ge=1, le=MODBUS_UNIT_MAX)] = 1


class ModbusConfig(Section, frozen=True):
    """[[modbus]]: a TCP endpoint (`host`) or a serial bus (`serial`), and the terminals on it. Times are real."""

    name: Name
    terminals: list[ModbusTerminal]
    host: Text | None = None
    port: Port = 502
    serial: Text | None = None  # /dev/...: need not be there when the gateway starts
    baud: Annotated[int, msgspec.Meta(ge=1200, le=1_000_000)] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    # for the answer to begin; what it takes on a serial line is added
    timeout_ms: Annotated[int, msgspec.Meta(ge=50, le=60_000)] = 1_000
    poll_ms: Annotated[int, msgspec.Meta(ge=10, le=3_600_000)] = 10_000  # of a terminal with nothing to say
    back_off_min_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 1_000
    back_off_max_ms: Annotated[int, msgspec.Meta(ge=10, le=3_600_000)] = 60_000  # a terminal that is back waits so long


class VerifyConfig(Section, frozen=True):
    """[verify]: bounds of what a record may say (gateway/verify.py)."""

    future_mark_s: Annotated[int, msgspec.Meta(ge=0, le=86400)] = 300  # a clock set by acks is better than this
    future_refuse_s: Annotated[int, msgspec.Meta(ge=900, le=31622400)] = 86400  # beyond a day it is no clock error
    # above rated power: meters and motors are both allowed to pass their plate for minutes
    rated_power_excess_percent: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    # between registers and mean power, of the window's largest power: sampling every few seconds misses that much of a
    # load that is switched all the time, and no meter is that wrong
    energy_power_percent: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    phases_percent: Annotated[int, msgspec.Meta(ge=1, le=1000)] = (
        10  # S-15 asks for 5; means of products differ by some
    )


class JournalConfig(Section, frozen=True):
    """[journal]: which it is; how long frames are kept, by age and size. That a record was taken is known for ever."""

    kind: Literal["sqlite", "jetstream"] = "sqlite"  # jetstream: on several machines (docs/scale.md)
    # since it was received: a year, for which each reading can be proven; less than a week would leave `gaps` nothing
    keep_days: Annotated[int, msgspec.Meta(ge=7, le=36_500)] = 366
    # of the file; left out: as much as keep_days comes to, for a province 375 MiB a day
    keep_mib: Annotated[int, msgspec.Meta(ge=256, le=1_073_741_824)] | None = None


Server = Annotated[
    str,
    msgspec.Meta(pattern=r"^[^\s:/@]{1,255}:[0-9]{1,5}$", description="HOST:PORT, as 10.0.0.1:4222 / 主机:端口"),
]


class JetStreamConfig(Section, frozen=True):
    """[jetstream]: the NATS servers, and the stream in them, that are the journal where its kind says so."""

    servers: list[Server]
    stream: Name = "wattline-journal"
    replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 3
    keep_days: Annotated[int, msgspec.Meta(ge=7, le=36_500)] | None = None  # left out: for ever (docs/scale.md)
    user: Text | None = None
    password_file: Text | None = None
    tls_ca_file: Text | None = None  # given: TLS, and the servers' certificates must be from this authority


class QuarantineConfig(Section, frozen=True):
    """[quarantine]: how much refused evidence is kept."""

    max_frames: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    max_mib: Annotated[int, msgspec.Meta(ge=1, le=1_048_576)] = 256


class CommissioningConfig(Section, frozen=True):
    """[commissioning]: whose reports are taken, and our key for what is sealed to us (gateway/commissioning)."""

    technicians: Text = "technicians.toml"
    sealing_key_file: Text = "sealing.key"


class MetricsConfig(Section, frozen=True):
    """[metrics]: Prometheus, on loopback only."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9212  # 0: any free one, named in the ready line


class SinkConfig(Section, frozen=True, kw_only=True):
    """[[sink]]: where readings are forwarded to; `kind` says which of the tables below it is."""

    name: Name
    fresh_s: Annotated[int, msgspec.Meta(ge=900, le=86400)] = 3600  # windows that ended later than this go first


class Hj212Config(SinkConfig, frozen=True, kw_only=True, tag_field="kind", tag="hj212"):
    """A regulator's platform."""

    host: Text
    port: Port
    mapping: Text  # platform.toml: stations, points, codes
    tunnel: bool = False  # the way to `host` is a tunnel or a private network: HJ 212 itself protects nothing
    weak_passwords: bool = False  # the platform gives no better ones than 123456; else such are refused
    # one after the other waits for its answer on each: a province needs more than one (docs/operating-a-gateway.md);
    # the process needs a descriptor for each
    connections: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    # HJ 212-2017: 10 s and 3 resends over mobile networks; a platform may change both by CN 1000
    answer_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=99_000)] = 10_000
    resends: Annotated[int, msgspec.Meta(ge=0, le=99)] = 3
    reconnect_min_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 1_000
    reconnect_max_ms: Annotated[int, msgspec.Meta(ge=10, le=3_600_000)] = 60_000


class PostgresConfig(SinkConfig, frozen=True, kw_only=True, tag_field="kind", tag="postgres"):
    """A PostgreSQL database, with or without TimescaleDB; needs: pip install 'wattline[postgres]'."""

    host: Text
    port: Port = 5432
    database: Text
    user: Text
    password_file: Text | None = None
    tls_ca_file: Text | None = None  # given: TLS, and the server's certificate must be from this authority, of its name
    sslmode: Literal["disable", "prefer", "require"] = "prefer"  # without that file
    schema: Annotated[str, msgspec.Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = "wattline"
    gateway: Name = "gateway"  # several may write into one schema, each by a name of its own
    batch_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000  # some 9,000 readings a transaction


Prefix = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,7}$")]


class MqttSinkConfig(SinkConfig, frozen=True, kw_only=True, tag_field="kind", tag="mqtt"):
    """Another MQTT 5 broker, northbound: PREFIX/TERMINAL/window, /event or /frame, at QoS 1."""

    host: Text
    port: Port = 1883
    prefix: Prefix = "wattline/readings"
    format: Literal["json", "frames"] = "json"  # frames: as they came; who reads them needs the terminals' keys
    client_id: Name = "wattline-forward"
    username: Text | None = None
    password_file: Text | None = None
    tls_ca_file: Text | None = None
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    batch_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500


class NatsConfig(SinkConfig, frozen=True, kw_only=True, tag_field="kind", tag="nats"):
    """A NATS JetStream: PREFIX.TERMINAL.EPOCH.SEQ; needs: pip install 'wattline[nats]'."""

    host: Text
    port: Port = 4222
    stream: Name = "wattline"
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}(\.[A-Za-z0-9_-]{1,32}){0,7}$")] = "wattline"
    user: Text | None = None
    password_file: Text | None = None
    batch_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000


class ParquetConfig(SinkConfig, frozen=True, kw_only=True, tag_field="kind", tag="parquet"):
    """Parquet files by day and county, for analysis; needs: pip install 'wattline[export]'."""

    folder: Text
    counties: dict[str, str] = msgspec.field(default_factory=dict)  # a terminal's, or of all whose id begins so
    utc_offset_h: Annotated[int, msgspec.Meta(ge=-12, le=14)] = 8  # of which the days are
    batch_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 5_000


AnySink = Hj212Config | PostgresConfig | MqttSinkConfig | NatsConfig | ParquetConfig


class GatewayConfig(Section, frozen=True):
    """The whole file."""

    data_dir: Text  # the folder of all stores
    terminals: Text  # who is admitted, with which keys and points (gateway/registry.py)
    enterprises: Text | None = None  # which treatment belongs to which production (gateway/watch)
    rules: Text | None = None  # what the watch's rules go by (gateway/watch/rules.py)
    certificates: list[Text] = msgspec.field(default_factory=list)  # PEM, authorities' folders: the watch tells of ends
    channels: Text | None = None  # whom the watch tells of alarms (gateway/watch/dispatch/channels.py)
    update_keys: Text | None = None  # by whom releases are signed: the file that terminals have, too (gateway/updates)
    mqtt: MqttConfig | None = None
    modbus: list[ModbusConfig] = msgspec.field(default_factory=list)
    intake: IntakeConfig = IntakeConfig()
    verify: VerifyConfig = VerifyConfig()
    journal: JournalConfig = JournalConfig()
    jetstream: JetStreamConfig | None = None
    quarantine: QuarantineConfig = QuarantineConfig()
    metrics: MetricsConfig = MetricsConfig()
    commissioning: CommissioningConfig = CommissioningConfig()
    console: ConsoleConfig = ConsoleConfig()
    sink: list[AnySink] = msgspec.field(default_factory=list)


S = TypeVar("S", bound=Section)


def load(path: Path) -> GatewayConfig:
    """The file, checked, with every path made absolute. Raises ConfigError with all problems."""
    config = read(path, GatewayConfig)
    config = _absolute(config, path.resolve().parent)
    problems = _check_data_dir(path, Path(config.data_dir)) + _check_files(path, config)
    problems += console_problems(path, config.console)
    problems += _check_sinks(path, config.sink) + _check_modbus(path, config.modbus) + _check_workers(path, config)
    if config.mqtt is None and not config.modbus:
        problems.append(Problem(path, "mqtt", "missing / 缺少; allowed / 允许: [mqtt], [[modbus]], or both / 至少一种"))
    if config.verify.future_refuse_s < config.verify.future_mark_s:
        text = (
            f"{config.verify.future_refuse_s}; allowed / 允许: at least future_mark_s ({config.verify.future_mark_s})"
        )
        problems.append(Problem(path, "verify.future_refuse_s", text))
    if problems:
        raise ConfigError(problems)
    return config


def _absolute(config: GatewayConfig, folder: Path) -> GatewayConfig:
    def at(name: str) -> str:
        return str(folder / name)

    def placed(section: S) -> S:
        files = {key: at(name) for key, name in (_files_of(section) | _folder_of(section)).items()}
        return msgspec.structs.replace(section, **files)

    return msgspec.structs.replace(
        config,
        data_dir=at(config.data_dir),
        terminals=at(config.terminals),
        enterprises=config.enterprises and at(config.enterprises),
        rules=config.rules and at(config.rules),
        certificates=[at(name) for name in config.certificates],
        channels=config.channels and at(config.channels),
        update_keys=config.update_keys and at(config.update_keys),
        mqtt=config.mqtt and placed(config.mqtt),
        jetstream=config.jetstream and placed(config.jetstream),
        commissioning=placed(config.commissioning),
        console=msgspec.structs.replace(
            config.console,
            users=config.console.users and at(config.console.users),
            oidc=config.console.oidc and placed(config.console.oidc),
        ),
        sink=[placed(sink) for sink in config.sink],
    )


def _check_files(path: Path, config: GatewayConfig) -> list[Problem]:
    sections: dict[str, Section | None] = {"mqtt": config.mqtt, "jetstream": config.jetstream}
    sections["console.oidc"] = config.console.oidc
    sections |= {f"sink[{number}]": sink for number, sink in enumerate(config.sink)}
    keys = ("terminals", "enterprises", "rules", "channels", "update_keys")
    named = [(key, name) for key in keys if (name := getattr(config, key))]
    for at, section in sections.items():
        named += [(f"{at}.{key}", name) for key, name in _files_of(section).items()]
    return [Problem(path, key, f"{name}: {text}") for key, name in named if (text := _wrong_file(key, name))]


def _wrong_file(key: str, name: str) -> str | None:
    if not (Path(name).is_file() and os.access(name, os.R_OK)):
        return "no file that we can read / 文件不存在或不可读; allowed / 允许: a readable file"
    if key.endswith((".password_file", ".client_secret_file")):
        try:
            read_password(name)
        except OSError as error:
            return f"can't be read / 无法读取: {error.strerror}"
    return None


_FILES = ("mapping", "password_file", "client_secret_file", "tls_ca_file", "technicians", "sealing_key_file")


def _folder_of(section: Section) -> dict[str, str]:
    return {"folder": section.folder} if isinstance(section, ParquetConfig) else {}


def _files_of(section: Section | None) -> dict[str, str]:
    """The files that a section names, by key."""
    return {key: name for key in _FILES if (name := getattr(section, key, None))}


def _check_data_dir(path: Path, folder: Path) -> list[Problem]:
    """The folder, or the nearest of its parents that exists, must be one that we can write into."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Problem(path, "data_dir", f"{folder}: not writable / 不可写; allowed / 允许: a folder that we can write into")
    ]


def _check_sinks(path: Path, sinks: list[AnySink]) -> list[Problem]:
    problems = duplicates(path, "sink", "name", sinks, lambda sink: sink.name)
    for number, sink in enumerate(sinks):
        if isinstance(sink, Hj212Config) and sink.reconnect_max_ms < sink.reconnect_min_ms:
            text = f"{sink.reconnect_max_ms}; allowed / 允许: at least reconnect_min_ms ({sink.reconnect_min_ms})"
            problems.append(Problem(path, f"sink[{number}].reconnect_max_ms", text))
    return problems


def _check_workers(path: Path, config: GatewayConfig) -> list[Problem]:
    """What [journal], [jetstream] and mqtt.share say together."""
    in_stream, jetstream = config.journal.kind == "jetstream", config.jetstream
    share, client_id = (config.mqtt.share, config.mqtt.client_id) if config.mqtt else (None, "")
    several = '"jetstream" with [jetstream]'
    found = [
        (in_stream and jetstream is None, "jetstream", f"missing / 缺少; allowed / 允许: {several}"),
        (not in_stream and jetstream is not None, "journal.kind", f'"sqlite"; allowed / 允许: {several}'),
        (jetstream is not None and not jetstream.servers, "jetstream.servers", "none; allowed / 允许: at least one"),
        (bool(share) and not in_stream, "mqtt.share", f"{share}; allowed / 允许: only with journal.kind = {several}"),
        (bool(share) and client_id == CLIENT_ID, "mqtt.client_id", "missing / 缺少; allowed / 允许: one a worker"),
    ]
    return [Problem(path, key, text) for is_wrong, key, text in found if is_wrong]


def _endpoint(line: ModbusConfig) -> object:
    """What two lines can't share; where neither is given, that is said elsewhere."""
    return line.serial or (f"{line.host}:{line.port}" if line.host else id(line))


def _check_modbus(path: Path, lines: list[ModbusConfig]) -> list[Problem]:
    problems = duplicates(path, "modbus", "name", lines, lambda line: line.name)
    problems += duplicates(path, "modbus", "host", lines, _endpoint)
    if len(lines) > MODBUS_LINES_MAX:
        problems.append(Problem(path, "modbus", f"{len(lines)}; allowed / 允许: at most {MODBUS_LINES_MAX}"))
    owner: dict[str, str] = {}
    for number, line in enumerate(lines):
        at = f"modbus[{number}]"
        if (line.host is None) == (line.serial is None):
            text = "host and serial / host 与 serial; allowed / 允许: exactly one of them / 只能二选一"
            problems.append(Problem(path, at, text))
        if not line.terminals:
            problems.append(Problem(path, f"{at}.terminals", "none / 没有终端; allowed / 允许: at least one"))
        if line.back_off_max_ms < line.back_off_min_ms:
            text = f"{line.back_off_max_ms}; allowed / 允许: at least back_off_min_ms ({line.back_off_min_ms})"
            problems.append(Problem(path, f"{at}.back_off_max_ms", text))
        problems += duplicates(path, f"{at}.terminals", "unit", line.terminals, lambda one: one.unit)
        for index, one in enumerate(line.terminals):
            if one.id in owner:
                text = f"{one.id}: already in {owner[one.id]} / 重复; allowed / 允许: each terminal once"
                problems.append(Problem(path, f"{at}.terminals[{index}].id", text))
            owner.setdefault(one.id, f"{at}.terminals[{index}]")
    return problems
