"""Whether something grows that should not: what was measured now and then, held against bounds."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

WARM_S = 120.0  # of a process: it imports, fills its caches, and takes in what waited
SAMPLES_MIN = 9  # three a third: less says nothing


class Sample(NamedTuple):
    """One look. at_s: real seconds since the soak's start; value: in the unit of what was looked at."""

    at_s: float
    value: float


class Bound(NamedTuple):
    """What may come on top in an hour, and in all whatever the time: noise of who is measured."""

    an_hour: float
    at_least: float


class Grown(NamedTuple):
    """How one thing went. first, last: medians of these thirds. is_bad: None where it is too short to be judged."""

    name: str
    unit: str
    samples: int
    first: float
    last: float
    allowed: float
    is_bad: bool | None


# Python and its allocator give memory back late; the VM's heap is one piece, made at the start.
BOUNDS = {
    "memory_mib": Bound(an_hour=8.0, at_least=6.0),
    "descriptors": Bound(an_hour=2.0, at_least=4.0),  # a connection that is being made anew has two for a moment
    "threads": Bound(an_hour=0.0, at_least=1.0),
    "files": Bound(an_hour=0.0, at_least=4.0),  # a journal's -wal and -shm come and go
    "bytes_a_window": Bound(an_hour=0.0, at_least=64.0),
    "log_mib": Bound(an_hour=0.0, at_least=8.0),  # SQLite takes it in at 1,000 pages of 4 KiB
}


def grown(name: str, unit: str, samples: Sequence[Sample], warm_s: float = WARM_S) -> Grown:
    """How it went from its first sample on, `warm_s` after it at the earliest. unit: a key of BOUNDS."""
    kept = [one for one in samples if one.at_s >= samples[0].at_s + warm_s]
    if len(kept) < SAMPLES_MIN:
        last = samples[-1].value if samples else 0.0
        return Grown(name, unit, len(kept), last, last, 0.0, None)
    third = len(kept) // 3
    thirds = (kept[:third], kept[-third:])
    first, last = (median(one.value for one in part) for part in thirds)
    from_s, to_s = (median(one.at_s for one in part) for part in thirds)
    hours = (to_s - from_s) / 3600
    allowed = max(BOUNDS[unit].at_least, BOUNDS[unit].an_hour * hours)
    return Grown(name, unit, len(kept), first, last, allowed, last - first > allowed)
