"""The smallest heap in which the whole terminal works: found by halving with short lives, then lived in for days."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hil.heap.trial import Outcome, live
from hil.process import BenchError

STEP_KIB = 4
LEAST_KIB, MOST_KIB = 64, 512  # an idle VM with asyncio; twice what is in use
SHORT_HOURS = 2  # the start, the whole backlog, eight windows
RAISES_MAX = 8  # what only days bring out costs a few steps, or is a leak

Live = Callable[[int, int], Outcome]  # (KiB, hours)
Tell = Callable[[str], None]


class Found(NamedTuple):
    """The smallest heap, the long life in it, and what went wrong in the next smaller one."""

    kib: int
    outcome: Outcome
    below: str


def in_folder(folder: Path) -> Live:
    """Lives in a folder made anew for each."""

    def one(heap_kib: int, hours: int) -> Outcome:
        place = folder / f"{heap_kib}k"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return live(place.resolve(), heap_kib, hours)

    return one


def smallest(hours: int, live_in: Live, tell: Tell) -> Found:
    """Raises BenchError if there is none."""
    bad, good, below = LEAST_KIB, MOST_KIB, f"{LEAST_KIB} KiB was not tried"
    while good - bad > STEP_KIB:
        middle = (bad + good) // 2 // STEP_KIB * STEP_KIB
        fault = live_in(middle, SHORT_HOURS).fault
        tell(f"{middle} KiB, {SHORT_HOURS} h: {fault or 'works / 可用'}")
        if fault:
            bad, below = middle, fault
        else:
            good = middle
    for kib in range(good, good + RAISES_MAX * STEP_KIB, STEP_KIB):
        outcome = live_in(kib, hours)
        tell(f"{kib} KiB, {hours} h: {outcome.fault or 'works / 可用'}")
        if not outcome.fault:
            return Found(kib, outcome, below)
        below = outcome.fault
    raise BenchError(f"no heap up to {good + RAISES_MAX * STEP_KIB} KiB lasts {hours} h / 内存不足: {below}")
