"""Points that have each other's meters, production and treatment above all: by what runs, and what it draws. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from firmware.field.bus.points import Planned
from firmware.field.wiring.facts import Facts, Mistake, Told
from firmware.field.wiring.judge import Verdict

_LIKE = 1.6  # measured / told of one point
_APART = 2.6  # between two points, so that neither's reading can be the other's
_OFF_SHARE = 0.05  # of the other's power: what stands still draws no more
# what one alone looks like, and what the exchange explains
_EXPLAINED = {"no_current", "draws_while_off", "ratio_wrong", "ratio_doubtful", "load_low", "not_running"}


class Case(NamedTuple):
    """One point at a moment."""

    planned: Planned
    facts: Facts | None
    told: Told


def exchanged(cases: Sequence[Case]) -> Iterator[tuple[Case, Case]]:
    """Pairs whose readings are each other's, and not their own."""
    for one, two in combinations(cases, 2):
        if not told_apart(one, two) or one.facts is None or two.facts is None:
            continue
        seen_one, seen_two = one.facts.apparent_va, two.facts.apparent_va
        crossed = _is_like(seen_one, two.told, one.told) and _is_like(seen_two, one.told, two.told)
        own = _is_like(seen_one, one.told, two.told) or _is_like(seen_two, two.told, one.told)
        if crossed and not own:
            yield one, two


def told_apart(one: Case, two: Case) -> bool:
    """Whether what was told of them would show an exchange."""
    first, second = _level(one.told), _level(two.told)
    if first is None or second is None:
        return False
    return max(first, second) > 0 and min(first, second) * _APART <= max(first, second)


def with_exchange(cases: Sequence[Case], verdicts: Mapping[int, Verdict]) -> dict[int, Verdict]:
    """The verdicts of single points, with the exchange in place of what it explains."""
    found = dict(verdicts)
    for one, two in exchanged(cases):
        for own, other in ((one, two), (two, one)):
            before = found[own.planned.number]
            if {mistake.code for mistake in before.mistakes if mistake.state != "note"} <= _EXPLAINED:
                names = (own.planned.title, own.planned.kind, other.planned.title, other.planned.kind)
                found[own.planned.number] = Verdict("failed", (Mistake("points_exchanged", "", names),), before.notes)
    return found


def _level(told: Told) -> int | None:
    return told.power_w if told.running else 0


def _is_like(seen_va: float, told: Told, other: Told) -> bool:
    """Whether a reading is what was told, beside what was told of the other."""
    level, beside = _level(told) or 0, _level(other) or 0
    if not level:
        return seen_va < _OFF_SHARE * beside
    return level / _LIKE < seen_va < 2 * _LIKE * level  # VA of W: a power factor of a half
