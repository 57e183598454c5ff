"""How each gateway is configured, started and read. Each has one way in, the field's broker, and one upstream."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hil.benchmarks.deployed import Admitted, write_config
from hil.benchmarks.ingest.load import SECRET
from hil.benchmarks.peers.readings import NAMES, Seen, of_frame, of_json
from hil.ports import free_port
from hil.process import BenchError, Process
from hil.terminal import ROOT

TOPIC = "wattline/up/+"
THINGSBOARD = ROOT / "build/thingsboard"
NODERED = ROOT / "build/nodered"


@dataclass(frozen=True)
class Setting:
    """Where a contender runs."""

    folder: Path
    broker_port: int
    platform_port: int
    points: list[str]  # their names


@dataclass(frozen=True)
class Contender:
    """form: of the messages it takes. make: its process. read: what a message to its platform says.

    idles_unconnected: it connects to its platform with the first message that it has for it.
    """

    name: str
    version: Callable[[], str]
    form: str
    make: Callable[[Setting], Process]
    read: Callable[[str, bytes], Iterator[Seen]]
    idles_unconnected: bool = False


def _make_ours(setting: Setting) -> Process:
    """With its own sink for brokers, which passes the frames on as they came."""
    terminals = sorted({point.rpartition("-")[0] for point in setting.points})
    sink = '[[sink]]\nname = "up"\nkind = "mqtt"\nformat = "frames"\nhost = "127.0.0.1"\n'
    sink += f"port = {setting.platform_port}\n"
    file = write_config(setting.folder, setting.broker_port, map(Admitted, terminals), sink)
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(file)]
    return Process("ours", command, setting.folder / "ours.log")


def _make_naive(setting: Setting) -> Process:
    file = str(setting.folder / "naive.sqlite3")
    return _python("naive", [str(setting.broker_port), str(setting.platform_port), file, SECRET.hex()], setting)


def _python(module: str, words: list[str], setting: Setting) -> Process:
    command = [sys.executable, "-m", f"hil.benchmarks.peers.{module}", *words]
    return Process(module, command, setting.folder / f"{module}.log")


def _make_nodered(setting: Setting) -> Process:
    """mqtt in, JSON, a range check, JSON, mqtt out; both sessions are kept by the brokers."""
    program = NODERED / "node_modules/node-red/red.js"
    _installed(program, "build/stamp/nodered")
    home = setting.folder / "nodered"
    home.mkdir()
    (home / "settings.js").write_text(
        f'module.exports = {{uiHost: "127.0.0.1", uiPort: {free_port()}, httpAdminRoot: false, httpNodeRoot: false,\n'
        '  logging: {console: {level: "warn"}}, flowFile: "flows.json", editorTheme: {tours: false}}\n'
    )
    (home / "flows.json").write_text(json.dumps(_flow(setting)))
    command = ["node", str(program), "--userDir", str(home), "--settings", str(home / "settings.js")]
    return Process("nodered", command, setting.folder / "nodered.log")


def _flow(setting: Setting) -> list[dict[str, object]]:
    check = "msg.payload = msg.payload.filter(r => r.p_mean_w >= -1e9 && r.p_mean_w <= 1e9); return msg;"
    brokers = [
        {
            "id": name,
            "type": "mqtt-broker",
            "broker": "127.0.0.1",
            "port": str(port),
            "clientid": f"nodered-{name}",
            "protocolVersion": "4",
            "keepalive": "60",
            "cleansession": False,
            "autoConnect": True,
        }
        for name, port in (("field", setting.broker_port), ("platform", setting.platform_port))
    ]
    return [
        {"id": "tab", "type": "tab", "label": "readings"},
        *brokers,
        {
            "id": "in",
            "type": "mqtt in",
            "z": "tab",
            "topic": TOPIC,
            "qos": "1",
            "datatype": "json",
            "broker": "field",
            "inputs": 0,
            "wires": [["check"]],
        },
        {
            "id": "check",
            "type": "function",
            "z": "tab",
            "func": check,
            "outputs": 1,
            "libs": [],
            "wires": [["text"]],
        },
        {"id": "text", "type": "json", "z": "tab", "property": "payload", "action": "str", "wires": [["out"]]},
        {
            "id": "out",
            "type": "mqtt out",
            "z": "tab",
            "topic": "platform",
            "qos": "1",
            "retain": "false",
            "broker": "platform",
            "wires": [],
        },
    ]


def _make_thingsboard(setting: Setting) -> Process:
    """MQTT connector, JSON converter, SQLite; a point is a device, and all devices are known beforehand."""
    program = THINGSBOARD / "bin/thingsboard-gateway"
    _installed(program, "build/stamp/thingsboard")
    home = setting.folder / "thingsboard"
    (home / "config").mkdir(parents=True)
    (home / "logs").mkdir()
    files = {
        "tb_gateway.json": _thingsboard_gateway(setting, home),
        "mqtt.json": _thingsboard_connector(setting),
        "logs.json": _thingsboard_logs(),
        "connected_devices.json": {
            point: {
                "connectorName": "field",
                "deviceType": "default",
                "connectorId": "field",
                "renaming": None,
                "disconnected": False,
            }
            for point in setting.points
        },
    }
    for name, content in files.items():
        (home / "config" / name).write_text(json.dumps(content))
    script = f"import os; os.chdir({str(home)!r}); from thingsboard_gateway.tb_gateway import main; main()"
    command = [str(THINGSBOARD / "bin/python"), "-c", script]
    env = {"TB_GW_CONFIG_DIR": f"{home / 'config'}/", "TB_GW_LOGS_PATH": str(home / "logs")}
    return Process("thingsboard", command, setting.folder / "thingsboard.log", env)


def _thingsboard_gateway(setting: Setting, home: Path) -> dict[str, object]:
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": setting.platform_port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False, "statsSendPeriodInSeconds": 3600},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 8196,
            "minPackSendDelayMS": 50,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 60,
            "handleDeviceRenaming": False,
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
            **dict.fromkeys(("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits"), "0:0,"),
            **dict.fromkeys(("deviceRateLimits", "deviceDpRateLimits"), "0:0,"),
        },
        "storage": {
            "type": "sqlite",
            "data_file_path": f"{home}/data/",
            "messages_ttl_check_in_hours": 1,
            "messages_ttl_in_days": 7,
        },
        "grpc": {"enabled": False},
        "connectors": [{"type": "mqtt", "name": "field", "id": "field", "configuration": "mqtt.json"}],
    }


def _thingsboard_connector(setting: Setting) -> dict[str, object]:
    device = {
        "deviceNameExpressionSource": "message",
        "deviceNameExpression": "${point}",
        "deviceProfileExpressionSource": "constant",
        "deviceProfileExpression": "default",
    }
    series = [{"type": "integer", "key": name, "value": f"${{{name}}}"} for name in NAMES]
    return {
        "name": "field",
        "id": "field",
        "logLevel": "ERROR",
        "broker": {
            "host": "127.0.0.1",
            "port": setting.broker_port,
            "clientId": "thingsboard",
            "version": 5,
            "cleanSession": False,
            "cleanStart": False,
            "sessionExpiryInterval": 3600,
            "maxMessageNumberPerWorker": 10,
            "maxNumberOfWorkers": 100,
            "security": {"type": "anonymous"},
        },
        "mapping": [
            {
                "topicFilter": TOPIC,
                "subscriptionQos": 1,
                "converter": {
                    "type": "json",
                    "deviceInfo": device,
                    "sendDataOnlyOnChange": False,
                    "timeout": 60000,
                    "attributes": [],
                    "timeseries": series,
                },
            }
        ],
        "requestsMapping": {},
    }


def _thingsboard_logs() -> dict[str, object]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler", "level": "WARNING", "stream": "ext://sys.stderr"}},
        "root": {"level": "WARNING", "handlers": ["console"]},
    }


def _installed(program: Path, stamp: str) -> None:
    if not program.exists():
        raise BenchError(f"{program} is not there: `make {stamp}` installs it / 未安装，请运行 make {stamp}")


def _read_thingsboard(topic: str, payload: bytes) -> Iterator[Seen]:
    """A reading's values may come in several parts: `Seen` of each."""
    if topic == "v1/gateway/telemetry":
        for point, entries in json.loads(payload).items():
            for entry in entries:
                yield Seen(point, entry["ts"] // 1000)


def _of_package(folder: Path) -> str:
    return str(json.loads((folder / "package.json").read_text())["version"])


def _thingsboard_version() -> str:
    text = "import importlib.metadata as m; print(m.version('thingsboard-gateway'))"
    return subprocess.run(
        [str(THINGSBOARD / "bin/python"), "-c", text], check=True, capture_output=True, text=True
    ).stdout.strip()


def _nodered_version() -> str:
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return f"{_of_package(NODERED / 'node_modules/node-red')} (Node.js {node.removeprefix('v')})"


ALL = {
    "ours": Contender(
        "ours",
        lambda: version("wattline"),
        "frames",
        _make_ours,
        lambda topic, data: of_frame(topic.split("/")[-2], data),
        idles_unconnected=True,
    ),
    "naive": Contender(
        "naive",
        lambda: f"(paho-mqtt {version('paho-mqtt')}, cbor2 {version('cbor2')})",
        "frames",
        _make_naive,
        lambda _topic, data: of_json(data),
    ),
    "nodered": Contender("nodered", _nodered_version, "json", _make_nodered, lambda _topic, data: of_json(data)),
    "thingsboard": Contender("thingsboard", _thingsboard_version, "json", _make_thingsboard, _read_thingsboard),
}
