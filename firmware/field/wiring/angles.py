"""Which phase and which direction each current transformer is on, from the angle between each phase's U and I.

Of a load with angle phi, an element with the voltage of phase v and its transformer on phase m shows phi + 120 (m - v)
degrees, and 180 more if the transformer is turned round. All 27 ways to place three transformers, times 8 directions,
and all ways to exchange two voltage leads, are compared with what was measured. Each has an *unlikeliness*: of the
mistake itself (one is likelier than two), of the differences between the phases' load angles that it asks for, of the
load's angle, and of the power that it would mean beside the one that was told. What is nearly as likely as the best
stays open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

from firmware.field.wiring.facts import PHASES, Facts

# unlikeliness: natural logarithms; a mistake that happens on one board in twenty has 3
_ONE_TURNED, _ALL_TURNED = 3.0, 3.5
_EXCHANGED, _ROTATED = 3.5, 4.5
_LEADS_EXCHANGED, _LEADS_EXCHANGED_AND_SAID_SO = 4.0, 2.0  # where the meter says that the order is reversed
_SAME_CONDUCTOR = 3.5  # two transformers around it; and then they show the same current, within
_SAME_CURRENT = 0.03
_SPREAD_DEG = 12.0  # phases of one load differ by so much
_LAG_MAX_DEG, _LAG_SPREAD_DEG = 63.0, 6.0  # motors at no load have a power factor of 0.45
_LEAD_MAX_DEG, _LEAD_SPREAD_DEG = 0.0, 8.0  # no machine leads, but for capacitors
_LOAD_MOST = 5.0  # whatever the load's angle: equipment may be odd, and is not miswired for that
_POWER_SPREAD = 0.25  # "roughly": the logarithm of measured / told
_POWER_MOST = 6.0
_ANGLE_MAX_DEG = 89.0  # a load that takes power
_SURE = 1.5  # by so much the next one must be less likely: 1 in 4 or 5
_SURE_WITHOUT_SIGN = 4.0  # where each angle can be two: 1 in 50
_FITS = 8.0  # the most that phases of one load may be unlike each other


Turns = tuple[bool, bool, bool]


class Placing(NamedTuple):
    """Of each element: the phase of its transformer (0 to 2), whether that is turned, the phase of its voltage."""

    places: tuple[int, int, int]
    turned: Turns
    volts: tuple[int, int, int] = (0, 1, 2)

    def shift_deg(self, element: int) -> float:
        """What it adds to the load's angle."""
        return 120.0 * (self.places[element] - self.volts[element]) + (180.0 if self.turned[element] else 0.0)


class Ranked(NamedTuple):
    """A placing with how unlikely it is, and how much of that is that it does not fit the angles."""

    unlikeliness: float
    placing: Placing
    misfit: float
    power_w: float  # of the phases looked at, once it is wired right


WELL = Placing((0, 1, 2), (False, False, False))


def likely(facts: Facts, phases: Sequence[int], told_w: float | None) -> list[Ranked]:
    """The placings that these phases' angles allow, the likeliest first, each with a remedy of its own; none may fit.

    One alone: that is how it is wired. told_w: the power of these phases.
    """
    ranked = sorted(_ranked(facts, phases, told_w))
    if not ranked or ranked[0].misfit > _FITS:
        return []
    sure = _SURE if all(facts.q[at] is not None for at in phases) else _SURE_WITHOUT_SIGN
    return [one for one in ranked if one.unlikeliness - ranked[0].unlikeliness < sure]


def _remedy(placing: Placing, phases: Sequence[int]) -> tuple[tuple[int, bool, int], ...]:
    return tuple((placing.places[at], placing.turned[at], placing.volts[at]) for at in phases)


def _ranked(facts: Facts, phases: Sequence[int], told_w: float | None) -> Iterator[Ranked]:
    """Of each placing the likeliest way to read the angles."""
    measured = list(product(*(_angles_deg(facts, at) for at in phases)))
    sizes = [facts.va(at) for at in phases]
    seen = set()
    for placing, mistake in _placings():
        remedy = _remedy(placing, phases)
        if remedy in seen or not _is_possible(facts, placing, phases):  # phases without current are anywhere
            continue
        seen.add(remedy)
        shifts = [placing.shift_deg(at) for at in phases]
        unlikeliness, misfit, power_w = min(_judged(angles, shifts, sizes, told_w) for angles in measured)
        if facts.sequence and placing.volts != WELL.volts:
            mistake += _LEADS_EXCHANGED_AND_SAID_SO - _LEADS_EXCHANGED  # noqa: PLW2901  it is this placing's
        if math.isfinite(unlikeliness):
            yield Ranked(mistake + unlikeliness, placing, misfit, power_w)


def _is_possible(facts: Facts, placing: Placing, phases: Sequence[int]) -> bool:
    """Whether the meter's word on the voltages allows it, and transformers around one conductor show one current."""
    if facts.sequence is False and placing.volts != WELL.volts:
        return False
    if len(facts.measured) == 1 and placing.shift_deg(phases[0]) % 180.0:  # there is no other conductor
        return False
    for first, second in combinations(phases, 2):
        if placing.places[first] == placing.places[second]:
            one, two = facts.i[first] or 0.0, facts.i[second] or 0.0
            if abs(one - two) > _SAME_CURRENT * max(one, two):
                return False
    return True


def _judged(
    angles: Sequence[float], shifts: Sequence[float], sizes: Sequence[float], told_w: float | None
) -> tuple[float, float, float]:
    """(unlikeliness, misfit, power) of angles, if that is how the transformers sit."""
    loads = [_within(angle - shift) for angle, shift in zip(angles, shifts, strict=True)]
    mean = math.degrees(math.atan2(sum(_sin(one) for one in loads), sum(_cos(one) for one in loads)))
    if abs(mean) > _ANGLE_MAX_DEG:
        return math.inf, math.inf, 0.0
    misfit = sum((_within(one - mean) / _SPREAD_DEG) ** 2 / 2 for one in loads)
    power_w = sum(size * _cos(one) for size, one in zip(sizes, loads, strict=True))
    return misfit + _of_load(mean) + _of_power(power_w, told_w), misfit, power_w


def _of_load(angle_deg: float) -> float:
    over = max(0.0, (angle_deg - _LAG_MAX_DEG) / _LAG_SPREAD_DEG, (_LEAD_MAX_DEG - angle_deg) / _LEAD_SPREAD_DEG)
    return min(over**2 / 2, _LOAD_MOST)


def _of_power(power_w: float, told_w: float | None) -> float:
    if not told_w:
        return 0.0
    if power_w <= 0:
        return _POWER_MOST
    return float(min((math.log(power_w / told_w) / _POWER_SPREAD) ** 2 / 2, _POWER_MOST))


def _angles_deg(facts: Facts, phase: int) -> list[float]:
    """By which its current lags its voltage, as the meter sees it; two where it has no reactive power of a phase."""
    p, q = facts.p[phase] or 0.0, facts.q[phase]
    if q is not None:
        return [math.degrees(math.atan2(q, p))]
    angle = math.degrees(math.acos(max(-1.0, min(1.0, p / facts.va(phase)))))
    return [angle, -angle]


@lru_cache(1)
def _placings() -> list[tuple[Placing, float]]:
    """All ways to connect a meter, and how unlikely each is, the likeliest first."""
    found = []
    turns: list[Turns] = [(one, two, three) for one, two, three in product((False, True), repeat=3)]
    for first, second, third in product(range(3), repeat=3):
        for turned in turns:
            placing = Placing((first, second, third), turned)
            found.append((placing, _of_places(placing.places) + _of_turns(turned)))
    for volts in ((1, 0, 2), (0, 2, 1), (2, 1, 0)):
        found += [(Placing((0, 1, 2), turned, volts), _LEADS_EXCHANGED + _of_turns(turned)) for turned in turns]
    return sorted(found, key=lambda one: one[1])


def _of_places(places: tuple[int, int, int]) -> float:
    moved = [at for at in range(3) if places[at] != at]
    if not moved:
        return 0.0
    if sorted(places) != [0, 1, 2]:
        return _SAME_CONDUCTOR * len(moved)
    return _EXCHANGED if len(moved) == 2 else _ROTATED


def _of_turns(turned: Turns) -> float:
    return min(_ONE_TURNED * sum(turned), 2 * _ONE_TURNED) if sum(turned) < 3 else _ALL_TURNED


def letters(phases: Sequence[int]) -> str:
    """`ac` of (0, 2)."""
    return "".join(PHASES[at] for at in phases)


def _within(angle_deg: float) -> float:
    """-180 to 180."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def _sin(angle_deg: float) -> float:
    return math.sin(math.radians(angle_deg))


def _cos(angle_deg: float) -> float:
    return math.cos(math.radians(angle_deg))
