"""What a platform asks for again: windows, hours or days of a span, out of the journal, as packets one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.forward.hj212.encode import WindowContent, content_of, encode_window
from gateway.forward.hj212.mapping import PERIOD, Mapping, Station
from gateway.forward.hj212.periods import LENGTHS_S, encode_periods
from gateway.hj212.packet import Packet
from gateway.hj212.times import start_of
from gateway.journal.reader import Reader
from gateway.journal.spans import Entry, Spans
from protocol.record import WINDOW

_AT_A_TIME = 64  # windows decoded together


class Question(NamedTuple):
    """What a platform wants: packets of this command whose DataTime is in [from_s, to_s]."""

    station: Station
    cn: str
    from_s: int
    to_s: int


class History(Iterator[Packet]):
    """The answer, oldest first; of hours and days those that are over. is_broken: it ended where the journal, or a
    packet, was not to be made out.
    """

    def __init__(
        self, folder: Path, mapping: Mapping, question: Question, now_s: int, next_qn: Callable[[], str]
    ) -> None:
        self.is_broken = False
        self._packets = _packets(folder, mapping, question, now_s, next_qn)

    def __next__(self) -> Packet:
        try:
            return next(self._packets)
        except (sqlite3.Error, ValueError):  # of it PacketError
            self.is_broken = True
            raise StopIteration from None


def _packets(
    folder: Path, mapping: Mapping, question: Question, now_s: int, next_qn: Callable[[], str]
) -> Iterator[Packet]:
    with closing(Spans(folder)) as spans, closing(Reader(folder)) as reader:
        row = spans.terminals().get(question.station.terminal)
        entries = [] if row is None else [one for one in spans.log(row) if one.type == WINDOW]
        answer = _periods if question.cn in LENGTHS_S else _windows
        yield from answer(reader, entries, mapping, question, now_s, next_qn)


def _windows(
    reader: Reader, entries: list[Entry], mapping: Mapping, question: Question, _: int, next_qn: Callable[[], str]
) -> Iterator[Packet]:
    station, cn, from_s, to_s = question
    some = [one for one in entries if from_s - one.length_s <= (one.start_s or 0) <= to_s]
    for content in _contents(reader, some):
        if from_s <= (content.start_s if cn == PERIOD else content.instant_s) <= to_s:
            found = encode_window(mapping, station.terminal, content, next_qn, resent=True)
            yield from (packet for packet in found if b";CN=%s;" % cn.encode() in packet.data)


def _periods(
    reader: Reader, entries: list[Entry], mapping: Mapping, question: Question, now_s: int, next_qn: Callable[[], str]
) -> Iterator[Packet]:
    station, cn, from_s, to_s = question
    wanted = range(from_s, min(to_s, now_s - LENGTHS_S[cn]) + 1)
    some = [one for one in entries if start_of(one.start_s or 0, LENGTHS_S[cn]) in wanted]
    return encode_periods(mapping, station, cn, _contents(reader, some), next_qn)


def _contents(reader: Reader, entries: list[Entry]) -> Iterator[WindowContent]:
    """Those that have a place, in the order of time."""
    placed = sorted((one.start_s, one.id, one) for one in entries if one.start_s is not None)
    for begin in range(0, len(placed), _AT_A_TIME):
        some = placed[begin : begin + _AT_A_TIME]
        found = reader.decoded([number for _, number, _ in some])
        for (start_s, _, one), row in zip(some, found.rows, strict=True):
            if row is not None:
                yield content_of(found.columns, row, start_s, one.marks)
