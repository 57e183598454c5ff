"""The linkage rule: what is wrong between production and treatment, as spans of quarters of an hour. No I/O, no clock.

A slot is judged by itself, by how long production has run before it, and by how long it has not. Slots that lie side by
side and are wrong in the same way are one finding. What comes later can change it, the order in which it came can't.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from gateway.watch.enterprises import Linkage, Order
from gateway.watch.finding import Finding
from gateway.watch.slots import SLOT_S, Seen, Slots, State, seen

TREATMENT_OFF = "treatment_off"
STARTED_LATE = "started_late"
STOPPED_EARLY = "stopped_early"
TREATMENT_IDLE = "treatment_idle"
TREATMENT_SILENT = "treatment_silent"
ORDER_BROKEN = "order_broken"
KINDS = (TREATMENT_OFF, STARTED_LATE, STOPPED_EARLY, TREATMENT_IDLE, TREATMENT_SILENT, ORDER_BROKEN)
CONTEXT_SLOTS = 96  # before a span: delays are a day at most


class Standing(NamedTuple):
    """How a linkage stands after the slot before next_s: slots that production has run, or has not, up to then.

    told_to_s: the end of the last finding; 0: none is known.
    """

    next_s: int
    ran: int
    stood: int
    told_to_s: int = 0


class _Judged(NamedTuple):
    start_s: int
    kind: str | None
    seen: Seen


def findings(linkage: Linkage, orders: Sequence[Order], slots: Slots, from_s: int, to_s: int) -> list[Finding]:
    """What is wrong in the slots that begin in [from_s, to_s), in the order of time.

    slots: from CONTEXT_SLOTS before from_s on, as far as there is anything. A span that ends at to_s may go on.
    """
    begin_s = from_s // SLOT_S * SLOT_S
    starts = _measured(linkage, slots, begin_s - CONTEXT_SLOTS * SLOT_S, to_s)
    if not starts:
        return []
    all_seen = [seen(linkage, slots, start_s) for start_s in starts]
    judged = [one for one in _judged(linkage, starts, all_seen) if one.start_s >= begin_s]
    found = [_named(one, starts, all_seen) for one in _spans(judged)]
    found += _spans(one for one in _ordered(linkage, orders, starts, all_seen) if one.start_s >= begin_s)
    return sorted(found, key=lambda one: (one.from_s, one.kind))


def standing(linkage: Linkage, slots: Slots, to_s: int) -> Standing:
    """After the last slot before to_s in which any of the linkage's points was measured."""
    starts = _measured(linkage, slots, 0, to_s)[-CONTEXT_SLOTS - 1 :]
    before = Standing(starts[0] if starts else to_s, 0, CONTEXT_SLOTS + 1)
    for start_s in starts:
        before = stepped(before, seen(linkage, slots, start_s))
    return before


def stepped(before: Standing, one: Seen) -> Standing:
    """After one slot more."""
    is_on = one.production is State.ON
    ran, stood = (before.ran + 1, 0) if is_on else (0, before.stood + 1)
    return Standing(before.next_s + SLOT_S, ran, stood, before.told_to_s)


def is_wrong(linkage: Linkage, orders: Sequence[Order], before: Standing, one: Seen) -> bool:
    """Whether the slot after `before`, which was seen so, is part of a finding."""
    (ordered,) = _ordered(linkage, orders, [before.next_s], [one])
    return ordered.kind is not None or _kind(linkage, one, stepped(before, one)) is not None


def _measured(linkage: Linkage, slots: Slots, from_s: int, to_s: int) -> range:
    """Slots of [from_s, to_s) from the first to the last one in which any of the linkage's points was measured."""
    points = (*linkage.production, *linkage.treatment)
    found = [start_s for point in points for start_s in slots[point] if from_s <= start_s < to_s]
    return range(min(found), max(found) + 1, SLOT_S) if found else range(0)


def _judged(linkage: Linkage, starts: Sequence[int], all_seen: Sequence[Seen]) -> Iterator[_Judged]:
    now = Standing(starts[0], 0, CONTEXT_SLOTS + 1)
    for start_s, one in zip(starts, all_seen, strict=True):
        now = stepped(now, one)
        yield _Judged(start_s, _kind(linkage, one, now), one)


def _kind(linkage: Linkage, one: Seen, now: Standing) -> str | None:
    """What is wrong in a slot, with how the linkage stands after it."""
    ran, stood = now.ran, now.stood
    due = ran > linkage.start_slots or (one.production is State.OFF and stood <= linkage.run_on_slots)
    if not due:
        return None
    if one.treatment is State.OFF:
        return TREATMENT_OFF if ran else STOPPED_EARLY
    if one.treatment is State.IDLE:
        return TREATMENT_IDLE if ran else None
    if one.treatment is State.UNKNOWN:
        return TREATMENT_SILENT if ran else None
    return None


def _ordered(
    linkage: Linkage, orders: Sequence[Order], starts: Sequence[int], all_seen: Sequence[Seen]
) -> Iterator[_Judged]:
    """Slots that lie wholly in an order's time, with more production than it allows."""
    for start_s, one in zip(starts, all_seen, strict=True):
        allowed_w = [
            each.production_max_w for each in orders if each.from_s <= start_s and start_s + SLOT_S <= each.to_s
        ]
        runs = one.production_w >= linkage.production_on_w
        yield _Judged(start_s, ORDER_BROKEN if allowed_w and runs and one.production_w > min(allowed_w) else None, one)


def _spans(judged: Iterable[_Judged]) -> Iterator[Finding]:
    """Neighbours of one kind as one."""
    for kind, group in groupby(judged, key=lambda one: one.kind):
        if kind is None:
            continue
        some = list(group)
        yield Finding(
            kind,
            some[0].start_s,
            some[-1].start_s + SLOT_S,
            {
                "production_w": round(sum(one.seen.production_w for one in some) / len(some)),
                "treatment_w": round(sum(one.seen.treatment_w for one in some) / len(some)),
            },
        )


def _named(one: Finding, starts: Sequence[int], all_seen: Sequence[Seen]) -> Finding:
    """A treatment that was off: from the start of production, to its end, or for all of it?"""
    if one.kind != TREATMENT_OFF:
        return one
    first = (one.from_s - starts[0]) // SLOT_S
    last = (one.to_s - starts[0]) // SLOT_S
    before = _treated(all_seen[i] for i in range(first - 1, -1, -1))
    after = _treated(all_seen[i] for i in range(last, len(all_seen)))
    if after and not before:
        return one._replace(kind=STARTED_LATE)
    stopped = last < len(all_seen) and all_seen[last].production is State.OFF
    return one._replace(kind=STOPPED_EARLY) if before and stopped else one


def _treated(neighbours: Iterable[Seen]) -> bool:
    """Whether treatment ran in the same run of production, on this side."""
    for one in neighbours:
        if one.production is not State.ON:
            return False
        if one.treatment in {State.ON, State.IDLE}:
            return True
    return False
