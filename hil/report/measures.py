"""What a run measures: each with unit and limit, declared here before it is taken; report.json has a record of each.

A limit is for time as it is. Where the bench scales it, waiting for I/O is scaled too, and the limit is so much wider.
One that is missed does not change the oracle's verdict; it is said beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from hil.oracle.evidence import Truth
from hil.report.stories import Story

SETTLED_MS = 3_600_000  # so long after a trouble the backlog may still be in the way of what is live (P-101)
BACK_OFF_S = 20  # real: and so long until who was without an answer for some 15 s tries again


class Measurement(msgspec.Struct, frozen=True):
    """What was measured. value: None where there was nothing to measure."""

    name: str
    unit: str
    at_most: float
    value: float | None

    @property
    def held(self) -> bool:
        """Whether it is within its limit, as far as it was measured."""
        return self.value is None or self.value <= self.at_most


@dataclass(frozen=True)
class Measure:
    """at_most: in the unit. io_s: real seconds of I/O that are in it, which a target that scales time multiplies; None:
    it says nothing where time is scaled, and is not taken there.
    """

    name: str
    unit: str
    english: str
    chinese: str
    at_most: float
    io_s: float | None
    take: Callable[[Truth, Sequence[Story], int], float | None]  # the last: ms until a trouble is over with

    def limit(self, factor: int) -> float:
        """What holds on a target so much faster than life; 0: virtual time, where I/O takes its time of it."""
        return self.at_most + (self.io_s or 0) * (factor if factor > 1 else 0)


def take_all(told: Sequence[tuple[Truth, Sequence[Story]]], factor: int) -> list[Measurement]:
    """All that is declared, the worst of all terminals; `told` has what was true of each, and its stories."""
    found = []
    settled_ms = SETTLED_MS + 1000 * BACK_OFF_S * (factor if factor > 1 else 0)
    for one in DECLARED:
        taken = told if factor <= 1 or one.io_s is not None else []
        values = [value for truth, stories in taken if (value := one.take(truth, stories, settled_ms)) is not None]
        worst = round(max(values), 3) if values else None
        found.append(Measurement(one.name, one.unit, one.limit(factor), worst))
    return found


def late_ms(factor: int) -> int:
    """Later than so long after its end a window is called late."""
    return round(1000 * DECLARED[0].limit(factor))


def _undisturbed(truth: Truth, stories: Sequence[Story], settled_ms: int) -> Iterator[Story]:
    """Windows that ended while all was well, for a while already."""
    starts = [life.from_ms for life in truth.lives[1:]]
    for story in stories:
        near = [
            one
            for one in truth.troubles
            if one.from_ms < story.to_ms + settled_ms and story.to_ms < one.to_ms + settled_ms
        ]
        if not near and not any(0 <= story.to_ms - start_ms < settled_ms for start_ms in starts):
            yield story


def _live_journal(truth: Truth, stories: Sequence[Story], settled_ms: int) -> float | None:
    delays = [story.delay_ms for story in _undisturbed(truth, stories, settled_ms) if story.delay_ms is not None]
    return max(delays) / 1000 if delays else None


def _live_sink(truth: Truth, stories: Sequence[Story], settled_ms: int) -> float | None:
    delays = [
        came_ms - story.to_ms
        for story in _undisturbed(truth, stories, settled_ms)
        for came_ms in story.at_sinks.values()
        if came_ms is not None
    ]
    return max(delays) / 1000 if delays else None


def _catch_up(_truth: Truth, stories: Sequence[Story], _settled_ms: int) -> float | None:
    """How long after a window's last trouble it was in the journal, where it came after that."""
    found = [
        story.journalled_ms - max(one.to_ms for one in ended)
        for story in stories
        if story.journalled_ms is not None
        and (ended := [one for one in story.troubles if story.to_ms <= one.to_ms <= story.journalled_ms])
    ]
    return max(found) / 1000 if found else None


def _jitter(truth: Truth, _stories: Sequence[Story], settled_ms: int) -> float | None:
    """By how much a meter was asked later than the interval says, where nothing was wrong. One that is asked early was
    asked twice in a slot: the clock was set back across its beginning.
    """
    found = [
        max(after.t_ms - before.t_ms - truth.sample_interval_ms, 0)
        for polls in truth.polls.values()
        for before, after in pairwise(polls)
        if not any(one.from_ms < after.t_ms and before.t_ms < one.to_ms + settled_ms for one in truth.troubles)
        and any(
            life.from_ms + truth.sample_interval_ms <= before.t_ms and after.t_ms <= life.to_ms for life in truth.lives
        )
    ]
    return max(found) / 1000 if found else None


DECLARED = (
    Measure(
        "live_journal_s",
        "s",
        "from a window's end to the journal, all well",
        "正常时从窗口结束到入账",
        120,
        2,
        _live_journal,
    ),
    Measure(
        "live_platform_s",
        "s",
        "from a window's end to the platform, all well",
        "正常时从窗口结束到平台",
        180,
        3,
        _live_sink,
    ),
    # half an hour after power and link are back
    Measure(
        "catch_up_s",
        "s",
        "from a trouble's end to the last of its backlog in the journal",
        "故障结束到补传入账",
        1800,
        10,
        _catch_up,
    ),
    Measure(
        "sampling_jitter_s", "s", "between two samples, off the interval, all well", "采样间隔偏差", 2, None, _jitter
    ),
)
