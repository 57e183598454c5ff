"""Which terminals get an update, and when: canaries first, then the rest in waves."""

from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from gateway.watch.enterprises import Enterprise


class Placed(NamedTuple):
    """A terminal and its stage: 0 are the canaries."""

    terminal: str
    stage: int


def terminals_of(enterprises: Iterable[Enterprise]) -> list[str]:
    """The terminals whose points these enterprises are watched by."""
    return sorted({point.terminal for one in enterprises for point in one.points})


def staged(names: Collection[str], heard: Collection[str], percents: Sequence[int], salt: str) -> list[Placed]:
    """The terminals by stage; stage i ends at percents[i] of them, of which there is one at least.

    Who was heard lately goes first: a canary that is away says nothing. Beyond that chance decides, by the salt, so
    that not the same ones are canaries each time.
    """
    order = sorted(names, key=lambda name: (name not in heard, sha256(f"{salt} {name}".encode()).digest()))
    found: list[Placed] = []
    for stage, percent in enumerate(percents):
        end = max(1, -(-len(order) * percent // 100))
        found += [Placed(name, stage) for name in order[len(found) : end]]
    return found
