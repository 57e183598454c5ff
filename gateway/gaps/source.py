"""The ledger's facts, out of the journal and quarantine: one terminal at a time, no more in memory than its span."""

import sqlite3
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.gaps.causes import Evidence, Milepost, Range, Said, holes
from gateway.gaps.cells import Cell, joined
from gateway.gaps.claims import claims
from gateway.gaps.ledger import EMPTY, Due
from gateway.gaps.slots import slots_of
from gateway.gaps.words import CELL_S, cell_of
from gateway.journal.rows import Seen
from gateway.journal.spans import Entry, Spans
from gateway.quarantine.quarantine import QuarantineReader
from gateway.registry import Terminal
from protocol.record import (
    CLOCK_SET,
    LOG_DAMAGED,
    LOG_FULL,
    LOG_PUT_BACK,
    LOG_RENUMBERED,
    NUMBERS_SKIPPED,
    REQUEST_UNMET,
    WINDOW,
    Event,
    decode_record,
)

CLAIMS_MAX = 10_000  # refused frames of one terminal that are looked into: the newest; 60 MiB of bytes at most pass by


class Span(NamedTuple):
    """What is asked for: [from_s, to_s), seen at now_s. since_id: the first record that can be of it."""

    from_s: int
    to_s: int
    now_s: int
    since_id: int


class LogSpan(NamedTuple):
    """Numbers first..last of a log."""

    epoch: int
    first: int
    last: int


@dataclass
class Facts:
    """What one pass over a terminal's log found."""

    cells: dict[int, Cell] = field(default_factory=dict)
    mileposts: list[Milepost] = field(default_factory=list)
    said: Said = field(default_factory=Said)
    first_s: int | None = None  # the earliest time that was seen


class Source:
    """Opens the files of a data_dir for reading."""

    def __init__(self, folder: Path, future_s: int) -> None:
        """future_s: how far ahead of the gateway's clock a record may be (verify refuses what is beyond).

        Raises sqlite3.OperationalError where there is no journal yet.
        """
        self._spans = Spans(folder)
        self._future_s = future_s
        try:
            self._quarantine: QuarantineReader | None = QuarantineReader(folder)
        except sqlite3.OperationalError:
            self._quarantine = None

    def close(self) -> None:
        """Close the files."""
        self._spans.close()
        if self._quarantine is not None:
            self._quarantine.close()

    def span(self, from_s: int, to_s: int, now_s: int) -> Span:
        """A span to ask for."""
        return Span(from_s, to_s, now_s, self._spans.first_id((from_s - self._future_s - CELL_S) * 1000))

    def kept_from_s(self) -> int:
        """Nothing is said of the time before: records of it may have been retired. 0: none was."""
        retired_ms = self._spans.kept_from_ms()
        return 0 if not retired_ms else retired_ms // 1000 + self._future_s

    def terminals(self) -> Mapping[str, int]:
        """Name to row of those that have records."""
        return self._spans.terminals()

    def windows_after(self, record: int) -> tuple[list[Seen], int]:
        """(the windows with a time of the next records with a greater id, the last id of them all)."""
        return self._spans.windows_after(record)

    def facts(self, row: int, span: Span) -> Facts:
        """What the journal holds of the span, and the nearest records around it."""
        found, around = Facts(), _Around(span)
        for entry in self._spans.log(row, span.since_id):
            if entry.type != WINDOW:
                self._hear(found.said, entry)
            elif entry.start_s is None:
                found.said.untimed.setdefault(entry.epoch, []).append(entry.seq)
            else:
                self._add_window(found.cells, entry, entry.start_s, span)
            if entry.start_s is not None:
                found.first_s = min(entry.start_s, found.first_s) if found.first_s is not None else entry.start_s
                around.add(_milepost(entry, entry.start_s))
        found.mileposts = around.kept()
        return found

    def due(self, terminal: Terminal, row: int | None, span: Span, found: Facts) -> Due:
        """What the terminal owes of the span."""
        from_s = terminal.commissioned_s
        if from_s is None:
            from_s = found.first_s
            if row is not None and self._spans.knows_time_before(row, span.from_s):
                from_s = span.from_s
        until_s = min(span.to_s, span.now_s, span.to_s if terminal.revoked_s is None else terminal.revoked_s)
        points = sorted(terminal.points) or _points(found.cells)
        begins_s = until_s if from_s is None else max(from_s, span.from_s, self.kept_from_s())
        return Due(terminal.id, points, min(begins_s, until_s), until_s)

    def logs_of(self, row: int, span: Span, found: Facts) -> list[LogSpan]:
        """The numbers of each log between the records around the span."""
        logs: dict[int, list[Milepost]] = {}
        for one in found.mileposts:
            logs.setdefault(one.epoch, []).append(one)
        reaches = []
        for epoch, posts in logs.items():
            before = min(posts, key=lambda one: one.seq)
            known = before.seq if before.time_s <= span.from_s else self._number_before(row, before)
            known = max(known, found.said.follows.get(epoch, (0, 1))[1] - 1)
            reaches.append(LogSpan(epoch, known + 1, max(one.seq for one in posts)))
        return reaches

    def absent(self, row: int, log: LogSpan) -> list[Range]:
        """The numbers of these that did not come."""
        return holes(log.first, log.last, self._spans.numbers(row, *log))

    def _number_before(self, row: int, one: Milepost) -> int:
        entry = self._spans.before(row, one.epoch, one.seq)
        return 0 if entry is None else entry.seq

    def cause_of(self, terminal: str, row: int | None, span: Span, found: Facts) -> Callable[[int], str]:
        """Why a cell of the terminal has nothing."""
        evidence: Evidence | None = None

        def cause(cell_s: int) -> str:
            nonlocal evidence
            if evidence is None:
                self._add_claims(terminal, span, found.said)
                evidence = Evidence(found.mileposts, found.said, numbers, before)
            return evidence.cause(cell_s, span.now_s)

        def numbers(epoch: int, first: int, last: int) -> Iterator[int]:
            return self._spans.numbers(row or 0, epoch, first, last)

        def before(one: Milepost) -> Milepost | None:
            entry = self._spans.before(row or 0, one.epoch, one.seq)
            return None if entry is None or entry.start_s is None else _milepost(entry, entry.start_s)

        return cause

    def _add_window(self, cells: dict[int, Cell], entry: Entry, start_s: int, span: Span) -> None:
        cell_s = cell_of(start_s, entry.length_s)
        if span.from_s - CELL_S < cell_s < span.to_s:
            raw = self._spans.raw(entry.id)
            if raw is None:
                return
            slots = slots_of(raw)
            cells[cell_s] = joined(cells.get(cell_s, EMPTY), cell_s, slots, entry.received_ms // 1000)

    def _hear(self, said: Said, entry: Entry) -> None:
        raw = self._spans.raw(entry.id)
        body = None if raw is None else decode_record(raw).body
        if isinstance(body, Event):
            note_event(said, entry, body)

    def _add_claims(self, terminal: str, span: Span, said: Said) -> None:
        if self._quarantine is None:
            return
        for kept in self._quarantine.newest(CLAIMS_MAX, terminal):
            if kept.refused.received_ms < (span.from_s - self._future_s) * 1000:
                break
            for claim in claims(kept.refused):
                is_placed = claim.cell_s is not None or not claim.is_window
                (said.placed if is_placed else said.refused).setdefault(claim.epoch, set()).add(claim.seq)
                if claim.cell_s is not None:
                    said.refused_cells.add(claim.cell_s)


def note_event(said: Said, entry: Entry, event: Event) -> None:
    """Keep what an event says of the log or the clock."""
    values = event.values
    if event.code in {LOG_FULL, LOG_PUT_BACK, REQUEST_UNMET} and len(values) == 2:
        said.dropped.setdefault(entry.epoch, []).append((values[0], values[1]))
    elif event.code == NUMBERS_SKIPPED and len(values) == 2:
        said.skipped.setdefault(entry.epoch, []).append((values[0], values[1]))
    elif event.code == LOG_RENUMBERED and len(values) == 2:
        said.follows.setdefault(entry.epoch, (values[0], values[1]))  # the first: a later one is a copy of an older
    elif event.code == LOG_DAMAGED:
        insort(said.damaged.setdefault(entry.epoch, []), entry.seq)
    elif event.code == CLOCK_SET and entry.start_s is not None and values and values[0] > 0:
        said.steps.append((entry.start_s - values[0], entry.start_s))


def _milepost(entry: Entry, start_s: int) -> Milepost:
    time_s = start_s + entry.length_s
    return Milepost(time_s, entry.epoch, entry.seq, entry.boot, entry.uptime_s, entry.received_ms // 1000)


def _points(cells: dict[int, Cell]) -> list[int]:
    """The point numbers that windows speak of, for a terminal whose registry names none."""
    seen = 0
    for cell in cells.values():
        seen |= cell.received | cell.silent
    return [point for point in range(1, seen.bit_length() + 1) if seen >> point - 1 & 1]


class _Around:
    """The mileposts of a span, and the nearest one on each side of it."""

    def __init__(self, span: Span) -> None:
        self._from_s, self._to_s = span.from_s - CELL_S, span.to_s + CELL_S
        self._within: list[Milepost] = []
        self._before: Milepost | None = None
        self._after: Milepost | None = None

    def add(self, one: Milepost) -> None:
        if one.time_s <= self._from_s:
            self._before = max(self._before, one) if self._before else one
        elif one.time_s >= self._to_s:
            self._after = min(self._after, one) if self._after else one
        else:
            self._within.append(one)

    def kept(self) -> list[Milepost]:
        return [*([self._before] if self._before else []), *self._within, *([self._after] if self._after else [])]
