"""The wiring check as `commission` and the command run it: asks for a moment of load, judges, again until all pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from firmware.field.bus import snapshot
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Reach
from firmware.field.outcome import Finding, Outcome, State
from firmware.field.wiring import exchange, facts, judge, words
from firmware.field.wiring.facts import Mistake, Told
from firmware.field.wiring.judge import Verdict

MOMENTS = 3  # a machine's start or a bad reading is one of them; the middle one counts
_EVERY_S = 1.0


@dataclass
class Standing:
    """Where a point's check is: its last verdict, None before the first, and the readings it was judged by."""

    planned: Planned
    verdict: Verdict | None = None
    moments: list[snapshot.Snapshot] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """A point that passed once stays so."""
        return self.verdict is not None and self.verdict.state == "passed"


Ask = Callable[[Sequence[Standing]], Mapping[int, Told] | None]


def run_check(reach: Reach, planned: Sequence[Planned], ask: Ask, *, every_s: float = _EVERY_S) -> Outcome:
    """Check the wiring of these points, in rounds: `ask` says what runs, by point's number; None ends it.

    Passed: every point passed in some round, and no production may be a treatment's meter. Raises ReachError.
    """
    standings = [Standing(one) for one in planned]
    apart: set[tuple[int, int]] = set()
    while not all(one.passed for one in standings) or _not_told_apart(planned, apart):
        told = ask(standings)
        if told is None:
            break
        apart |= _round(reach, [one for one in standings if one.planned.number in told], told, every_s)
    return _outcome(standings, _not_told_apart(planned, apart))


def _round(
    reach: Reach, standings: Sequence[Standing], told: Mapping[int, Told], every_s: float
) -> set[tuple[int, int]]:
    """Read and judge these points; the pairs that this round tells apart."""
    taken: dict[int, list[snapshot.Snapshot]] = {one.planned.number: [] for one in standings}
    for moment in range(MOMENTS):
        if moment:
            time.sleep(every_s)
        for one in standings:
            taken[one.planned.number].append(snapshot.take(reach, one.planned))
    cases = [
        exchange.Case(one.planned, facts.facts(one.planned, taken[one.planned.number]), told[one.planned.number])
        for one in standings
    ]
    verdicts = exchange.with_exchange(cases, {one.planned.number: judge.judge(*one) for one in cases})
    for one in standings:
        verdict = verdicts[one.planned.number]
        if not one.passed or verdict.state == "failed":
            one.verdict, one.moments = verdict, taken[one.planned.number]
    return {
        (one.planned.number, two.planned.number)
        for one, two in combinations(cases, 2)
        if exchange.told_apart(one, two) and one.facts is not None and two.facts is not None
    }


def _not_told_apart(planned: Sequence[Planned], apart: set[tuple[int, int]]) -> list[tuple[Planned, Planned]]:
    """Production and treatment that no round has told apart."""
    return [
        (one, two)
        for one, two in combinations(planned, 2)
        if {one.kind, two.kind} == {"production", "treatment"} and (one.number, two.number) not in apart
    ]


def _outcome(standings: Sequence[Standing], unknown: Sequence[tuple[Planned, Planned]]) -> Outcome:
    findings: list[Finding] = []
    for one in standings:
        found = one.verdict or Verdict("cannot_tell", (Mistake("not_running", state="cannot_tell"),))
        findings += [words.finding(mistake, one.planned.title) for mistake in (*found.mistakes, *found.notes)]
    for first, second in unknown:
        mistake = Mistake("not_told_apart", "", (first.title, second.title), "cannot_tell")
        findings.append(words.finding(mistake, first.title))
    states = {"cannot_tell" if one.verdict is None else one.verdict.state for one in standings}
    state: State = "failed" if "failed" in states else "cannot_tell" if "cannot_tell" in states or unknown else "passed"
    return Outcome("check-wiring", state, tuple(findings), {"points": [_as_json(one) for one in standings]})


def _as_json(one: Standing) -> dict[str, Any]:
    """What the record keeps: the verdict, and the readings as a baseline."""
    verdict = one.verdict
    return {
        "point": one.planned.number,
        "state": "cannot_tell" if verdict is None else verdict.state,
        "mistakes": [] if verdict is None else [mistake._asdict() for mistake in verdict.mistakes],
        "notes": [] if verdict is None else [mistake.code for mistake in verdict.notes],
        "moments": [moment.as_json() for moment in one.moments],
    }
