# terminal.json and what lies beside it: loaded once, checked completely, before anything is touched.
# An error names the file, the key, and what is allowed there.
from collections import namedtuple

from protocol import configuration, der, limits, mac
from protocol.checked import ConfigError, Table, base_name, read_json

# what a gateway may change of it is protocol.configuration's
Config = namedtuple("Config", ("terminal", "sample_interval_s", "buses", "points", "mqtt", "modbus", "uplink", "sntp"))
Mqtt = namedtuple("Mqtt", ("host", "port", "keepalive_s", "server_name"))  # server_name: None without TLS
Modbus = namedtuple("Modbus", ("unit", "port", "uart", "baud", "parity", "stop"))  # port: 0 on a serial line
Sntp = namedtuple("Sntp", ("host", "port"))

_SNTP_PORT = 123  # RFC 5905, 7.2
_HOST_CHARS_MAX = 253  # RFC 1035's longest name
_CERTIFICATE_BYTES_MAX = 4096  # a P-256 certificate has some 500 bytes
AUTHORITIES, CLIENT, CLIENT_KEY = "/ca.der", "/client.der", "/client.key.der"  # below the board's data_dir


def load(path: str) -> Config:
    """The configuration in a file. Raises ConfigError."""
    return check(read_json(path), base_name(path))


def load_key(path: str) -> mac.Key:
    """The key in a file: {"generation": 1..255, "secret": "64 hex digits"}. Raises ConfigError, without the secret."""
    file = base_name(path)
    data = Table(file, "", read_json(path))
    generation = data.integer("generation", 1, limits.GENERATION_MAX)
    text = data.get("secret")
    data.done()
    allowed = "%d hex digits" % (2 * mac.KEY_BYTES)
    if not isinstance(text, str) or len(text) != 2 * mac.KEY_BYTES:
        raise ConfigError(file, "secret", _HIDDEN, allowed)
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        raise ConfigError(file, "secret", _HIDDEN, allowed)  # noqa: B904  its cause shows the secret
    if len(secret) != mac.KEY_BYTES:
        raise ConfigError(file, "secret", _HIDDEN, allowed)
    return mac.Key(secret, generation)


def load_certificates(folder: str) -> "tuple[list[bytes], bytes, bytes]":
    """What TLS needs, DER: the authorities' certificates, ours, and our key. Raises ConfigError, without the key."""
    authorities = load_der(folder + AUTHORITIES)
    try:
        found = der.split(authorities)
    except ValueError as error:
        raise ConfigError(AUTHORITIES[1:], "(file)", error, "certificates, DER, one behind the other")  # noqa: B904  named
    return found, load_der(folder + CLIENT), load_der(folder + CLIENT_KEY)


def load_der(path: str) -> bytes:
    """A file of DER. Raises ConfigError, without its content."""
    allowed = "a file of DER, at most %d bytes" % _CERTIFICATE_BYTES_MAX
    try:
        with open(path, "rb") as file:
            data = file.read(_CERTIFICATE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(base_name(path), "(file)", error, allowed)  # noqa: B904  it is named
    if not data.startswith(b"\x30") or len(data) > _CERTIFICATE_BYTES_MAX:  # every certificate and key is a SEQUENCE
        raise ConfigError(base_name(path), "(file)", _HIDDEN, allowed)
    return data


def check(data, file: str = "terminal.json") -> Config:  # type: ignore[no-untyped-def]
    """The configuration in parsed JSON. Raises ConfigError."""
    top = Table(file, "", data)
    name = _terminal(top)
    interval_s, buses, points, uplink = configuration.read_members(top)
    mqtt = top.table("mqtt", _mqtt) if top.has("mqtt") else None
    modbus = top.table("modbus", _modbus) if top.has("modbus") else None
    sntp = top.table("sntp", _sntp) if top.has("sntp") else None
    config = Config(name, interval_s, buses, points, mqtt, modbus, uplink, sntp)
    top.done()
    if mqtt is None and modbus is None:
        raise top.error("mqtt", "missing", "an uplink: mqtt or modbus; both: modbus for live values alone")
    taken = [one.uart for one in buses]
    if modbus is not None and not modbus.port and modbus.uart in taken:
        raise top.error("modbus.uart", modbus.uart, "a UART that is no meters' bus: not one of %s" % taken)
    configuration.check_together(file, buses, points)
    return config


def _terminal(top: "Table") -> str:
    name = top.text("terminal", limits.TERMINAL_CHARS_MAX)
    if not all(c in "-_" or "0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z" for c in name):
        raise top.error("terminal", name, "1 to %d of A-Z a-z 0-9 _ -" % limits.TERMINAL_CHARS_MAX)
    return name


def _mqtt(table: "Table") -> Mqtt:
    return Mqtt(
        table.text("host", _HOST_CHARS_MAX),
        table.integer("port", 1, 65535),
        table.integer("keepalive_s", 1, 65535),
        table.table("tls", _server_name) if table.has("tls") else None,
    )


def _modbus(table: "Table") -> Modbus:
    unit = table.integer("unit", 1, 247)  # over serial line 1.02, 2.2
    if table.has("port"):
        return Modbus(unit, table.integer("port", 1, 65535), 0, 0, "N", 1)
    return Modbus(
        unit,
        0,
        table.integer("uart", 0, configuration.UARTS_MAX - 1),
        table.one_of("baud", configuration.BAUDS),
        table.one_of("parity", ("N", "E", "O")),
        table.one_of("stop", (1, 2)),
    )


def _sntp(table: "Table") -> Sntp:
    host = table.text("host", _HOST_CHARS_MAX)
    return Sntp(host, table.integer("port", 1, 65535) if table.has("port") else _SNTP_PORT)


def _server_name(table: "Table") -> str:
    return table.text("server_name", _HOST_CHARS_MAX)


class _Hidden:
    def __repr__(self) -> str:
        return "(not shown)"


_HIDDEN = _Hidden()
