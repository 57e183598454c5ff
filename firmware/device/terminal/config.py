# terminal.json and the key file: loaded once, checked completely, before anything is touched.
# An error names the file, the key, and what is allowed there.
import json
import os
from collections import namedtuple

from protocol import limits, mac

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
_BYTES_MAX = 16384  # 32 points with their meters take 8 KB


class ConfigError(ValueError):
    """A configuration that is not taken."""

    def __init__(self, file: str, key: str, found, allowed: str) -> None:  # type: ignore[no-untyped-def]
        super().__init__("%s: %s: %s; allowed / 允许: %s" % (file, key, _shown(found), allowed))
        self.file = file
        self.key = key
        self.allowed = allowed


def load(path: str) -> Config:
    """The configuration in a file. Raises ConfigError."""
    return check(_json(path), _base(path))


def load_key(path: str) -> mac.Key:
    """The key in a file: {"generation": 1..255, "secret": "64 hex digits"}. Raises ConfigError, without the secret."""
    file = _base(path)
    data = _Table(file, "", _json(path))
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
    top = _Table(file, "", data)
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


def _terminal(top: "_Table") -> str:
    name = top.text("terminal", limits.TERMINAL_CHARS_MAX)
    if not all(c in "-_" or "0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z" for c in name):
        raise top.error("terminal", name, "1 to %d of A-Z a-z 0-9 _ -" % limits.TERMINAL_CHARS_MAX)
    return name


def _bus(table: "_Table") -> Bus:
    return Bus(
        table.integer("uart", 0, _UARTS_MAX - 1),
        table.one_of("baud", _BAUDS),
        table.one_of("parity", ("N", "E", "O")),
        table.one_of("stop", (1, 2)),
        table.tables("meters", _METERS_MAX, _meter),
    )


def _meter(table: "_Table") -> Meter:
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


def _point(table: "_Table") -> Point:
    return Point(
        table.integer("number", 1, limits.POINTS_MAX),
        table.text("name", _NAME_CHARS_MAX),
        table.one_of("kind", ("production", "treatment", "other")),
        table.integer("run_threshold_w", 0, limits.POWER_W_MAX),
    )


def _mqtt(table: "_Table") -> Mqtt:
    return Mqtt(
        table.text("host", 253),  # RFC 1035's longest name
        table.integer("port", 1, 65535),
        table.integer("keepalive_s", 1, 65535),
    )


def _uplink(table: "_Table") -> Uplink:
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


class _Table:
    """A JSON object. Every key that is there must be asked for, before `done`."""

    def __init__(self, file: str, where: str, data) -> None:  # type: ignore[no-untyped-def]
        self._file = file
        self._where = where
        self._asked: "list[str]" = []
        if not isinstance(data, dict):
            raise ConfigError(file, where or "(top)", data, "an object")
        self._data = data

    def done(self) -> None:
        for key in self._data:
            if key not in self._asked:
                raise self.error(key, self._data[key], "no other keys than %s" % ", ".join(self._asked))

    def error(self, key: str, found, allowed: str) -> ConfigError:  # type: ignore[no-untyped-def]
        return ConfigError(self._file, self._where + key, found, allowed)

    def get(self, key: str):  # type: ignore[no-untyped-def]
        self._asked.append(key)
        if key not in self._data:
            raise self.error(key, "missing", "it must be there, beside %s" % ", ".join(sorted(self._data)))
        return self._data[key]

    def integer(self, key: str, minimum: int, maximum: int) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self.error(key, value, "an integer, %d to %d" % (minimum, maximum))
        return value

    def text(self, key: str, chars_max: int) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not 1 <= len(value) <= chars_max:
            raise self.error(key, value, "a text of 1 to %d characters" % chars_max)
        return value

    def one_of(self, key: str, allowed):  # type: ignore[no-untyped-def]
        value = self.get(key)
        if isinstance(value, bool) or value not in allowed:
            raise self.error(key, value, ", ".join(str(one) for one in allowed))
        return value

    def table(self, key: str, read):  # type: ignore[no-untyped-def]
        """What `read` makes of the object under this key."""
        return self._read(self._where + key, self.get(key), read)

    def tables(self, key: str, maximum: int, read) -> list:  # type: ignore[no-untyped-def, type-arg]
        """What `read` makes of each object in the list under this key."""
        value = self.get(key)
        if not isinstance(value, list) or not 1 <= len(value) <= maximum:
            raise self.error(key, value, "a list of 1 to %d" % maximum)
        return [self._read("%s%s[%d]" % (self._where, key, at), one, read) for at, one in enumerate(value)]

    def _read(self, where: str, data, read):  # type: ignore[no-untyped-def]
        table = _Table(self._file, where + ".", data)
        found = read(table)
        table.done()
        return found


class _Hidden:
    def __repr__(self) -> str:
        return "(not shown)"


_HIDDEN = _Hidden()


def _json(path: str):  # type: ignore[no-untyped-def]
    text = _text(path)
    if not _is_whole(text):
        raise ConfigError(_base(path), "(file)", "cut short, or more than one value", "one JSON object")
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigError(_base(path), "(file)", "not JSON", "JSON")  # noqa: B904  its cause may show a secret


def _text(path: str) -> str:
    try:
        size = os.stat(path)[6]
        if size <= _BYTES_MAX:
            with open(path) as file:
                return file.read()
    except (OSError, UnicodeError) as error:
        raise ConfigError(_base(path), "(file)", error, "a file of text that can be read")  # noqa: B904  it is named
    raise ConfigError(_base(path), "(file)", "%d bytes" % size, "at most %d bytes" % _BYTES_MAX)


def _is_whole(text: str) -> bool:
    """True if every bracket is closed, the first one at the end: MicroPython's parser takes what is cut short."""
    depth = 0
    in_string = escaped = False
    for at, letter in enumerate(text):
        if in_string:
            in_string = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_string = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
            if depth <= 0:
                return depth == 0 and not text[at + 1 :].strip()
    return False


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _shown(found) -> str:  # type: ignore[no-untyped-def]
    text = repr(found)
    return text if len(text) <= 80 else text[:77] + "..."
