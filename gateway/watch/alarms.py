"""From findings to alarms: which one goes on, which is new, which was none. No I/O.

Findings are of a span; late windows change those of a span that was looked at before. An alarm is one subject's (a
linkage, a point, a terminal), of one family of findings, and lasts as long as findings meet or touch, and nobody has
closed it. The same journal gives the same alarms, in whatever steps it was looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.watch import honesty, linkage, service
from gateway.watch.finding import Finding

OPEN, ACKNOWLEDGED, DISPATCHED, ANSWERED, CLOSED, WITHDRAWN = STATES = (
    "open",
    "acknowledged",
    "dispatched",
    "answered",
    "closed",
    "withdrawn",
)
# What a person may do next. A notice (督办单) is dispatched, the enterprise answers, somebody closes it.
STEPS: Mapping[str, tuple[str, ...]] = {
    OPEN: (ACKNOWLEDGED, DISPATCHED, CLOSED),
    ACKNOWLEDGED: (DISPATCHED, CLOSED),
    DISPATCHED: (ANSWERED, CLOSED),
    ANSWERED: (DISPATCHED, CLOSED),
    CLOSED: (),
    WITHDRAWN: (),
}
# A treatment that is off may turn out to have started late, or stopped early, or to idle: it is one alarm.
FAMILIES: Mapping[str, str] = {
    linkage.TREATMENT_OFF: "treatment",
    linkage.STARTED_LATE: "treatment",
    linkage.STOPPED_EARLY: "treatment",
    linkage.TREATMENT_IDLE: "treatment",
    linkage.TREATMENT_SILENT: "silence",
    linkage.ORDER_BROKEN: "order",
    **dict.fromkeys((service.SILENT, service.POWER_LOST, service.LINK_LOST), "silent"),
    **dict.fromkeys((service.CERTIFICATE_ENDING, service.CERTIFICATE_ENDED), "certificate"),
    **{kind: kind for kind in honesty.KINDS},  # what may be there at once is an alarm each
    **{kind: kind for kind in service.BY_THEMSELVES},
}


class Alarm(NamedTuple):
    """An alarm of one subject and family. id: 0 where it is new. facts: as Finding has them."""

    id: int
    kind: str
    from_s: int
    to_s: int
    facts: Mapping[str, int]


def settled(
    before: Sequence[Alarm], closed: Sequence[Alarm], found: Iterable[Finding], from_s: int, to_s: int
) -> tuple[list[Alarm], list[int]]:
    """(alarms after a look at [from_s, to_s), ids of those that are none any more), of one subject and family.

    before, closed: those that meet or touch the span, by time. What lies outside the span stays, and is joined with
    what touches it. Of alarms that become one the first keeps its id; so does the first part of one that falls apart.
    What somebody closed stays as it is, and what goes on after it is another alarm.
    """
    pieces = [piece for one in before for piece in _outside(one, from_s, to_s)]
    fresh = [Alarm(0, *one) for one in found]
    for each in closed:
        fresh = [piece for one in fresh for piece in _outside(one, each.from_s, each.to_s)]
    pieces += fresh
    joined: list[Alarm] = []
    for piece in sorted(pieces, key=lambda one: one.from_s):
        if joined and piece.from_s <= joined[-1].to_s:
            joined[-1] = _joined(joined[-1], piece)
        else:
            joined.append(piece)
    named = _named(joined, before)
    kept = {one.id for one in named}
    return named, [one.id for one in before if one.id not in kept]


def _outside(one: Alarm, from_s: int, to_s: int) -> list[Alarm]:
    """What of an alarm the span does not cover."""
    parts = [one._replace(to_s=min(one.to_s, from_s)), one._replace(from_s=max(one.from_s, to_s))]
    return [part for part in parts if part.from_s < part.to_s]


def _joined(one: Alarm, other: Alarm) -> Alarm:
    """Neighbours as one. What was found last says what it is."""
    return Alarm(
        one.id or other.id,
        other.kind if other.id == 0 else one.kind,
        one.from_s,
        max(one.to_s, other.to_s),
        {name: _fact(name, one, other) for name in sorted(one.facts.keys() | other.facts.keys())},
    )


def _fact(name: str, one: Alarm, other: Alarm) -> int:
    """Of neighbours as one: powers are means of the time, of all else the first counts."""
    first = one.facts.get(name, other.facts.get(name, 0))
    if not name.endswith("_w"):
        return first
    lasted_s, more_s = one.to_s - one.from_s, other.to_s - other.from_s
    return (first * lasted_s + other.facts.get(name, first) * more_s) // (lasted_s + more_s)


def _named(joined: list[Alarm], before: Sequence[Alarm]) -> list[Alarm]:
    """Each with the id of the first alarm that it goes on with, no id twice."""
    left = sorted(before, key=lambda one: one.from_s)
    named = []
    for one in joined:
        same = next((old for old in left if old.from_s <= one.to_s and one.from_s <= old.to_s), None)
        if same is not None:
            left.remove(same)
        named.append(one._replace(id=same.id if same is not None else 0))
    return named
