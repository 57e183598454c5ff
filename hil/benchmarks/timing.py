"""Interleaved measuring: what disturbs one contender disturbs the others, and ratios are taken within a round."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MEASURE_NS = 2_000_000  # a contender runs at least this long in a round: far above the clock's own cost


@dataclass(frozen=True)
class Samples:
    """One value a round."""

    values: list[float]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """The distance between the quartiles."""
        low, _, high = statistics.quantiles(self.values, n=4)
        return high - low

    def over(self, other: "Samples") -> "Samples":
        """Round by round, this over the other."""
        return Samples([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])


def interleave(contenders: Mapping[str, Callable[[], object]], rounds: int, items: int) -> dict[str, Samples]:
    """CPU ns an item of each contender, which handles `items` a call; at least two rounds, each in another order.

    It is the thread's CPU time: what other processes do to a shared machine falls out. The garbage collector is off,
    to the advantage of those who make many objects.
    """
    repeats = {name: _repeats(work) for name, work in contenders.items()}
    values: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in order:
                values[name].append(_cpu_ns(contenders[name], repeats[name]) / items)
            order.append(order.pop(0))
    finally:
        gc.enable()
    return {name: Samples(own) for name, own in values.items()}


def _repeats(work: Callable[[], object]) -> int:
    """How many calls make a measurement; warms up too."""
    repeats = 1
    while (spent := _cpu_ns(work, repeats) * repeats) < MEASURE_NS:
        repeats = max(repeats * 2, min(repeats * 10, int(repeats * MEASURE_NS / max(spent, 1)) + 1))
    return repeats


def _cpu_ns(work: Callable[[], object], repeats: int) -> float:
    start = time.thread_time_ns()
    for _ in range(repeats):
        work()
    return (time.thread_time_ns() - start) / repeats
