# terminal.json and the key file: loaded once, checked completely, before anything is touched.
# An error names the file, the key, and what is allowed there.
from collections import namedtuple

from protocol import limits, mac
from terminal.checked import ConfigError, Table, base_name, read_json

Config = namedtuple("Config", ("terminal", "sample_interval_s", "buses", "points", "mqtt", "uplink"))
Bus = namedtuple("Bus", ("uart", "baud", "parity", "stop", "meters"))
Meter = namedtuple("Meter", ("address", "profile", "point", "ct_ratio", "pt_ratio", "timeout_ms"))
Point = namedtuple("Point", ("number", "name", "kind", "run_threshold_w"))
Mqtt = namedtuple("Mqtt", ("host", "port", "keepalive_s"))
Uplink = namedtuple("Uplink", ("ack_timeout_ms", "unacked_frames", "records_per_frame"))

_BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_UARTS_MAX = 8  # no board has more
_METERS_MAX = 32  # RS-485's unit loads on one bus
_NAME_CHARS_MAX = 64
_RATIO_MAX = 10000  # DTSU666 takes CT ratios up to 9999
_UNACKED_MAX = 4096  # 100 KB of bookkeeping: a bench's number; a board has 8
_DAY_MS = 86400000


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


def check(data, file: str = "terminal.json") -> Config:  # type: ignore[no-untyped-def]
    """The configuration in parsed JSON. Raises ConfigError."""
    top = Table(file, "", data)
    config = Config(
        _terminal(top),
        top.integer("sample_interval_s", 1, limits.WINDOW_S),
        top.tables("buses", _UARTS_MAX, _bus),
        top.tables("points", limits.POINTS_MAX, _point),
        top.table("mqtt", _mqtt),
        top.table("uplink", _uplink),
    )
    top.done()
    _check_unique(file, "buses[%d].uart", [bus.uart for bus in config.buses])
    _check_unique(file, "points[%d].number", [point.number for point in config.points])
    _check_meters(file, config)
    return config


def _terminal(top: "Table") -> str:
    name = top.text("terminal", limits.TERMINAL_CHARS_MAX)
    if not all(c in "-_" or "0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z" for c in name):
        raise top.error("terminal", name, "1 to %d of A-Z a-z 0-9 _ -" % limits.TERMINAL_CHARS_MAX)
    return name


def _bus(table: "Table") -> Bus:
    return Bus(
        table.integer("uart", 0, _UARTS_MAX - 1),
        table.one_of("baud", _BAUDS),
        table.one_of("parity", ("N", "E", "O")),
        table.one_of("stop", (1, 2)),
        table.tables("meters", _METERS_MAX, _meter),
    )


def _meter(table: "Table") -> Meter:
    name = table.text("profile", _NAME_CHARS_MAX)
    if not all(c in "-_" or "0" <= c <= "9" or "a" <= c <= "z" for c in name):  # it becomes a file's name
        raise table.error("profile", name, "a-z 0-9 _ -")
    return Meter(
        table.integer("address", 1, 247),  # Modbus over serial line V1.02, 2.2
        name,
        table.integer("point", 1, limits.POINTS_MAX),
        table.integer("ct_ratio", 1, _RATIO_MAX),
        table.integer("pt_ratio", 1, _RATIO_MAX),
        table.integer("timeout_ms", 10, 10000),
    )


def _point(table: "Table") -> Point:
    return Point(
        table.integer("number", 1, limits.POINTS_MAX),
        table.text("name", _NAME_CHARS_MAX),
        table.one_of("kind", ("production", "treatment", "other")),
        table.integer("run_threshold_w", 0, limits.POWER_W_MAX),
    )


def _mqtt(table: "Table") -> Mqtt:
    return Mqtt(
        table.text("host", 253),  # RFC 1035's longest name
        table.integer("port", 1, 65535),
        table.integer("keepalive_s", 1, 65535),
    )


def _uplink(table: "Table") -> Uplink:
    return Uplink(
        table.integer("ack_timeout_ms", 100, _DAY_MS),
        table.integer("unacked_frames", 1, _UNACKED_MAX),
        table.integer("records_per_frame", 1, limits.RECORDS_MAX),
    )


def _check_unique(file: str, key: str, values: "list[int]") -> None:
    for at, value in enumerate(values):
        if value in values[:at]:
            raise ConfigError(file, key % at, value, "a number that no other has")


def _check_meters(file: str, config: Config) -> None:
    """Every point has exactly one meter, and no two meters of a bus one address."""
    points = [point.number for point in config.points]
    taken: "list[int]" = []
    for bus_at, bus in enumerate(config.buses):
        _check_unique(file, "buses[%d].meters[%%d].address" % bus_at, [meter.address for meter in bus.meters])
        for at, meter in enumerate(bus.meters):
            if meter.point not in points or meter.point in taken:
                free = [number for number in points if number not in taken]
                key = "buses[%d].meters[%d].point" % (bus_at, at)
                raise ConfigError(file, key, meter.point, "a point without another meter: %s" % free)
            taken.append(meter.point)
    for at, number in enumerate(points):
        if number not in taken:
            raise ConfigError(file, "points[%d].number" % at, number, "the point of a meter: %s" % taken)


class _Hidden:
    def __repr__(self) -> str:
        return "(not shown)"


_HIDDEN = _Hidden()
