"""What a gateway may change of a terminal's terminal.json, and the bounds of each value (SPEC.md, FR-46).

The terminal checks its whole file with this, and the gateway a document before it is sent.
"""

from collections import namedtuple

from protocol import limits
from protocol.checked import ConfigError, Table, parse_json

MEMBERS = ("sample_interval_s", "buses", "points", "uplink")

Bus = namedtuple("Bus", ("uart", "baud", "parity", "stop", "meters"))
Meter = namedtuple(
    "Meter", ("address", "profile", "point", "ct_ratio", "pt_ratio", "timeout_ms", "circuit", "baud", "parity", "stop")
)  # circuit: of a meter with several; baud, parity, stop: the bus's, where the meter has none of its own
Point = namedtuple("Point", ("number", "name", "kind", "run_threshold_w"))
Uplink = namedtuple("Uplink", ("ack_timeout_ms", "unacked_frames", "records_per_frame"))

_UNIT_MAX = 247  # MODBUS over serial line V1.02, 2.2
_DLT645_DIGITS = 12
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
UARTS_MAX = 8  # no board has more
_METERS_MAX = 32  # RS-485's unit loads on one bus
_NAME_CHARS_MAX = 64
RATIO_MAX = 10000  # DTSU666 takes CT ratios up to 9999
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
            _check_addresses(file, "buses[%d].meters[%%d]." % at, bus.meters)
    if points is not None:
        _check_unique(file, "points[%d].number", [point.number for point in points])
        if buses is not None:
            _check_meters(file, buses, [point.number for point in points])


def is_dlt645_address(text: object) -> bool:
    """Whether it names one DL/T 645 meter: 12 digits. AA.. (any meter) and 99.. (all meters) name none."""
    return (
        isinstance(text, str)
        and len(text) == _DLT645_DIGITS
        and all("0" <= digit <= "9" for digit in text)
        and text != "9" * _DLT645_DIGITS
    )


def _bus(table: Table) -> Bus:
    uart = table.integer("uart", 0, UARTS_MAX - 1)
    baud, parity, stop = _baud(table), _parity(table), _stop(table)
    meters = table.tables("meters", _METERS_MAX, lambda meter: _meter(meter, (baud, parity, stop)))
    return Bus(uart, baud, parity, stop, meters)


def _baud(table: Table) -> int:
    baud: int = table.one_of("baud", BAUDS)
    return baud


def _parity(table: Table) -> str:
    parity: str = table.one_of("parity", ("N", "E", "O"))
    return parity


def _stop(table: Table) -> int:
    stop: int = table.one_of("stop", (1, 2))
    return stop


def _meter(table: Table, line: "tuple[int, str, int]") -> Meter:
    name = table.text("profile", _NAME_CHARS_MAX)
    if not all(c in "-_" or "0" <= c <= "9" or "a" <= c <= "z" for c in name):  # it becomes a file's name
        raise table.error("profile", name, "a-z 0-9 _ -")
    return Meter(
        _address(table),
        name,
        table.integer("point", 1, limits.POINTS_MAX),
        table.integer("ct_ratio", 1, RATIO_MAX),
        table.integer("pt_ratio", 1, RATIO_MAX),
        table.integer("timeout_ms", 10, 10000),
        table.integer("circuit", 1, limits.POINTS_MAX) if table.has("circuit") else 1,
        _baud(table) if table.has("baud") else line[0],
        _parity(table) if table.has("parity") else line[1],
        _stop(table) if table.has("stop") else line[2],
    )


def _address(table: Table) -> "int | str":
    """Modbus: a unit's number; DL/T 645: 12 digits. Which of the two is the profile's to say: the terminal knows it."""
    address: "int | str" = table.get("address")
    if is_dlt645_address(address):
        return address
    if isinstance(address, int) and not isinstance(address, bool) and 1 <= address <= _UNIT_MAX:
        return address
    raise table.error("address", address, 'an integer, 1 to %d, or a text of 12 digits: "202603010012"' % _UNIT_MAX)


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
    "sample_interval_s": lambda top: top.divisor("sample_interval_s", limits.WINDOW_S),
    "buses": lambda top: top.tables("buses", UARTS_MAX, _bus),
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


def _check_addresses(file: str, key: str, meters: "list[Meter]") -> None:
    """No two meters with one address, but for the circuits of one meter."""
    for at, meter in enumerate(meters):
        for other in meters[:at]:
            if other.address == meter.address and other.circuit == meter.circuit:
                allowed = "an address, or a circuit of it, that no other has"
                raise ConfigError(file, key % at + "address", meter.address, allowed)
            if other.address == meter.address and _model_of(other) != _model_of(meter):
                allowed = "as the other circuits of this meter have it: profile, baud, parity, stop"
                raise ConfigError(file, key % at + "profile", _model_of(meter), allowed)


def _model_of(meter: Meter) -> "tuple[str, int, str, int]":
    return meter.profile, meter.baud, meter.parity, meter.stop
