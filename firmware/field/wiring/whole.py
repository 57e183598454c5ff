"""What can be said where a meter has the total's power only: U times I of all phases beside it."""

from __future__ import annotations

from collections.abc import Iterator

from firmware.field.wiring.facts import Facts, Mistake

FACTOR_OF_TWO = 0.57  # cos 60 degrees, and 5 less: a load of this angle, or one of 120 less with all one phase on
_FACTOR_MIN = 0.42  # one transformer turned round leaves a third of the load's factor; motors have 0.45 at least
_NONE = -0.03  # a load takes power: less is no noise
_TOO_LITTLE = 1 / 1.6  # of what was told


def mistakes(facts: Facts, told_w: float | None) -> Iterator[Mistake]:
    """What is wrong; which transformer it is, such a meter cannot say. told_w: what the technician says runs."""
    apparent = facts.apparent_va
    if facts.power_w is None or not apparent:
        return
    factor = facts.power_w / apparent
    if factor <= -_FACTOR_MIN:
        yield Mistake("all_turned", "abc", (round(factor, 2),))
    elif factor < _NONE or (factor < _FACTOR_MIN and told_w and facts.power_w < _TOO_LITTLE * told_w):
        yield Mistake("some_wrong", "abc", (round(factor, 2),))
    elif factor < FACTOR_OF_TWO:
        yield Mistake("factor_low", state="cannot_tell")
