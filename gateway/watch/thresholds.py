"""From which power on a linkage's points run, learnt from what they drew. No I/O, no clock.

What drives a plant draws little, or its load: a point's quarters of an hour fall into two groups. They are parted by
Otsu's method (N. Otsu, IEEE Trans. SMC 9 (1979), 62-66) on the logarithm of the power. Where they are no two groups,
nothing is learnt.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from statistics import quantiles
from typing import NamedTuple

SLOTS_MIN = 3 * 96  # days: of less, nobody knows what a plant does
GROUP_MIN = 12  # three hours of each: a single start or outage is no group
SHARE_MIN = 0.02
SEPARATION_MIN = 0.85  # of one hump it is 0.64, of power that is spread evenly 0.75
CONTRAST_MIN = 4.0  # running to standby: less is one machine of several, not production
FLOOR = 0.01  # of a point's greatest load: differences below it are as good as none
TWENTIETHS = 20

TOO_FEW, ALWAYS_ALIKE, NO_TWO_GROUPS, POINTS_DIFFER = "too_few", "always_alike", "no_two_groups", "points_differ"


class Groups(NamedTuple):
    """What a point draws. standby_w, running_w: the most of 19 in 20 quarters of an hour in which it stands, the least
    of 19 in 20 in which it runs; on_w: between them; share: of the time that it runs; slots: that were looked at.
    """

    standby_w: float
    running_w: float
    on_w: float
    share: float
    slots: int


class Learnt(NamedTuple):
    """on_w: what all points of a side can be told by, to two digits; None: why not. Any value above above_w and up to
    to_w would do.
    """

    on_w: int | None
    why: str | None = None
    above_w: float = 0.0
    to_w: float = 0.0


def groups(powers_w: Iterable[float]) -> Groups | str:
    """A point's two groups, of its quarters of an hour; else why there are none."""
    sorted_w = sorted(max(one, 0.0) for one in powers_w)
    if len(sorted_w) < SLOTS_MIN:
        return TOO_FEW
    floor_w = FLOOR * sorted_w[-1]
    if floor_w == 0:
        return ALWAYS_ALIKE
    levels = [math.log1p(one / floor_w) for one in sorted_w]
    split, separation = _parted(levels)
    low_w, high_w = sorted_w[:split], sorted_w[split:]
    if min(len(low_w), len(high_w)) < max(GROUP_MIN, SHARE_MIN * len(sorted_w)):
        return ALWAYS_ALIKE
    standby_w = quantiles(low_w, n=TWENTIETHS, method="inclusive")[-1]  # never outside of what was drawn
    running_w = quantiles(high_w, n=TWENTIETHS, method="inclusive")[0]
    contrast = (_middle(high_w) + floor_w) / (_middle(low_w) + floor_w)
    if separation < SEPARATION_MIN or contrast < CONTRAST_MIN or standby_w >= running_w:
        return NO_TWO_GROUPS
    between = (sum(levels[:split]) / split + sum(levels[split:]) / (len(levels) - split)) / 2
    on_w = min(max(math.expm1(between) * floor_w, standby_w), running_w)
    return Groups(standby_w, running_w, on_w, len(high_w) / len(sorted_w), len(sorted_w))


def learnt(points: Sequence[Groups | str]) -> Learnt:
    """Of one side of a linkage: its points have one threshold."""
    good = [one for one in points if isinstance(one, Groups)]
    if len(good) < len(points):
        return Learnt(None, next(one for one in points if isinstance(one, str)))
    above_w, to_w = max(one.standby_w for one in good), min(one.running_w for one in good)
    on_w = min(_rounded(max(one.on_w for one in good)), int(to_w))
    if on_w <= above_w:
        return Learnt(None, POINTS_DIFFER, above_w, to_w)
    return Learnt(on_w, None, above_w, to_w)


def _parted(levels: Sequence[float]) -> tuple[int, float]:
    """(where the upper group begins, share of all variance that lies between the two) of what is in order."""
    count, total = len(levels), sum(levels)
    mean = total / count
    all_ = sum((one - mean) ** 2 for one in levels)
    best, split = 0.0, 1
    for below, (sum_, level, next_) in enumerate(zip(accumulate(levels), levels, levels[1:], strict=False), 1):
        if level < next_:
            apart = sum_ / below - (total - sum_) / (count - below)
            between = below * (count - below) / count * apart**2
            best, split = max((best, split), (between, below))
    return split, best / all_ if all_ else 0.0


def _middle(sorted_w: Sequence[float]) -> float:
    return sorted_w[len(sorted_w) // 2]


def _rounded(power_w: float) -> int:
    """To two digits: more would claim what nobody can know."""
    return int(round(power_w, 1 - math.floor(math.log10(power_w)))) if power_w >= 1 else 1
