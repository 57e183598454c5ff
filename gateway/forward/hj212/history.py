"""What a platform asks for again: windows of a span, out of the journal, as packets one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from gateway.forward.hj212.encode import WindowContent, content_of, encode_window
from gateway.forward.hj212.mapping import PERIOD, Mapping, Station
from gateway.hj212.packet import Packet, PacketError
from gateway.journal.reader import Reader
from gateway.journal.spans import Entry, Spans
from protocol.record import WINDOW

_AT_A_TIME = 64  # windows decoded together


def history(
    folder: Path, mapping: Mapping, station: Station, cn: str, from_s: int, to_s: int, next_qn: Callable[[], str]
) -> Iterator[Packet]:
    """Packets of this command for the windows whose DataTime is in [from_s, to_s], oldest first.

    Nothing where the journal can't be read now: the platform is told that there is no data, and asks again.
    """
    try:
        with closing(Spans(folder)) as spans, closing(Reader(folder)) as reader:
            row = spans.terminals().get(station.terminal)
            entries = [] if row is None else [one for one in spans.log(row) if _may_be_of(one, from_s, to_s)]
            entries.sort(key=lambda one: one.start_s or 0)
            for begin in range(0, len(entries), _AT_A_TIME):
                for one, content in _contents(reader, entries[begin : begin + _AT_A_TIME]):
                    time_s = one.start_s or 0 if cn == PERIOD else content.instant_s
                    if from_s <= time_s <= to_s:
                        found = encode_window(mapping, station.terminal, content, next_qn, resent=True)
                        yield from (packet for packet in found if b";CN=%s;" % cn.encode() in packet.data)
    except (sqlite3.Error, PacketError, ValueError):
        return


def _may_be_of(one: Entry, from_s: int, to_s: int) -> bool:
    return one.type == WINDOW and one.start_s is not None and from_s - one.length_s <= one.start_s <= to_s


def _contents(reader: Reader, entries: list[Entry]) -> Iterator[tuple[Entry, WindowContent]]:
    found = reader.decoded([one.id for one in entries])
    for one, row in zip(entries, found.rows, strict=True):
        if row is not None:
            yield one, content_of(found.columns, row, one.start_s or 0, one.marks)
