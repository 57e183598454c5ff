"""What a scenario says must be seen at its end, besides the oracle's invariants; and whether it was."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec

from cext.decoder import REASON_NAMES
from gateway.verify import CHECKS, severity
from hil.oracle.evidence import Finding, Journal
from hil.oracle.words import FINDINGS
from protocol.record import EVENT_NAMES, Event

SCENARIO = 0  # a finding's invariant, where it is the scenario's own
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
}


class Expectation(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Exactly one of the first four; to be seen at least so often (0: it may be).

    finding: the oracle must object with this code, as what the scenario does makes unavoidable: it then does not count.
    quarantined: frames or records, by the reason. event: of the terminals', by name. counter: of the journal's.
    """

    finding: str | None = None
    quarantined: str | None = None
    event: str | None = None
    counter: str | None = None
    at_least: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1

    @property
    def what(self) -> tuple[str, str]:
        """(which of the four, its value)."""
        return next((key, value) for key in ALLOWED if (value := getattr(self, key)) is not None)


class Expected(msgspec.Struct, frozen=True):
    """What became of an expectation."""

    what: str
    at_least: int
    seen: int


class Seen(NamedTuple):
    """What there is to see."""

    findings: Sequence[Finding]
    quarantined: Mapping[str, int]  # by reason
    journals: Iterable[Journal]
    counters: Mapping[str, int]


def problems(expect: Sequence[Expectation], unknown: Callable[[str, list[str]], str]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of what a type can't say; `unknown` makes a text of a name and those there are."""
    for number, one in enumerate(expect):
        given = [key for key in ALLOWED if getattr(one, key) is not None]
        if len(given) != 1:
            yield f"expect[{number}]", f"exactly one of / 只能有一个: {', '.join(ALLOWED)}"
        for key in given:
            if getattr(one, key) not in ALLOWED[key]:
                yield f"expect[{number}].{key}", unknown(getattr(one, key), list(ALLOWED[key]))


def held_against(expect: Sequence[Expectation], seen: Seen) -> tuple[list[Expected], list[Finding]]:
    """What became of each, and the findings that are left: the unexpected ones, and one for each that was not met."""
    events = Counter(record.body.code for one in seen.journals for record in one.kept if isinstance(record.body, Event))
    codes = Counter(finding.code for finding in seen.findings)
    counts: dict[str, Callable[[str], int]] = {
        "finding": lambda code: codes[code],
        "quarantined": lambda reason: seen.quarantined.get(reason, 0),
        "event": lambda name: events[_EVENTS[name]],
        "counter": lambda name: seen.counters.get(name, 0),
    }
    results, unmet = [], []
    for one in expect:
        kind, name = one.what
        result = Expected(f"{kind} {name}", one.at_least, counts[kind](name))
        results.append(result)
        if result.seen < one.at_least:
            text = f"{kind} {name}: seen {result.seen} times, at least {one.at_least} expected / 少于预期"
            unmet.append(Finding(SCENARIO, "expectation_unmet", text))
    excused = {one.finding for one in expect}
    return results, [finding for finding in seen.findings if finding.code not in excused] + unmet
