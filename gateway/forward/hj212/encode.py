"""One window of one terminal -> the HJ 212-2017 packets (CN 2051) that report it to a platform. Integers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NotRequired, TypedDict

from cext.decoder import NONE_BECAUSE, READING, Columns
from gateway.forward.hj212.mapping import QUANTITIES, ItemConfig, Mapping
from gateway.hj212.packet import EDITION_2017, Item, Packet, PacketError, Segment, build, flag_of
from gateway.hj212.split import split
from gateway.hj212.times import data_time
from protocol import record

MINUTE_DATA = "2051"
NORMAL = "N"
COMMUNICATION_FAULT, FAULT = "B", "D"

# The meter's silence and a garbled line are faults of the communication (B); an answer that is a refusal, or another
# meter's, is a fault of the equipment (D), and so is what the terminal did not get to. HJ 212-2017 table 6.
_FLAG_OF_NONE = {record.NONE_SILENT: COMMUNICATION_FAULT, record.NONE_GARBLED: COMMUNICATION_FAULT}


class WindowContent(TypedDict):
    """A window as it is reported.

    `points`: number -> quantities by their name in protocol.record.Reading (absent or None: the meter does not offer
    it), or, where there is no reading, the HJ 212 Flag letter that says why. `marked`: points whose reading a check of
    the gateway has marked: they are reported with the flag of a fault, never as normal.
    """

    start_s: int
    points: dict[int, dict[str, int | None] | str]
    marked: NotRequired[frozenset[int]]


def content_of(columns: Columns, row: int, start_s: int) -> WindowContent:
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
            points[slots.point[at]] = _FLAG_OF_NONE.get(slots.none_reason[at], FAULT)
    return {"start_s": start_s, "points": points}


def encode_window(mapping: Mapping, terminal: str, window: WindowContent, next_qn: Callable[[], str]) -> list[Packet]:
    """The packets of a window, in the order in which they are to be sent; each takes its QN from `next_qn`.

    The same window, mapping and QNs give the same bytes. [] when the window has nothing that the platform wants of
    this terminal. PacketError `unmapped` when the platform does not know the terminal.
    """
    station = mapping.stations.get(terminal)
    if station is None:
        raise PacketError("unmapped", f"terminal {terminal} is no station in the platform's mapping")
    items = [item for one in station.items for item in _item(one, window)]
    if not items:
        return []
    when: tuple[Item, ...] = ((("DataTime", data_time(window["start_s"])),),)
    flag = flag_of(EDITION_2017, wants_answer=True)
    header = Segment("", station.st, MINUTE_DATA, station.pw, station.mn, flag, when)
    return [build(segment) for segment in split(header, items, next_qn)]


def _item(item: ItemConfig, window: WindowContent) -> list[Item]:
    """The item of one code; [] when there is nothing to say: no such point, or the meter does not offer it."""
    reading = window["points"].get(item.point)
    if reading is None:
        return []
    if isinstance(reading, str):
        return [((f"{item.code}-Flag", reading),)]
    quantity = QUANTITIES[item.quantity]
    found: list[tuple[str, str]] = []
    for attribute in item.attributes:
        value = reading.get(quantity.fields[attribute])
        if value is not None:
            found.append((f"{item.code}-{attribute}", decimal_text(value, quantity.exponent, item.decimals)))
    letter = FAULT if item.point in window.get("marked", ()) else NORMAL
    return [(*found, (f"{item.code}-Flag", letter))] if found else []


def decimal_text(value: int, exponent: int, decimals: int) -> str:
    """value / 10**exponent with `decimals` digits, rounded half to even (GB/T 8170): integers only, never a float.

    12345 Wh, exponent 3 (kWh), 2 decimals: "12.34". `decimals` is at most `exponent`.
    """
    unit = 10 ** (exponent - decimals)
    scaled, rest = divmod(abs(value), unit)
    if 2 * rest > unit or (2 * rest == unit and scaled % 2):
        scaled += 1
    sign = "-" if value < 0 and scaled else ""
    whole, fraction = divmod(scaled, 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}" if decimals else f"{sign}{whole}"
