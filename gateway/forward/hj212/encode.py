"""A window's content -> the HJ 212 packets that report it to a platform, in plain Python. Integers only.

This is the definition: what windows are sent with is `cext.hj212`, which gives the same bytes (tests) at a
two-hundredth of the cost. It stands here for the platform's rare questions, and to be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cext.decoder import NONE_BECAUSE, READING, Columns
from gateway.forward.hj212.mapping import (
    FEW_SAMPLES,
    INSTANT,
    INSTANT_ATTRIBUTES,
    NONE_GARBLED,
    NONE_OTHER,
    NONE_SILENT,
    PERIOD,
    QUANTITIES,
    SAMPLE_TIME,
    STATE,
    STOPPED,
    ItemConfig,
    Mapping,
    Station,
)
from gateway.hj212.packet import EDITION_2025, RF_RESENT, Item, Packet, PacketError, Segment, build, flag_of
from gateway.hj212.split import split
from gateway.hj212.times import data_time
from protocol import record

NORMAL = "N"
_NONE = {record.NONE_SILENT: NONE_SILENT, record.NONE_GARBLED: NONE_GARBLED}


class WindowContent(NamedTuple):
    """A window as it is reported.

    points: number -> quantities by their name in protocol.record.Reading (absent or None: the meter does not offer
    it), or, where there is no reading, the name under which mapping.FLAGS has its letter. marks: number -> the checks
    that found something in its reading; number 0: in the whole record.
    """

    start_s: int
    length_s: int
    points: dict[int, dict[str, int | None] | str]
    marks: dict[int, list[str]]

    @property
    def instant_s(self) -> int:
        """When the last of its points was sampled last; without any reading the window's end."""
        last = [one["last_s"] or 0 for one in self.points.values() if not isinstance(one, str)]
        return self.start_s + self.length_s - min(last, default=0)


class Head(NamedTuple):
    """Whose message it is, its command and system code, and its DataTime (Unix s)."""

    station: Station
    cn: str
    st: str
    time_s: int


def content_of(columns: Columns, row: int, start_s: int, marks: list[tuple[str, int | None]]) -> WindowContent:
    """The content of a window, row `row` of columns.records; `start_s` is where the journal placed it (FR-26)."""
    slots = columns.slots
    first = columns.records.first[row]
    points: dict[int, dict[str, int | None] | str] = {}
    for at in range(first, first + columns.records.count[row]):
        kind, present = slots.kind[at], slots.present[at]
        if kind == READING:
            values = enumerate(record.Reading._fields)
            points[slots.point[at]] = {
                name: slots.values[at, which] if present >> which & 1 else None for which, name in values
            }
        elif kind == NONE_BECAUSE:
            points[slots.point[at]] = _NONE.get(slots.none_reason[at], NONE_OTHER)
    by_point: dict[int, list[str]] = {}
    for check, point in marks:
        by_point.setdefault(point or 0, []).append(check)
    return WindowContent(start_s, columns.records.length_s[row], points, by_point)


def encode_window(
    mapping: Mapping, terminal: str, window: WindowContent, next_qn: Callable[[], str], *, resent: bool = False
) -> list[Packet]:
    """The packets of a window, in the order in which they are to be sent; each takes its QN from `next_qn`.

    The same window, mapping and QNs give the same bytes. [] when the window has nothing that the platform wants of
    this terminal. PacketError `unmapped` when the platform does not know the terminal. resent: long after its time.
    """
    station = mapping.stations.get(terminal)
    if station is None:
        raise PacketError("unmapped", f"terminal {terminal} is no station in the platform's mapping")
    packets: list[Packet] = []
    for cn, st in messages_of(station):
        items = _items(mapping, station, cn, st, window)
        time_s = window.start_s if cn == PERIOD else window.instant_s
        if items:
            packets += message(mapping, Head(station, cn, st, time_s), items, next_qn, resent=resent)
    return packets


def message(
    mapping: Mapping, head: Head, items: list[Item], next_qn: Callable[[], str], *, resent: bool
) -> list[Packet]:
    """The packets of one message with these items."""
    station, cn, st, time_s = head
    flag = flag_of(mapping.edition, wants_answer=True)
    rf = RF_RESENT if resent and mapping.edition == EDITION_2025 else None
    when: Item = (("DataTime", data_time(time_s)),)
    header = Segment("", st, cn, station.pw, station.mn, flag, (when,), rf=rf)
    return [build(segment) for segment in split(header, items, next_qn)]


def messages_of(station: Station) -> list[tuple[str, str]]:
    """(CN, ST) of the messages that a window of this station may become, in their order."""
    found = [
        (cn, item.st or station.st) for cn in (PERIOD, INSTANT) for item in station.items if attributes_of(item, cn)
    ]
    return list(dict.fromkeys([*found, *([(STATE, station.st)] if station.states else [])]))


def attributes_of(item: ItemConfig, cn: str) -> list[str]:
    """Those attributes of an item that go by this command."""
    of_instant = cn == INSTANT
    return [one for one in item.attributes if (one in INSTANT_ATTRIBUTES) == of_instant]


def _items(mapping: Mapping, station: Station, cn: str, st: str, window: WindowContent) -> list[Item]:
    if cn == STATE:
        return [
            ((f"{state.code}-RS", "1" if reading["run_s"] else "0"),)
            for state in station.states
            if isinstance(reading := window.points.get(state.point), dict)
        ]
    of_message = [item for item in station.items if (item.st or station.st) == st and attributes_of(item, cn)]
    return [
        one for item in of_message for one in item_of(mapping, item, cn, window, letter_of(mapping, window, item.point))
    ]


def item_of(mapping: Mapping, item: ItemConfig, cn: str, window: WindowContent, letter: str) -> list[Item]:
    """The item of one code; [] when there is nothing to say: no such point, or the meter does not offer it."""
    reading = window.points.get(item.point)
    if reading is None:
        return []
    if isinstance(reading, str):
        return [((f"{item.code}-Flag", letter),)]
    quantity = QUANTITIES[item.quantity]
    exponent = quantity.exponent if item.exponent is None else item.exponent
    found: list[tuple[str, str]] = []
    for attribute in attributes_of(item, cn):
        value = reading.get(quantity.fields[attribute])
        if value is None:
            continue
        if attribute == SAMPLE_TIME:
            text = data_time(window.start_s + window.length_s - value)
        else:
            text = decimal_text(value, exponent, item.decimals, half_up=mapping.half_up)
        found.append((f"{item.code}-{attribute}", text))
    if not found or all(name.endswith(SAMPLE_TIME) for name, _ in found):
        return []
    return [(*found, (f"{item.code}-Flag", letter))]


def letter_of(mapping: Mapping, window: WindowContent, point: int) -> str:
    """The flag of a point: why it has no reading; else the first mark's letter that is not N, else whether it stood
    still, else normal.
    """
    reading = window.points.get(point, NONE_OTHER)
    if isinstance(reading, str):
        return mapping.flags[reading]
    own = [FEW_SAMPLES] if (reading["flags"] or 0) & record.FLAG_FEW_SAMPLES else []
    for check in window.marks.get(0, []) + window.marks.get(point, []) + own:
        if mapping.flags[check] != NORMAL:
            return mapping.flags[check]
    return mapping.flags[STOPPED] if reading["run_s"] == 0 else NORMAL


def decimal_text(value: int, exponent: int, decimals: int, *, half_up: bool = False) -> str:
    """value / 10**exponent with `decimals` digits: integers only, never a float. `decimals` is at most `exponent`.

    Rounded half to even (GB/T 8170): 12345 Wh, exponent 3 (kWh), 2 decimals: "12.34"; or half up, away from zero.
    """
    unit = 10 ** (exponent - decimals)
    scaled, rest = divmod(abs(value), unit)
    if 2 * rest > unit or (2 * rest == unit and (half_up or scaled % 2)):
        scaled += 1
    sign = "-" if value < 0 and scaled else ""
    whole, fraction = divmod(scaled, 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}" if decimals else f"{sign}{whole}"
