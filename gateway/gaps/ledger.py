"""The account of one terminal: runs of windows that did not come in time, and completeness by day. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.gaps.cells import Cell
from gateway.gaps.words import (
    CELL_S,
    GRACE_S,
    LATE,
    METER_SILENT,
    NOT_DUE,
    NOT_MEASURED,
    PRESENT,
    cell_from,
)

EMPTY = Cell()


class Due(NamedTuple):
    """What a terminal owes: every cell of [from_s, until_s) for each of these point numbers, ascending."""

    terminal: str
    points: Sequence[int]
    from_s: int
    until_s: int

    def cells(self) -> range:
        """The starts of its cells."""
        return range(cell_from(self.from_s), self.until_s // CELL_S * CELL_S, CELL_S)


class Run(NamedTuple):
    """Windows in a row of one point, of one state: LATE, or missing for one cause. reason: of METER_SILENT (FR-29)."""

    terminal: str
    point: int
    from_s: int
    windows: int
    state: str
    reason: int

    @property
    def to_s(self) -> int:
        """The end of the last one."""
        return self.from_s + self.windows * CELL_S


@dataclass
class Day:
    """A terminal's day. due: windows past their time, or here already, points counted one by one."""

    terminal: str
    day: int  # counted from 1970-01-01 of the day's own zone
    due: int = 0
    received: int = 0
    late: int = 0
    not_due: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def completeness(self) -> float | None:
        """Received / due (the field's rule asks for at least 0.9); None where nothing was due."""
        return self.received / self.due if self.due else None


def states(
    due: Due, cells: Mapping[int, Cell], cause_of: Callable[[int], str], now_s: int
) -> Iterator[tuple[int, list[tuple[int, str, int]]]]:
    """(cell, [(point, state or cause, reason)]) for each cell in order. cause_of(cell): why there is no window."""
    for cell_s in due.cells():
        cell = cells.get(cell_s)
        if cell is None:
            why = cause_of(cell_s) if now_s >= cell_s + CELL_S + GRACE_S else NOT_DUE
            yield cell_s, [(point, why, 0) for point in due.points]
        else:
            yield cell_s, [(point, *_state(cell, point)) for point in due.points]


def _state(cell: Cell, point: int) -> tuple[str, int]:
    bit = 1 << point - 1
    if cell.in_time & bit:
        return PRESENT, 0
    if cell.late & bit:
        return LATE, 0
    return (METER_SILENT, cell.reasons[point - 1]) if cell.silent & bit else (NOT_MEASURED, 0)


class Account:
    """Fed with `states` in order; gives runs as they end, and the days."""

    def __init__(self, due: Due, day_offset_s: int) -> None:
        self._due = due
        self._offset_s = day_offset_s
        self._open: dict[int, Run] = {}
        self.days: dict[int, Day] = {}

    def take(self, cell_s: int, of_points: Sequence[tuple[int, str, int]]) -> list[Run]:
        """Count a cell; returns the runs that ended before it."""
        day = self._day(cell_s)
        ended = []
        for point, state, reason in of_points:
            _count(day, state)
            run = self._open.get(point)
            if run is not None:
                if (run.state, run.reason, run.to_s) == (state, reason, cell_s):
                    self._open[point] = run._replace(windows=run.windows + 1)
                    continue
                ended.append(self._open.pop(point))
            if state not in {PRESENT, NOT_DUE}:
                self._open[point] = Run(self._due.terminal, point, cell_s, 1, state, reason)
        return ended

    def end(self) -> list[Run]:
        """The runs that reach to the end."""
        return [self._open[point] for point in sorted(self._open)]

    def _day(self, cell_s: int) -> Day:
        number = (cell_s + self._offset_s) // 86400
        if number not in self.days:
            self.days[number] = Day(self._due.terminal, number)
        return self.days[number]


def _count(day: Day, state: str) -> None:
    if state == NOT_DUE:
        day.not_due += 1
        return
    day.due += 1
    if state in {PRESENT, LATE}:
        day.received += 1
        day.late += state == LATE
    else:
        day.missing[state] += 1
