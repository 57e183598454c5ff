"""What a gateway may change of a terminal's terminal.json, and the bounds of each value (SPEC.md, FR-46).

The terminal checks its whole file with this, and the gateway a document before it is sent.
"""

from collections import namedtuple

from protocol import limits
from protocol.checked import ConfigError, Table, parse_json

MEMBERS = ("sample_interval_s", "buses", "points", "uplink")

Bus = namedtuple("Bus", ("uart", "baud", "parity", "stop", "meters"))
Meter = namedtuple("Meter", ("address", "profile", "point", "ct_ratio", "pt_ratio", "timeout_ms"))
Point = namedtuple("Point", ("number", "name", "kind", "run_threshold_w"))
Uplink = namedtuple("Uplink", ("ack_timeout_ms", "unacked_frames", "records_per_frame"))

_BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_UARTS_MAX = 8  # no board has more
_METERS_MAX = 32  # RS-485's unit loads on one bus
_NAME_CHARS_MAX = 64
_RATIO_MAX = 10000  # DTSU666 takes CT ratios up to 9999
_UNACKED_MAX = 4096  # 100 KB of bookkeeping: a bench's number; a board has 8
_DAY_MS = 86400000


def read_document(data: bytes, file: str) -> "dict[str, object]":
    """The members that a configuration's document holds, as parsed, each checked, and those that are there together.

    `file` is what errors call it. Raises ConfigError.
    """
    if len(data) > limits.DOCUMENT_BYTES_MAX:
        raise ConfigError(file, "(file)", "%d bytes" % len(data), "at most %d bytes" % limits.DOCUMENT_BYTES_MAX)
    try:
        text = data.decode()
    except UnicodeError:
        raise ConfigError(file, "(file)", "not UTF-8", "UTF-8")  # noqa: B904  where is of no use
    document: "dict[str, object]" = parse_json(text, file)
    table = Table(file, "", document)
    found = [_READERS[name](table) if name in document else None for name in MEMBERS]
    for name in document:
        if name not in MEMBERS:
            raise table.error(name, document[name], "no other keys than %s" % ", ".join(MEMBERS))
    check_together(file, found[1], found[2])
    return document


def overlay(technicians: "dict[str, object]", document: "dict[str, object]") -> "dict[str, object]":
    """terminal.json as it is in force: the document's members over the technician's. Both as parsed."""
    whole = dict(technicians)
    whole.update(document)
    return whole


def read_members(top: Table) -> "tuple[int, list[Bus], list[Point], Uplink]":
    """The members in the order of MEMBERS; all must be there. Raises ConfigError."""
    return tuple([_READERS[name](top) for name in MEMBERS])


def check_together(file: str, buses: "list[Bus] | None", points: "list[Point] | None") -> None:
    """No number and no address stands twice, and every point has one meter; None: not there. Raises ConfigError."""
    if buses is not None:
        _check_unique(file, "buses[%d].uart", [bus.uart for bus in buses])
        for at, bus in enumerate(buses):
            _check_unique(file, "buses[%d].meters[%%d].address" % at, [meter.address for meter in bus.meters])
    if points is not None:
        _check_unique(file, "points[%d].number", [point.number for point in points])
        if buses is not None:
            _check_meters(file, buses, [point.number for point in points])


def _bus(table: Table) -> Bus:
    return Bus(
        table.integer("uart", 0, _UARTS_MAX - 1),
        table.one_of("baud", _BAUDS),
        table.one_of("parity", ("N", "E", "O")),
        table.one_of("stop", (1, 2)),
        table.tables("meters", _METERS_MAX, _meter),
    )


def _meter(table: Table) -> Meter:
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


def _point(table: Table) -> Point:
    return Point(
        table.integer("number", 1, limits.POINTS_MAX),
        table.text("name", _NAME_CHARS_MAX),
        table.one_of("kind", ("production", "treatment", "other")),
        table.integer("run_threshold_w", 0, limits.POWER_W_MAX),
    )


def _uplink(table: Table) -> Uplink:
    return Uplink(
        table.integer("ack_timeout_ms", 100, _DAY_MS),
        table.integer("unacked_frames", 1, _UNACKED_MAX),
        table.integer("records_per_frame", 1, limits.RECORDS_MAX),
    )


_READERS = {
    "sample_interval_s": lambda top: top.integer("sample_interval_s", 1, limits.WINDOW_S),
    "buses": lambda top: top.tables("buses", _UARTS_MAX, _bus),
    "points": lambda top: top.tables("points", limits.POINTS_MAX, _point),
    "uplink": lambda top: top.table("uplink", _uplink),
}


def _check_unique(file: str, key: str, values: "list[int]") -> None:
    for at, value in enumerate(values):
        if value in values[:at]:
            raise ConfigError(file, key % at, value, "a number that no other has")


def _check_meters(file: str, buses: "list[Bus]", points: "list[int]") -> None:
    """Every point has exactly one meter."""
    taken: "list[int]" = []
    for bus_at, bus in enumerate(buses):
        for at, meter in enumerate(bus.meters):
            if meter.point not in points or meter.point in taken:
                free = [number for number in points if number not in taken]
                key = "buses[%d].meters[%d].point" % (bus_at, at)
                raise ConfigError(file, key, meter.point, "a point without another meter: %s" % free)
            taken.append(meter.point)
    for at, number in enumerate(points):
        if number not in taken:
            raise ConfigError(file, "points[%d].number" % at, number, "the point of a meter: %s" % taken)
