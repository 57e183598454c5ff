"""What a scenario says must be seen at its end, besides the oracle's invariants; and whether it was."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec

from cext.decoder import REASON_NAMES
from gateway.updates import stages
from gateway.verify import CHECKS, severity
from hil.oracle.evidence import Finding, Journal
from hil.oracle.words import FINDINGS
from hil.spans import Day, Duration, LocalTime
from protocol.host.event_names import EVENT_NAMES
from protocol.record import Event

SCENARIO = 0  # a finding's invariant, where it is the scenario's own
SEEN_MAX = 1_000_000
_EVENTS = {name: code for code, (name, _) in EVENT_NAMES.items()}
ALLOWED: Mapping[str, Sequence[str]] = {
    "finding": tuple(FINDINGS),
    "quarantined": (
        *REASON_NAMES[1:],
        "terminal",
        "topic",
        "conflict",
        *(c for c in CHECKS if severity(c) == "refuse"),
    ),
    "event": tuple(_EVENTS),
    "counter": (
        *("frames", "windows", "events", "epochs_back", "frames_accepted", "frames_repeated", "frames_refused"),
        *("records_new", "records_repeated", "records_conflict", "records_refused"),
    ),
    "rollout": (stages.RUNNING, stages.HALTED, stages.DONE, stages.ENDED),
}
OF_EXCUSES = ("at", "lasts", "terminal")  # the keys that belong to a finding alone


class Expectation(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Exactly one of the first five; to be seen at least so often (0: it may be), and at most so often.

    finding: the oracle must object with this code, as what the scenario does makes unavoidable: it then does not count.
    That is an excuse, and every excuse is bounded: by `at_most` (windows or records that it is about), and by the
    stretch from `at` on in which it must lie. terminal: it excuses that one's alone.
    quarantined: frames or records, by the reason. event: of the terminals', by name. counter: of the journal's.
    rollout: of a release, by its state at the end.
    """

    finding: str | None = None
    quarantined: str | None = None
    event: str | None = None
    counter: str | None = None
    rollout: str | None = None
    at_least: Annotated[int, msgspec.Meta(ge=0, le=SEEN_MAX)] = 1
    at_most: Annotated[int, msgspec.Meta(ge=0, le=SEEN_MAX)] | None = None
    at: LocalTime | None = None
    lasts: Duration | None = None
    day: Day = 1
    terminal: str | None = None

    @property
    def what(self) -> tuple[str, str]:
        """(which of the five, its value)."""
        return next((key, value) for key in ALLOWED if (value := getattr(self, key)) is not None)


class Expected(msgspec.Struct, frozen=True):
    """What became of an expectation. at_most: None, where there is no bound."""

    what: str
    at_least: int
    seen: int
    at_most: int | None = None

    @property
    def is_met(self) -> bool:
        """Whether it was seen as often as it should be."""
        return self.at_least <= self.seen <= (self.seen if self.at_most is None else self.at_most)


class Seen(NamedTuple):
    """What there is to see."""

    findings: Sequence[Finding]
    quarantined: Mapping[str, int]  # by reason
    journals: Iterable[Journal]
    counters: Mapping[str, int]
    rollouts: Mapping[str, int] = {}  # by state


SpanOf = Callable[[Expectation], tuple[int, int]]  # (from, to) of an excuse, virtual Unix ms


def problems(expect: Sequence[Expectation], unknown: Callable[[str, list[str]], str]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of what a type can't say; `unknown` makes a text of a name and those there are."""
    for number, one in enumerate(expect):
        at = f"expect[{number}]"
        given = [key for key in ALLOWED if getattr(one, key) is not None]
        if len(given) != 1:
            yield at, f"exactly one of / 只能有一个: {', '.join(ALLOWED)}"
        for key in given:
            if getattr(one, key) not in ALLOWED[key]:
                yield f"{at}.{key}", unknown(getattr(one, key), list(ALLOWED[key]))
        if one.at_most is not None and one.at_most < one.at_least:
            yield f"{at}.at_most", f"not below at_least, {one.at_least} / 不小于 at_least"
        if one.finding is not None:
            for key in ("at_most", "at", "lasts"):
                if getattr(one, key) is None:
                    yield f"{at}.{key}", "missing: an excuse is bounded by number and time / 缺少：例外需限定数量与时间"
        else:
            yield from (
                (f"{at}.{key}", "of a finding alone / 仅用于 finding") for key in OF_EXCUSES if getattr(one, key)
            )


def excused(expect: Iterable[Expectation], findings: Sequence[Finding], span_of: SpanOf) -> list[Finding]:
    """The findings that do not count: of each expectation those within its stretch, unless they are too many."""
    found: list[Finding] = []
    for one in expect:
        if one.finding is not None:
            covered = _covered(one, findings, span_of)
            found += covered if one.at_most is not None and _sum(covered) <= one.at_most else []
    return found


def held_against(expect: Sequence[Expectation], seen: Seen, span_of: SpanOf) -> tuple[list[Expected], list[Finding]]:
    """What became of each, and the findings that are left: the unexpected ones, and one for each that was not met."""
    events = Counter(record.body.code for one in seen.journals for record in one.kept if isinstance(record.body, Event))
    counts: dict[str, Callable[[Expectation, str], int]] = {
        "finding": lambda one, _code: _sum(_covered(one, seen.findings, span_of)),
        "quarantined": lambda _one, reason: seen.quarantined.get(reason, 0),
        "event": lambda _one, name: events[_EVENTS[name]],
        "counter": lambda _one, name: seen.counters.get(name, 0),
        "rollout": lambda _one, state: seen.rollouts.get(state, 0),
    }
    results = [
        Expected(f"{kind} {name}", one.at_least, counts[kind](one, name), one.at_most)
        for one in expect
        for kind, name in (one.what,)
    ]
    unmet = [Finding(SCENARIO, "expectation_unmet", _unmet(one)) for one in results if not one.is_met]
    gone = excused(expect, seen.findings, span_of)
    return results, [finding for finding in seen.findings if finding not in gone] + unmet


def _covered(one: Expectation, findings: Sequence[Finding], span_of: SpanOf) -> list[Finding]:
    """The findings of this code that lie in its stretch; one that says no time lies in none."""
    from_ms, to_ms = span_of(one)
    return [
        finding
        for finding in findings
        if finding.code == one.finding
        and from_ms <= finding.from_ms <= finding.to_ms <= to_ms
        and one.terminal in {None, finding.terminal}
    ]


def _sum(findings: Iterable[Finding]) -> int:
    return sum(finding.count for finding in findings)


def _unmet(one: Expected) -> str:
    if one.seen < one.at_least:
        return f"{one.what}: seen {one.seen} times, at least {one.at_least} expected / 少于预期"
    return f"{one.what}: seen {one.seen} times, at most {one.at_most} expected / 多于预期"
