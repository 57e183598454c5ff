"""The linkage rule over factories in which treatment, its meter or an order's time is known to be wrong in drawn spans.

A span is found if a finding of its kinds meets it; the delay counts from its first window that the rule has to judge,
by production that ran long enough. Spans with fewer than two such windows need not be found. What meets none is false.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from gateway.watch import linkage
from gateway.watch.enterprises import Linkage, Order, PointId
from gateway.watch.finding import Finding
from gateway.watch.slots import SLOT_S, Slot, State, seen
from hil.load import Load, Shifts, Treatment
from hil.watched.meters import BEGIN_S, ZONE_S
from hil.watched.score import Score

SAMPLE_S = 60
LINE, CLEANER = PointId("T1", 1), PointId("T1", 2)
DELAY_SLOTS = 1  # that treatment may take to start
GOAL_WINDOWS = 2
DAY_S = 86_400
Spans = Sequence[tuple[int, int]]
Slots = dict[PointId, dict[int, Slot]]

OFF, IDLE, UNREAD, ORDERED = (
    "treatment stands still",
    "treatment idles",
    "treatment's meter is silent",
    "an order to stop",
)
KINDS: Mapping[str, frozenset[str]] = {
    OFF: frozenset({linkage.TREATMENT_OFF, linkage.STARTED_LATE, linkage.STOPPED_EARLY}),
    IDLE: frozenset({linkage.TREATMENT_IDLE}),
    UNREAD: frozenset({linkage.TREATMENT_SILENT}),
    ORDERED: frozenset({linkage.ORDER_BROKEN}),
}


class Factory(NamedTuple):
    """A line and what cleans it; watched: what it was drawn to be wrong, and when."""

    name: str
    deed: str
    watched: Linkage
    orders: Sequence[Order]
    slots: Slots
    wrong: Spans


def scores(factories: int, days: int, seed: str) -> list[Score]:
    """So many factories, each wrong in one way."""
    found = {
        deed: Score("linkage", deed, "synthetic", goal=GOAL_WINDOWS, false=[], least_recall=0.99) for deed in KINDS
    }
    for number in range(factories):
        deed = list(KINDS)[number % len(KINDS)]
        _judge(_factory(random.Random(f"{seed}:{number}"), f"factory {number}", deed, days), days, found[deed])
    return list(found.values())


def _judge(one: Factory, days: int, score: Score) -> None:
    told = linkage.findings(one.watched, one.orders, one.slots, BEGIN_S, BEGIN_S + DAY_S * days)
    for from_s, to_s in one.wrong:
        first_s = -(-from_s // SLOT_S) * SLOT_S
        judged = [at_s for at_s in range(first_s, to_s - SLOT_S + 1, SLOT_S) if _is_due(one, at_s)]
        if len(judged) < GOAL_WINDOWS:
            continue
        hit = next((each for each in told if each.kind in KINDS[one.deed] and _meets(each, (from_s, to_s))), None)
        delay = 0 if hit is None else max(0, hit.from_s - judged[0]) // SLOT_S + 1
        score.told(hit is not None, delay, f"{one.name}, {from_s} to {to_s}")
    # what is left of a span that ends within a window is the next one's
    near = [(from_s - SLOT_S, to_s + SLOT_S) for from_s, to_s in one.wrong]
    false = [each for each in told if not any(_meets(each, span) for span in near)]
    score.watched_days += days
    score.false = [*(score.false or []), *(f"{one.name}: {each}" for each in false)]


def _meets(one: Finding, span: tuple[int, int]) -> bool:
    return one.from_s < span[1] and one.to_s > span[0]


def _is_due(one: Factory, at_s: int) -> bool:
    """Whether production has run longer than treatment may take to start; an order does not wait."""
    slots = range(at_s, at_s - (0 if one.deed == ORDERED else DELAY_SLOTS) * SLOT_S - 1, -SLOT_S)
    return all(seen(one.watched, one.slots, each).production is State.ON for each in slots)


def _factory(rnd: random.Random, name: str, deed: str, days: int) -> Factory:
    rated_w, cleaner_w = rnd.randint(50_000, 500_000), rnd.randint(5_000, 80_000)
    line = Shifts(rated_w, rnd.choice([2, 3]), ZONE_S, rnd.getrandbits(30))
    wrong = _drawn(rnd, days)
    off = [(1000 * from_s, 1000 * to_s) for from_s, to_s in wrong] if deed == OFF else []
    cleaner = Treatment(cleaner_w, line, rated_w, off, rnd.getrandbits(30))
    on_w, idle_w = cleaner_w // 10, cleaner_w // 5
    slots = {LINE: _slots(line, days), CLEANER: _slots(cleaner, days)}
    for at_s in [at_s for at_s in slots[CLEANER] if any(a <= at_s and at_s + SLOT_S <= b for a, b in wrong)]:
        if deed == IDLE:
            slots[CLEANER][at_s] = Slot(SLOT_S, rnd.uniform(on_w, idle_w - 1), None)
        elif deed == UNREAD:
            del slots[CLEANER][at_s]
    orders = [Order(from_s, to_s, 0) for from_s, to_s in wrong] if deed == ORDERED else []
    watched = Linkage("", (LINE,), (CLEANER,), rated_w // 10, on_w, idle_w, True, DELAY_SLOTS, 0)  # noqa: FBT003
    return Factory(name, deed, watched, orders, slots, wrong)


def _drawn(rnd: random.Random, days: int) -> Spans:
    """Spans of 20 minutes to 6 hours, once in four days, two hours apart at least."""
    starts = sorted(BEGIN_S + rnd.randrange(DAY_S * days) for _ in range(max(1, days // 4)))
    spans = [(from_s, from_s + rnd.randint(20, 360) * 60) for from_s in starts]
    return [other for one, other in pairwise([(0, 0), *spans]) if other[0] >= one[1] + 7200]


def _slots(load: Load, days: int) -> dict[int, Slot]:
    found = {}
    for start_s in range(BEGIN_S, BEGIN_S + DAY_S * days, SLOT_S):
        powers_mw = [load.at(1000 * at_s)[0] for at_s in range(start_s, start_s + SLOT_S, SAMPLE_S)]
        found[start_s] = Slot(SLOT_S, sum(powers_mw) / len(powers_mw) / 1000, None)
    return found
