"""A platform's mapping as `cext.hj212` takes it, and the windows of a batch through it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from cext.decoder import Columns
from cext.hj212 import Encoder, Plan
from gateway.forward.hj212.encode import NORMAL, attributes_of
from gateway.forward.hj212.mapping import (
    FEW_SAMPLES,
    INSTANT,
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
from gateway.hj212.packet import Packet, PacketError, flag_of
from gateway.journal.reader import Stored
from protocol import limits
from protocol.record import Reading

_Item = tuple[int, bytes, int, int, tuple[tuple[bytes, int, bool], ...]]
_KINDS = {PERIOD: 0, INSTANT: 1, STATE: 2}
_PLACES = {name: place for place, name in enumerate(Reading._fields)}


class Table(NamedTuple):
    """The rows of a batch, as the encoder takes them: made once a batch."""

    records: memoryview
    slots: memoryview


def table_of(columns: Columns) -> Table:
    """Of a batch's columns."""
    return Table(columns.records.rows, columns.slots.rows)


class Windows:
    """Encodes windows for one platform. One thread."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        letters = "".join(mapping.flags[name] for name in (STOPPED, FEW_SAMPLES, NONE_SILENT, NONE_GARBLED, NONE_OTHER))
        flag = flag_of(mapping.edition, wants_answer=True)
        self._encoder = Encoder(flag=flag, half_up=mapping.half_up, letters=letters.encode("ascii"))
        self._plans: dict[str, tuple[Station, Plan]] = {}

    def encode(self, table: Table, row: int, one: Stored, qn_ms: int, *, resent: bool) -> list[Packet]:
        """A window's packets; their QNs are qn_ms and those after it. PacketError where they are too many."""
        station = self._mapping.stations[one.terminal]
        known = self._plans.get(one.terminal)
        if known is None or known[0] is not station:  # a platform may have given it another password
            known = self._plans[one.terminal] = station, _plan(station)
        marked = self._letters(one.marks) if one.marks else None
        found = self._encoder.encode(
            table.records, table.slots, row, one.start_s or 0, known[1], qn_ms, resent=resent, marked=marked
        )
        if found is None:
            raise PacketError("too-many-packets", f"a window of {one.terminal} needs more than 45 packets")
        return [Packet(qn, station.mn, data) for qn, data in found]

    def _letters(self, marks: list[tuple[str, int | None]]) -> bytes | None:
        """By point, the letter of the first mark that has one besides N: marks of the whole record first."""
        letters = bytearray(limits.POINTS_MAX + 1)
        for check, point in sorted(marks, key=lambda mark: mark[1] is not None):
            letter = self._mapping.flags[check]
            if letter == NORMAL:
                continue
            for number in range(1, limits.POINTS_MAX + 1) if point is None else (point,):
                letters[number] = letters[number] or ord(letter)
        return bytes(letters) if any(letters) else None


def _plan(station: Station) -> Plan:
    """messages_of, and the items of each, in one look at each item: a province has half a million of them."""
    found: dict[tuple[str, str], list[_Item]] = {}
    for cn in (PERIOD, INSTANT):
        for item in station.items:
            if attributes := attributes_of(item, cn):
                found.setdefault((cn, item.st or station.st), []).append(_item(item, tuple(attributes)))
    if station.states:
        found[STATE, station.st] = [(state.point, state.code.encode("ascii"), 0, 1, ()) for state in station.states]
    tail = f"PW={station.pw};MN={station.mn};Flag="
    messages = [(_KINDS[cn], f"ST={st};CN={cn};{tail}".encode("ascii"), items) for (cn, st), items in found.items()]
    return Plan(station.mn, messages)


def _item(item: ItemConfig, attributes: tuple[str, ...]) -> _Item:
    exponent = QUANTITIES[item.quantity].exponent if item.exponent is None else item.exponent
    values = _values(item.quantity, attributes)
    return item.point, item.code.encode("ascii"), item.decimals, 10 ** (exponent - item.decimals), values


@cache
def _values(quantity: str, attributes: tuple[str, ...]) -> tuple[tuple[bytes, int, bool], ...]:
    fields = QUANTITIES[quantity].fields
    return tuple((f"-{name}=".encode("ascii"), _PLACES[fields[name]], name == SAMPLE_TIME) for name in attributes)
