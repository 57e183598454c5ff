"""A move of an attacker, and what came of it."""

from collections.abc import Callable
from typing import NamedTuple

from hil.attack.house import House


class Observed(NamedTuple):
    """held: the house withstood, as the threat model says that it does. text: what was seen, in words."""

    held: bool
    text: str


class Move(NamedTuple):
    """goals: rows of docs/threat-model.md. expected: in words. play: plays it; raises BenchError where it can't."""

    attacker: str
    name: str
    goals: str
    expected: str
    play: Callable[[House], Observed]


class Outcome(NamedTuple):
    """What a move came to."""

    attacker: str
    move: str
    goals: str
    expected: str
    observed: str
    held: bool
