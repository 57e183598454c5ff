"""The last day of the whole fleet, kept up as records come in, for the metrics: windows due, received, and missing.

In a thread of its own that works a small share of the time, so that a backlog is taken in first and counted after.
"""

import sqlite3
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import structlog

from gateway.clock import Clock, steady_s
from gateway.gaps.ledger import states
from gateway.gaps.source import Source, Span
from gateway.gaps.words import CAUSES, CELL_S, GRACE_S, LATE, METER_SILENT, NOT_MEASURED, PRESENT, cell_of
from gateway.metrics import Metrics
from gateway.registry import Registry, Terminal

DAY_S = 86400
CELLS = DAY_S // CELL_S + 2  # a day's, and those that are under way at its ends
WORK_S = 0.002  # at a stretch: what a burst's frames wait for at most, and enough for each wake-up to be worth it
REST = 49  # times as long as it worked: a fiftieth of a core at most, so that a burst hardly feels it
IDLE_S = 1.0
COUNT_EVERY_S = 60.0  # a scrape's usual step is no shorter
RETRY_S = 10.0


class DayCells:
    """A terminal's newest cells: 1.2 KiB, whatever comes."""

    def __init__(self) -> None:
        self._cells = array("I", bytes(4 * CELLS))  # number of the cell that is kept here
        self._received = array("I", bytes(4 * CELLS))  # points as bits
        self._silent = array("I", bytes(4 * CELLS))

    def add(self, cell_s: int, received: int, silent: int) -> None:
        """A window of this cell."""
        number = cell_s // CELL_S
        at = number % CELLS
        if self._cells[at] > number:
            return  # older than all that is kept
        if self._cells[at] < number:
            self._cells[at], self._received[at], self._silent[at] = number, 0, 0
        self._received[at] |= received
        self._silent[at] |= silent

    def get(self, cell_s: int) -> tuple[int, int] | None:
        """(received, silent) of a cell; None where there is no window."""
        at = cell_s // CELL_S % CELLS
        return (self._received[at], self._silent[at]) if self._cells[at] == cell_s // CELL_S else None

    def points(self) -> int:
        """Every point that a window spoke of."""
        seen = 0
        for received, silent in zip(self._received, self._silent, strict=True):
            seen |= received | silent
        return seen


class Pace:
    """Makes work wait, so that it takes a small share of a core."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.begin()

    def begin(self) -> None:
        """Nothing was done until now."""
        self._since_s = steady_s()

    def rest(self) -> bool:
        """To be called between small pieces of work; rests when enough of them were done. Whether to stop."""
        worked_s = steady_s() - self._since_s
        if worked_s < WORK_S:
            return self._stop.is_set()
        stopped = self._stop.wait(worked_s * REST)
        self.begin()
        return stopped


class GapWatch:
    """Keeps the gauges up until stopped."""

    def __init__(
        self,
        folder: Path,
        registry: Callable[[], Registry],
        clock: Clock,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
        future_s: int,
    ) -> None:
        self._folder, self._registry, self._clock = folder, registry, clock
        self._metrics, self._log, self._future_s = metrics, log, future_s
        self._stop = threading.Event()
        self._pace = Pace(self._stop)
        self._last = 0  # the newest record that was taken in
        self._thread = threading.Thread(target=self._run, name="gaps", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except sqlite3.Error as error:
                self._log.warning("gaps_unavailable", error=str(error))
                self._stop.wait(RETRY_S)

    def _watch(self) -> None:
        """From the files as they are, to the stop or to the first error of a file."""
        with closing(Source(self._folder, self._future_s)) as source:
            cells: dict[str, DayCells] = {}
            now_s = self._clock.now_ms() // 1000
            self._last, count_at_s = source.span(now_s - DAY_S, now_s, now_s).since_id - 1, 0.0
            while not self._stop.is_set():
                self._take_all(source, cells)
                if steady_s() >= count_at_s:
                    count_at_s = steady_s() + COUNT_EVERY_S
                    self._show(source, cells)
                self._stop.wait(IDLE_S)
                self._pace.begin()

    def _take_all(self, source: Source, cells: dict[str, DayCells]) -> None:
        """Take in what has come, resting; what reads the same blocks next has them at hand."""
        before = -1
        while before < self._last and not self._pace.rest():
            before, self._last = self._last, take(source, cells, self._last)

    def _show(self, source: Source, cells: dict[str, DayCells]) -> None:
        total: Counter[str] = Counter()
        rows = source.terminals()
        for terminal in self._registry().all():
            self._take_all(source, cells)
            now_s = self._clock.now_ms() // 1000
            total.update(
                count(source, terminal, rows.get(terminal.id), cells.setdefault(terminal.id, DayCells()), now_s)
            )
            if self._stop.is_set():
                return
        self._metrics.windows_due.set(total["due"])
        self._metrics.windows_received.set(total["received"])
        for cause in CAUSES:
            self._metrics.windows_missing.labels(cause).set(total[cause])


def take(source: Source, cells: dict[str, DayCells], last: int) -> int:
    """Take in a block of the records after `last`; returns the last one of it, or `last`."""
    found, newest = source.windows_after(last)
    for one in found:
        kept = cells.get(one.terminal) or cells.setdefault(one.terminal, DayCells())
        kept.add(cell_of(one.start_s, one.length_s), one.readings, one.silent)
    return newest


def count(source: Source, terminal: Terminal, row: int | None, kept: DayCells, now_s: int) -> Counter[str]:
    """Windows of the day before now_s: due, received, and missing by cause.

    The journal is read again only where a cell is missing, which may have been placed since, or was never due.
    """
    until_s = (now_s - GRACE_S) // CELL_S * CELL_S
    cells = [kept.get(cell_s) for cell_s in range(until_s - DAY_S, until_s, CELL_S)]
    points = _mask(terminal.points) or kept.points()
    since_s, until_due_s = terminal.commissioned_s, terminal.revoked_s
    if None in cells or (since_s or 0) > until_s - DAY_S or (until_due_s is not None and until_due_s < until_s):
        return _read_again(source, terminal, row, kept, source.span(until_s - DAY_S, until_s, now_s))
    total: Counter[str] = Counter()
    for received, silent in filter(None, cells):
        total["due"] += points.bit_count()
        total["received"] += (received & points).bit_count()
        total[METER_SILENT] += (silent & points & ~received).bit_count()
        total[NOT_MEASURED] += (points & ~received & ~silent).bit_count()
    return total


def _read_again(source: Source, terminal: Terminal, row: int | None, kept: DayCells, span: Span) -> Counter[str]:
    found = source.facts(row or 0, span)
    for cell_s, cell in found.cells.items():
        kept.add(cell_s, cell.received, cell.silent)
    total: Counter[str] = Counter()
    due = source.due(terminal, row, span, found)
    for _, of_points in states(due, found.cells, source.cause_of(terminal.id, row, span, found), span.now_s):
        for _, state, _ in of_points:
            total["due"] += 1
            total["received" if state in {PRESENT, LATE} else state] += 1
    return total


def _mask(points: Iterable[int]) -> int:
    return sum(1 << point - 1 for point in points)
