"""Why a cell has nothing: what the records around it say. Pure; the journal's numbers are asked for as they are needed.

A terminal numbers its records without gaps, and each says its start (boot) and the seconds since. So two records next
to each other in time tell what lay between them: numbers that have not come, a start, a step of the clock, or nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from gateway.gaps.words import (
    CAUSES,
    CELL_S,
    CLOCK,
    LINK_DOWN,
    LOG_LOST,
    PROMISE_S,
    REFUSED,
    TERMINAL_OFF,
    UNKNOWN,
)
from protocol.limits import UINT32_MAX

Range = tuple[int, int]  # both ends included


class Milepost(NamedTuple):
    """A record that knows its time: time_s at the window's end, at the event; uptime_s then."""

    time_s: int
    epoch: int
    seq: int
    boot: int
    uptime_s: int
    received_s: int

    @property
    def boot_s(self) -> int:
        """When this start of the terminal began."""
        return self.time_s - self.uptime_s


@dataclass
class Said:
    """What else is known of a terminal's log. By epoch where it is about numbers."""

    untimed: dict[int, list[int]] = field(default_factory=dict)  # windows without a time, ascending
    dropped: dict[int, list[Range]] = field(default_factory=dict)  # dropped, or not there when asked for
    skipped: dict[int, list[Range]] = field(default_factory=dict)  # no record has these numbers
    follows: dict[int, tuple[int, int]] = field(default_factory=dict)  # (epoch before, first number): one log with it
    damaged: dict[int, list[int]] = field(default_factory=dict)  # numbers of the events that say so
    steps: list[Range] = field(default_factory=list)  # from, to: the clock was set forward over this
    refused_cells: set[int] = field(default_factory=set)
    refused: dict[int, set[int]] = field(default_factory=dict)  # numbers of which nothing says where they belong
    placed: dict[int, set[int]] = field(default_factory=dict)  # refused numbers that are events, or of refused_cells


class Evidence:
    """Answers for one terminal."""

    def __init__(
        self,
        mileposts: Iterable[Milepost],
        said: Said,
        numbers: Callable[[int, int, int], Iterable[int]],
        before: Callable[[Milepost], Milepost | None],
    ) -> None:
        """numbers(epoch, first, last): those in the journal, ascending. before(one): the record before it in its log
        that knows its time, though it is not among `mileposts`.
        """
        self._posts = sorted(mileposts)
        self._times = [one.time_s for one in self._posts]
        self._said = said
        self._numbers = numbers
        self._before = before
        self._before_of: dict[Milepost, Milepost | None] = {}
        self._absent_of: dict[tuple[int, int, int], list[Range]] = {}

    def cause(self, cell_s: int, now_s: int) -> str:
        """Why the cell has no window: one of CAUSES."""
        if cell_s in self._said.refused_cells:
            return REFUSED
        found = {self._between(a, b, cell_s, now_s) for a, b in self._pairs(cell_s)}
        return min(found, key=CAUSES.index)

    def _pairs(self, cell_s: int) -> list[tuple[Milepost | None, Milepost | None]]:
        """Neighbours in time with some of the cell between them."""
        first = bisect_right(self._times, cell_s)  # the first after the cell's start
        last = bisect_left(self._times, cell_s + CELL_S)  # the first at its end or later
        around: list[Milepost | None] = [*self._posts[max(first - 1, 0) : last + 1]]
        if first == 0:
            around.insert(0, None)
        if last == len(self._posts):
            around.append(None)
        return list(pairwise(around))

    def _between(self, a: Milepost | None, b: Milepost | None, cell_s: int, now_s: int) -> str:
        if b is None:
            return CLOCK if self._came_without_time(a) else LINK_DOWN
        a = self._nearer(a, b)
        absent = self._absent(a, b)
        if absent and not _surely_off(a, b, cell_s, sum(last - first + 1 for first, last in absent)):
            return self._absent_cause(absent, b, now_s)
        if any(begin < cell_s + CELL_S and end > cell_s for begin, end in self._said.steps):
            return CLOCK
        known = a.seq if a is not None and a.epoch == b.epoch else 0
        if not absent and _any_in(self._said.untimed.get(b.epoch, ()), *sorted((known, b.seq))):
            return CLOCK
        if a is None:
            return TERMINAL_OFF if cell_s < b.boot_s else UNKNOWN
        if a.epoch not in self._log_of(b.epoch):
            return LOG_LOST
        if a.boot != b.boot and b.boot_s > cell_s:
            return TERMINAL_OFF
        return UNKNOWN

    def _came_without_time(self, a: Milepost | None) -> bool:
        """Whether windows came after the last record that knew its time."""
        if a is None:
            return bool(self._said.untimed)
        return _any_in(self._said.untimed.get(a.epoch, ()), a.seq, UINT32_MAX)

    def _nearer(self, a: Milepost | None, b: Milepost) -> Milepost | None:
        """The record before b in its log, where that is nearer than a."""
        if a is not None and (a.epoch, a.seq + 1) == (b.epoch, b.seq):
            return a
        if b not in self._before_of:
            self._before_of[b] = self._before(b)
        before = self._before_of[b]
        return before if before is not None and (a is None or a.time_s < before.time_s <= b.time_s) else a

    def _absent(self, a: Milepost | None, b: Milepost) -> list[Range]:
        """Numbers between the two that the journal does not have; a log begins with 1, or where an older epoch ends."""
        if a is not None and a.epoch == b.epoch:
            return self._holes_of(b.epoch, min(a.seq, b.seq) + 1, max(a.seq, b.seq) - 1)
        older, first = self._said.follows.get(b.epoch, (b.epoch, 1))
        found = self._holes_of(b.epoch, first, b.seq - 1)
        if a is not None and a.epoch == older:
            found = self._holes_of(older, a.seq + 1, first - 1) + found
        return found

    def _holes_of(self, epoch: int, first: int, last: int) -> list[Range]:
        """The numbers first..last of an epoch that the journal does not have, and that were given to a record."""
        key = (epoch, first, last)
        if key not in self._absent_of:
            placed = {number for number in self._said.placed.get(epoch, ()) if first <= number <= last}
            there = sorted(placed.union(self._numbers(*key))) if placed else self._numbers(*key)
            found = holes(first, last, there) if first <= last else []
            for skipped in self._said.skipped.get(epoch, ()):
                found = [part for hole in found for part in _without(hole, skipped)]
            self._absent_of[key] = found
        return self._absent_of[key]

    def _log_of(self, epoch: int) -> set[int]:
        """The epochs that are one log with this one, and older; itself among them."""
        found = {epoch}
        while epoch in self._said.follows and self._said.follows[epoch][0] not in found:
            epoch = self._said.follows[epoch][0]
            found.add(epoch)
        return found

    def _dropped(self, epoch: int) -> list[Range]:
        """What this epoch's log says that it dropped: in this epoch, or in one that follows."""
        newer = [one for one in self._said.dropped if epoch in self._log_of(one)]
        return [dropped for one in newer for dropped in self._said.dropped[one]]

    def _absent_cause(self, absent: list[Range], b: Milepost, now_s: int) -> str:
        dropped = [one for epoch in self._log_of(b.epoch) for one in self._dropped(epoch)]
        refused = set().union(*(self._said.refused.get(epoch, ()) for epoch in self._log_of(b.epoch)))
        waiting = [one for one in absent if not _explained(one, dropped, refused)]
        if not waiting:
            full = any(first <= hole[1] and last >= hole[0] for first, last in dropped for hole in absent)
            return LOG_LOST if full else REFUSED
        if now_s - b.received_s <= PROMISE_S:
            return LINK_DOWN
        damaged = any(seq > waiting[0][0] for seq in self._said.damaged.get(b.epoch, ()))
        return LOG_LOST if damaged else UNKNOWN


def _surely_off(a: Milepost | None, b: Milepost, cell_s: int, absent: int) -> bool:
    """Whether not even as many windows as are absent can have reached from `a` to this cell, and `b` began after it."""
    if a is None or a.epoch != b.epoch or b.boot != a.boot + 1:
        return False
    return a.time_s + absent * CELL_S <= cell_s and cell_s + CELL_S <= b.boot_s


def holes(first: int, last: int, there: Iterable[int]) -> list[Range]:
    """What is not there of first..last."""
    found, expected = [], first
    for number in there:
        if number > expected:
            found.append((expected, number - 1))
        expected = number + 1
    if expected <= last:
        found.append((expected, last))
    return found


def _without(hole: Range, skipped: Range) -> list[Range]:
    """What is left of a hole."""
    parts = [(hole[0], min(hole[1], skipped[0] - 1)), (max(hole[0], skipped[1] + 1), hole[1])]
    return [hole] if skipped[0] > skipped[1] else [one for one in parts if one[0] <= one[1]]


def _explained(hole: Range, dropped: Sequence[Range], refused: set[int]) -> bool:
    """Whether each number of the hole was dropped or refused."""
    number = hole[0]
    while number <= hole[1]:
        reach = max((last for first, last in dropped if first <= number <= last), default=None)
        if reach is not None:
            number = reach + 1
        elif number in refused:
            number += 1
        else:
            return False
    return True


def _any_in(ascending: Sequence[int], first: int, last: int) -> bool:
    at = bisect_left(ascending, first)
    return at < len(ascending) and ascending[at] <= last
