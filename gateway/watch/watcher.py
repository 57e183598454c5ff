"""The journal looked at again and again: what came since the last look, by the rules, into alarms.

A process of its own (`wattline gateway watch`): it reads the journal, delays no intake, and may be killed at any time.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from gateway.clock import Clock
from gateway.database import StoreUnavailableError
from gateway.export.rows import rows
from gateway.journal.reader import Reader
from gateway.journal.spans import Spans
from gateway.watch.alarms import FAMILIES
from gateway.watch.enterprises import Enterprise
from gateway.watch.linkage import CONTEXT_SLOTS, KINDS, findings
from gateway.watch.slots import SLOT_S, slots_of
from gateway.watch.store import Look, Progress, Store
from protocol.record import WINDOW

LOOK_EVERY_S = 30.0  # within a window's quarter of an hour many times; a look at nothing costs a millisecond
SETTLE_S = 600  # after a record came: what belongs to its quarter of an hour is there by then, or its link is down
RECORDS_A_LOOK = 20_000  # of a backlog at a time: three bursts of a province
CONTEXT_S = CONTEXT_SLOTS * SLOT_S
LINKAGE_FAMILIES = sorted({FAMILIES[kind] for kind in KINDS})


class Span(NamedTuple):
    """[from_s, to_s) of a terminal's windows that came."""

    from_s: int
    to_s: int


class Watcher:
    """Looks at the journal of a gateway. future_s: as verify allows."""

    def __init__(self, folder: Path, store: Store, clock: Clock, future_s: int) -> None:
        self._folder, self._store, self._clock, self._future_s = folder, store, clock, future_s

    def look(self, enterprises: Sequence[Enterprise]) -> tuple[int, bool]:
        """(how many alarms are new, whether there is more to look at). Raises sqlite3.Error, StoreUnavailableError."""
        now_ms = self._clock.now_ms()
        until_s = now_ms // 1000 - SETTLE_S
        before = self._store.progress()
        with closing(Reader(self._folder)) as reader:
            came, progress = _came(reader, before, reader.first_id(until_s * 1000) - 1)
        with closing(Spans(self._folder)) as spans:
            begun = self._store.take(list(self._looks(spans, enterprises, came, until_s)), progress, now_ms)
        return begun, _is_full(before, progress)

    def run(
        self,
        enterprises: Sequence[Enterprise],
        wait: Callable[[float], bool],
        told: Callable[[int], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Look until `wait`, which is called with s, says to stop.

        told: with how many alarms are new, where some are. failed: with why a file can't be used; it is tried again.
        """
        stop = False
        while not stop:
            more = False
            try:
                begun, more = self.look(enterprises)
                if begun:
                    told(begun)
            except (sqlite3.Error, StoreUnavailableError) as error:
                failed(error)
            stop = wait(0.0 if more else LOOK_EVERY_S)

    def _looks(
        self, spans: Spans, enterprises: Sequence[Enterprise], came: dict[str, Span], until_s: int
    ) -> Iterator[Look]:
        """Of each enterprise of which something came: the time around it, as far as it can change what is found."""
        for one in enterprises:
            terminals = sorted({point.terminal for point in one.points})
            some = [came[name] for name in terminals if name in came]
            if not some:
                continue
            kept_s = (
                -(-spans.kept_from_ms() // (1000 * SLOT_S)) * SLOT_S
            )  # before that nothing can be disproved any more
            from_s = max(min(span.from_s for span in some) // SLOT_S * SLOT_S - CONTEXT_S, kept_s)
            newest_s = max(span.to_s for span in some)  # a terminal's clock may be ahead of ours
            to_s = min(newest_s + CONTEXT_S, max(until_s, newest_s)) // SLOT_S * SLOT_S
            if from_s >= to_s:
                continue
            slots = slots_of(rows(spans, terminals, from_s - CONTEXT_S, to_s, self._future_s), one.points)
            for each in one.linkages:
                found = findings(each, one.orders, slots, from_s, to_s)
                yield Look(one.id, each.name, LINKAGE_FAMILIES, found, from_s, to_s)


def _is_full(before: Progress, progress: Progress) -> bool:
    """Whether a look took as much as it may, so that there is more."""
    return max(progress.record - before.record, progress.placement - before.placement) >= RECORDS_A_LOOK


def _came(reader: Reader, before: Progress, last: int) -> tuple[dict[str, Span], Progress]:
    """By terminal the time of the windows that came or were placed after `before`, up to record `last`."""
    records = [one for one in reader.records_after(before.record, RECORDS_A_LOOK) if one.id <= last]
    # in their own order, which is not that of the records: what comes after one that has to wait waits with it
    placements = list(
        takewhile(lambda one: one[1].id <= last, reader.placements_after(before.placement, RECORDS_A_LOOK))
    )
    found: dict[str, Span] = {}
    for one in [*records, *(window for _, window in placements)]:
        if one.type == WINDOW and one.start_s is not None:
            span = found.get(one.terminal, Span(one.start_s, one.start_s))
            found[one.terminal] = Span(min(span.from_s, one.start_s), max(span.to_s, one.start_s + one.length_s))
    record = records[-1].id if records else before.record
    return found, Progress(record, placements[-1][0] if placements else before.placement)
