"""Transformers that are missing, shorted, or of another ratio than their neighbours: by the currents alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from firmware.field.wiring.facts import PHASES, Facts, Mistake, Told

_MISSING_SHARE = 0.005  # of the others' current: no transformer that is there lets so little through
_SHORTED_SHARE = 0.2  # a shorted secondary keeps a few percent
_UNEVEN = 1.5  # between phases of one machine; a ratio is wrong by a factor of 1.5 or more


def mistakes(facts: Facts, phases: Sequence[int], told: Told) -> Iterator[Mistake]:
    """What is wrong with single transformers."""
    currents = {at: facts.i[at] or 0.0 for at in phases}
    most = max(currents.values(), default=0.0)
    alive = [at for at in phases if currents[at] >= _SHORTED_SHARE * most]
    others = fmean([currents[at] for at in alive]) if most else 0.0
    for at in phases:
        if at not in alive:
            share = currents[at] / others
            state = "failed" if told.even else "cannot_tell"
            code = "ct_missing" if share < _MISSING_SHARE else "ct_shorted"
            yield Mistake(code, PHASES[at], (round(100 * share, 1),), state)
    if told.even and len(alive) == 3:
        yield from _uneven(currents)


def carrying(facts: Facts, phases: Sequence[int]) -> list[int]:
    """The phases with enough current to tell an angle."""
    most = max((facts.i[at] or 0.0 for at in phases), default=0.0)
    return [at for at in phases if most and (facts.i[at] or 0.0) >= _SHORTED_SHARE * most]


def _uneven(currents: dict[int, float]) -> Iterator[Mistake]:
    """One transformer of another ratio: its current stands apart from two that are alike."""
    for at, current in currents.items():
        first, second = (other for where, other in currents.items() if where != at)
        alike = max(first, second) / min(first, second)
        apart = current / fmean((first, second))
        if alike < _UNEVEN and max(apart, 1 / apart) > _UNEVEN:
            yield Mistake("ct_other_ratio", PHASES[at], (round(apart, 2),))
