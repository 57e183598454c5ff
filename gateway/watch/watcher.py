"""The journal looked at again and again: what came since the last look, by the rules, into alarms.

A process of its own (`wattline gateway watch`): it reads the journal, delays no intake, and may be killed at any time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.clock import Clock
from gateway.export.rows import rows
from gateway.journal.reader import Reader
from gateway.journal.spans import Spans
from gateway.watch.enterprises import Enterprise
from gateway.watch.linkage import CONTEXT_SLOTS, findings
from gateway.watch.slots import SLOT_S, slots_of
from gateway.watch.store import Look, Progress, Store
from protocol.record import WINDOW

SETTLE_S = 600  # after a record came: what belongs to its quarter of an hour is there by then, or its link is down
RECORDS_A_LOOK = 20_000  # of a backlog at a time: three bursts of a province
CONTEXT_S = CONTEXT_SLOTS * SLOT_S


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
            begun = self._store.take(self._looks(spans, enterprises, came, until_s), progress, now_ms)
        return begun, progress != before

    def run(self, enterprises: Sequence[Enterprise], wait: Callable[[], bool], told: Callable[[int], None]) -> None:
        """Look until `wait` says to stop; `told` with how many alarms are new, where some are."""
        stop = False
        while not stop:
            begun, more = self.look(enterprises)
            if begun:
                told(begun)
            stop = not more and wait()

    def _looks(
        self, spans: Spans, enterprises: Sequence[Enterprise], came: dict[str, Span], until_s: int
    ) -> Iterator[Look]:
        """Of each enterprise of which something came: the time around it, as far as it can change what is found."""
        for one in enterprises:
            terminals = sorted({point.terminal for point in one.points})
            some = [came[name] for name in terminals if name in came]
            if not some:
                continue
            from_s = min(span.from_s for span in some) // SLOT_S * SLOT_S - CONTEXT_S
            to_s = min(max(span.to_s for span in some) + CONTEXT_S, until_s) // SLOT_S * SLOT_S
            slots = slots_of(rows(spans, terminals, from_s - CONTEXT_S, to_s, self._future_s), one.points)
            for each in one.linkages:
                yield Look(one.id, each.name, findings(each, one.orders, slots, from_s, to_s), from_s, to_s)


def _came(reader: Reader, before: Progress, last: int) -> tuple[dict[str, Span], Progress]:
    """By terminal the time of the windows that came or were placed after `before`, up to record `last`."""
    records = [one for one in reader.records_after(before.record, RECORDS_A_LOOK) if one.id <= last]
    placements = [one for one in reader.placements_after(before.placement, RECORDS_A_LOOK) if one[1].id <= last]
    found: dict[str, Span] = {}
    for one in [*records, *(window for _, window in placements)]:
        if one.type == WINDOW and one.start_s is not None:
            span = found.get(one.terminal, Span(one.start_s, one.start_s))
            found[one.terminal] = Span(min(span.from_s, one.start_s), max(span.to_s, one.start_s + one.length_s))
    record = records[-1].id if records else before.record
    return found, Progress(record, placements[-1][0] if placements else before.placement)
