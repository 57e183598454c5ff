"""channels.toml: whom alarms are told to, what of, and for which times nobody is told.

[[channel]]
name = "duty"
kind = "webhook"                     # POST, signed: docs/operating-a-gateway.md, "Telling people"
url = "https://hooks.example.cn/wattline"
secret_file = "duty.secret"          # 16 characters or more; readable by the gateway's user only
families = ["treatment", "order"]    # left out: all, as with enterprises and changes

[[channel]]
name = "office"
kind = "email"
host = "smtp.example.cn"
username = "wattline"
password_file = "smtp.password"
from = "wattline@example.cn"
to = ["duty@example.cn"]
changes = ["begun", "ended"]

[[channel]]
name = "regulator"
kind = "hj212"
sink = "platform"                    # of gateway.toml; its mapping needs a log_id
families = ["treatment", "order"]

[[maintenance]]                      # alarms that lie in it are kept and marked, and not told
enterprise = "E0001"                 # or: terminal = "T0001"
from = 2026-03-01T00:00:00+08:00
to = 2026-03-01T12:00:00+08:00
why = "filter bags are changed"
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from gateway.config import GatewayConfig, Hj212Config, Prefix
from gateway.files import read_password
from gateway.hosts import is_loopback
from gateway.registry import Instant, Registry
from gateway.watch.alarms import FAMILIES
from gateway.watch.enterprises import Enterprise
from gateway.watch.service import CERTIFICATE_ENDED, CERTIFICATE_ENDING, SINK_FAILING
from gateway.watch.store import Row
from protocol.host.strict import ConfigError, Problem, lines_named, read
from protocol.host.tables import Name, Port, Section, Text, duplicates

SECRET_CHARS_MIN = 16
RECIPIENTS_MAX = 20  # of a mail; more are a mailing list's work
CHANNELS_MAX = 20  # a thread each
_OWN = {SINK_FAILING, CERTIFICATE_ENDING, CERTIFICATE_ENDED}
Change = Literal["begun", "became", "ended", "closed", "withdrawn"]
_FAMILIES = sorted(set(FAMILIES.values()))
Family = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(_FAMILIES)})$", description=", ".join(_FAMILIES))]
Address = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,190}$",
        description="a mail address, as duty@example.cn / 邮件地址",
    ),
]


class ChannelEntry(Section, frozen=True, kw_only=True):
    """[[channel]]: what all kinds have. Empty lists: everything."""

    name: Name
    families: list[Family] = msgspec.field(default_factory=list)
    enterprises: list[Name] = msgspec.field(default_factory=list)
    changes: list[Change] = msgspec.field(default_factory=list)
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=600)] = 20  # messages; what is over becomes one
    utc_offset_h: Annotated[int, msgspec.Meta(ge=-12, le=14)] = 8  # of times in texts for people

    def wants(self, change: str, row: Row) -> bool:
        """Whether it is told of this."""
        return (
            (not self.families or FAMILIES[row.kind] in self.families)
            and (not self.enterprises or row.enterprise in self.enterprises)
            and (not self.changes or change.partition(".")[0] in self.changes)
        )


class WebhookEntry(ChannelEntry, frozen=True, kw_only=True, tag_field="kind", tag="webhook"):
    """An HTTP server that takes a signed POST."""

    url: Text
    secret_file: Text
    tls_ca_file: Text | None = None  # given: the server's certificate must be from this authority
    tunnel: bool = False  # the way to the server is a tunnel or a private network: http: is allowed


class MqttEntry(ChannelEntry, frozen=True, kw_only=True, tag_field="kind", tag="mqtt"):
    """A topic of an MQTT 5 broker, at QoS 1."""

    host: Text
    port: Port = 1883
    topic: Prefix = "wattline/alarms"
    client_id: Name = "wattline-watch"
    username: Text | None = None
    password_file: Text | None = None
    tls_ca_file: Text | None = None  # given: TLS, and the broker's certificate must be from this authority


class EmailEntry(ChannelEntry, frozen=True, kw_only=True, tag_field="kind", tag="email", rename={"from_": "from"}):
    """An SMTP server that takes mail from us."""

    host: Text
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text | None = None
    password_file: Text | None = None
    tls_ca_file: Text | None = None
    from_: Address
    to: list[Address]
    tunnel: bool = False  # as above: security = "none" is allowed


class Hj212Entry(ChannelEntry, frozen=True, kw_only=True, tag_field="kind", tag="hj212"):
    """A regulator's platform: a log text (CN 3020) over the connection of the sink that forwards to it."""

    sink: Name

    def wants(self, change: str, row: Row) -> bool:
        """What ails the gateway's own house is no station's."""
        return row.kind not in _OWN and super().wants(change, row)


AnyChannel = WebhookEntry | MqttEntry | EmailEntry | Hj212Entry


class MaintenanceEntry(Section, frozen=True, kw_only=True, rename={"from_": "from"}):
    """[[maintenance]]: of an enterprise or of a terminal."""

    enterprise: Name | None = None
    terminal: Name | None = None
    from_: Instant
    to: Instant
    why: Text

    def covers(self, row: Row) -> bool:
        """Whether all of an alarm lies in it."""
        terminal = row.subject.partition("/")[0]
        is_its = row.enterprise == self.enterprise if self.enterprise else terminal == self.terminal
        return is_its and self.from_.timestamp() <= row.from_s and row.to_s <= self.to.timestamp()


class ChannelsFile(Section, frozen=True):
    """The whole file."""

    channel: list[AnyChannel] = msgspec.field(default_factory=list)
    maintenance: list[MaintenanceEntry] = msgspec.field(default_factory=list)


class Channels(NamedTuple):
    """As the file says, paths made absolute."""

    channels: tuple[AnyChannel, ...] = ()
    maintenance: tuple[MaintenanceEntry, ...] = ()


class Known(NamedTuple):
    """What a channel may name: ids of enterprises, names of sinks that are HJ 212 platforms."""

    enterprises: Collection[str]
    platforms: Collection[str] = ()


def known(config: GatewayConfig, enterprises: Iterable[Enterprise]) -> Known:
    """Of a gateway."""
    return Known({one.id for one in enterprises}, platforms(config))


def platforms(config: GatewayConfig) -> list[str]:
    """Names of sinks that are HJ 212 platforms."""
    return [sink.name for sink in config.sink if isinstance(sink, Hj212Config)]


def named(path: Path | None) -> Sequence[AnyChannel]:
    """The channels of the file as it stands, unchecked: to say what became of alarms. Raises ConfigError."""
    return read(path, ChannelsFile).channel if path is not None else ()


def load(path: Path | None, registry: Registry, known: Known) -> Channels:
    """The file, or none. Raises ConfigError with all problems."""
    if path is None:
        return Channels()
    entries = read(path, ChannelsFile)
    folder = path.resolve().parent
    channels = [_placed(one, folder) for one in entries.channel]
    problems = duplicates(path, "channel", "name", channels, lambda one: one.name)
    if len(channels) > CHANNELS_MAX:
        problems.append(Problem(path, "channel", f"{len(channels)}; allowed / 允许: {CHANNELS_MAX}"))
    for number, one in enumerate(channels):
        problems += [Problem(path, f"channel[{number}].{key}", text) for key, text in _wrong(one, known)]
    for number, each in enumerate(entries.maintenance):
        found = _wrong_maintenance(each, registry, known.enterprises)
        problems += [Problem(path, f"maintenance[{number}].{key}", text) for key, text in found]
    if problems:
        with lines_named(path):
            raise ConfigError(problems)
    return Channels(tuple(channels), tuple(entries.maintenance))


S = TypeVar("S", bound=ChannelEntry)
_SECRETS = ("secret_file", "password_file")


def _placed(one: S, folder: Path) -> S:
    names = {key: getattr(one, key, None) for key in (*_SECRETS, "tls_ca_file")}
    return msgspec.structs.replace(one, **{key: str(folder / name) for key, name in names.items() if name})


def _wrong(one: AnyChannel, known: Known) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of a channel."""
    yield from _wrong_files(one)
    for name in one.enterprises:
        if name not in known.enterprises:
            yield "enterprises", f"{name}: no such enterprise / 没有此企业"
    if isinstance(one, Hj212Entry):
        if one.sink not in known.platforms:
            allowed = ", ".join(known.platforms) or "none / 无"
            yield "sink", f"{one.sink}: no sink of kind hj212 / 没有此 HJ 212 上报目标; allowed / 允许: {allowed}"
    elif isinstance(one, WebhookEntry):
        yield from _wrong_url(one)
    elif (one.username is None) != (one.password_file is None):
        yield "username", "username and password_file go together / 须同时填写"
    if isinstance(one, EmailEntry):
        yield from _wrong_mail(one)


def _wrong_files(one: AnyChannel) -> Iterator[tuple[str, str]]:
    for key, chars_min in (("secret_file", SECRET_CHARS_MIN), ("password_file", 1)):
        if file := getattr(one, key, None):
            yield from ((key, text) for text in _wrong_secret(Path(file), chars_min))
    file = getattr(one, "tls_ca_file", None)
    if file and not os.access(file, os.R_OK):
        yield "tls_ca_file", f"{file}: no file that we can read / 文件不存在或不可读"


def _wrong_mail(one: EmailEntry) -> Iterator[tuple[str, str]]:
    if not 1 <= len(one.to) <= RECIPIENTS_MAX:
        yield "to", f"{len(one.to)}; allowed / 允许: 1 to {RECIPIENTS_MAX} addresses"
    if one.security == "none" and not (one.tunnel or is_loopback(one.host)):
        yield "security", 'anybody on the way can read it / 明文; allowed / 允许: "starttls", "tls"; or tunnel = true'


def _wrong_secret(file: Path, chars_min: int) -> Iterator[str]:
    try:
        if len(read_password(str(file)) or "") < chars_min:
            yield f"{file}: too short / 过短; allowed / 允许: {chars_min} characters or more"
    except OSError as error:
        yield f"{file}: can't be read / 无法读取: {error.strerror}"


def _wrong_url(one: WebhookEntry) -> Iterator[tuple[str, str]]:
    parts = _url(one.url)
    if parts is None:
        yield (
            "url",
            "no address to post to / 不是可用的地址; allowed / 允许: https://HOST[:PORT]/PATH, without user and #",
        )
    elif parts.scheme == "http" and not (one.tunnel or is_loopback(str(parts.hostname))):
        yield "url", "http: anybody on the way can read it / 明文; allowed / 允许: https:, or tunnel = true"


def _url(text: str) -> SplitResult | None:
    """None: it is none that can be posted to."""
    try:
        parts = urlsplit(text)
        is_host = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return None
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" #")
    return parts if is_host and is_plain and parts.scheme in {"http", "https"} else None


def _wrong_maintenance(
    one: MaintenanceEntry, registry: Registry, enterprises: Collection[str]
) -> Iterator[tuple[str, str]]:
    if (one.enterprise is None) == (one.terminal is None):
        yield "enterprise", "enterprise or terminal, one of them / 企业与终端须且只能填一个"
    elif one.enterprise is not None and one.enterprise not in enterprises:
        yield "enterprise", f"{one.enterprise}: no such enterprise / 没有此企业"
    elif one.terminal is not None and not (registry.get(one.terminal) or registry.revoked(one.terminal)):
        yield "terminal", f"{one.terminal}: terminal not admitted / 终端未接入"
    if one.from_ >= one.to:
        yield "to", "not after `from` / 须晚于 from"
