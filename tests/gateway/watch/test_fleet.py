"""Several terminals and enterprises over a real journal: whatever comes in whatever order, the screen hides nothing."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Point, Registry
from gateway.watch.alarms import WITHDRAWN
from gateway.watch.enterprises import Enterprise, Linkage, Order, PointId
from gateway.watch.rules import Rules
from gateway.watch.screen import SETTLE_S
from gateway.watch.slots import DAY_S, SLOT_S
from gateway.watch.store import FILE, Store
from gateway.watch.watcher import Watched, Watcher
from protocol import record
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, event, reading, terminal_of, window

COUNT = 40
FROM_S = NOW_S - COUNT * SLOT_S
POINTS = {
    "T0001": {1: "production", 2: "treatment", 3: "other"},
    "T0002": {1: "production", 2: "treatment"},
    "T0003": {1: "treatment"},
}
RATED_W = {"production": 10_000, "treatment": 2000, "other": None}
SENDERS = {name: Sender(name) for name in POINTS}
EVENTS: list[tuple[int, list[int], int | None]] = [
    *((record.BOOT, [reason, 1000], None) for reason in (1, 2)),
    (record.MAINS_LOST, [], None),
    (record.MAINS_BACK, [100], None),
    (record.CLOCK_SET, [-400], None),
    (record.HEALTH, [0, 0, 3000, 0], None),
    (record.LOG_FULL, [1, 4], None),
    (record.LOW_VOLTAGE, [3000], None),
    (record.METER_SWAPPED, [], 1),
    (record.METER_SWAPPED, [7, 8], 1),
    (record.RATIO_CHANGED, [40, 20, 1, 1], 1),
    *((record.METER_LEARNT, [serial, ct, 0], 1) for serial, ct in ((7, 40), (8, 20), (9, 0))),
]


class Item(NamedTuple):
    """A record. at_s: when it is made, by the terminal's clock. epoch: of its log; a copy has another one."""

    terminal: str
    at_s: int
    encoded: Callable[[int], bytes]
    epoch: int = 7


def known_points(name: str) -> dict[int, Point]:
    return {
        number: Point(number=number, name=kind, kind=kind, rated_power_w=RATED_W[kind])  # type: ignore[arg-type]
        for number, kind in POINTS.get(name, {}).items()
    }


def enterprises(rnd: random.Random) -> list[Enterprise]:
    """Two that share terminals and points, delays, lines in reserve, and an order that begins in mid-run."""

    def linkage(name: str, production: list[PointId], treatment: list[PointId], *, needs_all: bool) -> Linkage:
        idle_w, start, run_on = rnd.choice([300, 700]), rnd.choice([0, 1, 3]), rnd.choice([0, 0, 3])
        return Linkage(name, tuple(production), tuple(treatment), 1000, 300, idle_w, needs_all, start, run_on)

    furnace, cleaner = PointId("T0001", 1), PointId("T0001", 2)
    mill, lines = PointId("T0002", 1), [PointId("T0002", 2), PointId("T0003", 1)]
    begin_s = FROM_S + rnd.randrange(COUNT) * SLOT_S + rnd.choice([0, 300])
    order = Order(begin_s, begin_s + rnd.randrange(1, 20) * SLOT_S, rnd.choice([0, 3000]))
    first = (
        linkage("one", [furnace], [cleaner], needs_all=True),
        linkage("two", [furnace, mill], lines, needs_all=rnd.random() < 0.5),
    )
    second = (linkage("one", [mill], [cleaner], needs_all=True),)
    return [Enterprise("E1", "E1", first, (order,)), Enterprise("E2", "E2", second, ())]


def items(rnd: random.Random, name: str) -> Iterator[Item]:
    """What a terminal records: runs that are frozen, energy that flows backwards, halves of windows, gaps, events."""
    runs, frozen, reversed_, export_wh = dict.fromkeys(POINTS[name], True), 0, 0, 0
    power_w = dict.fromkeys(POINTS[name], 0)
    for number in range(COUNT):
        start_s = FROM_S + SLOT_S * number
        runs = {point: on != (rnd.random() < 0.08) for point, on in runs.items()}
        frozen = frozen - 1 if frozen else rnd.choice([0] * 20 + [4, 5, 6])
        reversed_ = reversed_ - 1 if reversed_ else rnd.choice([0] * 20 + [1, 2, 3])
        export_wh += 50 if reversed_ else 0
        if not frozen:
            power_w = {one: rnd.randrange(350, 2000) * (5 if one == 1 else 1) if runs[one] else 9 for one in power_w}
        for begin_s, length_s in [(0, 900)] if rnd.random() < 0.9 else [(0, 300), (600, 300)]:
            if rnd.random() < 0.95:
                values = {"length_s": length_s, "clock_error_s": rnd.choice([1] * 20 + [100])}
                shown = [shown_as(rnd, one, length_s, export_wh, number) for one in power_w.values()]
                yield window_item(name, start_s + begin_s, shown, values)
        if rnd.random() < 0.1:
            yield event_item(name, start_s + rnd.randrange(SLOT_S), rnd.choice(EVENTS))


def shown_as(rnd: random.Random, power_w: int, length_s: int, export_wh: int, number: int) -> record.Reading:
    shown_w = None if rnd.random() < 0.03 else power_w
    values = dict.fromkeys(("p_mean_w", "p_min_w", "p_max_w", "ia_ma", "ib_ma"), shown_w)
    values |= {"ua_dv": 2300, "ic_ma": rnd.choice([shown_w] * 15 + [0]), "e_export_wh": export_wh, "run_s": length_s}
    return reading(**values, e_import_wh=10**6 + 1000 * number, pf_milli=900)


def window_item(name: str, start_s: int, shown: list[Any], values: dict[str, int]) -> Item:
    return Item(name, start_s + values["length_s"], lambda seq: window(seq, start_s, shown, **values))


def event_item(name: str, at_s: int, what: tuple[int, list[int], int | None]) -> Item:
    code, values, point = what
    return Item(name, at_s, lambda seq: event(seq, at_s, code=code, values=values, point=point))


def copied(rnd: random.Random) -> list[Item]:
    """What a copy of a terminal tells, for a time: a log of its own."""
    first = rnd.randrange(COUNT)
    wakes_s, sleeps_s = (FROM_S + SLOT_S * number for number in (first, first + rnd.choice([0, 3, 10])))
    return [one._replace(epoch=8) for one in items(rnd, "T0002") if wakes_s < one.at_s <= sleeps_s]


def arrivals(rnd: random.Random) -> list[tuple[int, Item]]:
    """When each record comes: soon, after a link that was down, late by itself; by a clock that may be ahead."""
    found = []
    for told in [*(list(items(rnd, name)) for name in POINTS), copied(rnd)]:
        ahead_s, down_s = rnd.choice([0, 0, 40, 2500]), FROM_S + rnd.randrange(COUNT * SLOT_S)
        back_s = down_s + rnd.randrange(600, 15_000)
        for one in told:
            at_s = one.at_s - ahead_s + rnd.randrange(1, 60) + rnd.choice([0] * 15 + [rnd.randrange(5000)])
            found.append((back_s + rnd.randrange(1500) if down_s <= at_s < back_s else at_s, one))
    return sorted(found, key=lambda each: each[0])


def _off(rule: str, error: Exception) -> None:
    raise AssertionError(rule) from error


def found_in(store: Store) -> list[tuple[str, str, str, int, int]]:
    rows = [one for one in store.rows(limit=99_999) if one.state != WITHDRAWN]
    return sorted((one.enterprise, one.subject, one.kind, one.from_s, one.to_s) for one in rows)


@pytest.mark.parametrize("seed", range(4))
def test_a_fleet_has_the_alarms_that_one_look_at_all_of_it_finds(tmp_path: Path, seed: int) -> None:
    """P-250: killed at times; points in two linkages, clocks ahead, links down, meters that show nothing."""
    rnd, clock = random.Random(seed), StillClock(FROM_S)
    due_s = [*rnd.choices([None, FROM_S], k=len(POINTS)), FROM_S + 9_000]
    everyone = [terminal_of(one, known_points(one.name)) for one in (*SENDERS.values(), Sender("T0004"))]
    registry = Registry([replace(one, commissioned_s=at_s) for one, at_s in zip(everyone, due_s, strict=True)])
    watched = Watched(registry, enterprises(rnd), Rules(), 86_400)
    journal, store, seqs = Journal(tmp_path, VerifyConfig()), Store(tmp_path), Counter[tuple[str, int]]()
    watcher = Watcher(tmp_path, store, clock, watched, _off)
    for at_s, one in arrivals(rnd):
        clock.now_s, sender = at_s, SENDERS[one.terminal]
        log = one.terminal, one.epoch
        sealed = sender.frame([one.encoded(seqs[log])], one.epoch)
        commit(journal, [accept(sender, sealed, known_points(one.terminal), at_s)])
        seqs[log] += 1
        if rnd.random() < 0.5:
            watcher.look()
        if rnd.random() < 0.03:
            watcher.close()
            watcher = Watcher(tmp_path, store, clock, watched, _off)
    clock.now_s += DAY_S + SETTLE_S + SLOT_S - clock.now_s % SLOT_S  # each terminal's day has had its turn by then
    found = looked(watcher, store)
    (tmp_path / FILE).unlink()
    store = Store(tmp_path)
    assert found == looked(Watcher(tmp_path, store, clock, watched, _off), store), f"seed {seed}"
    assert len({kind for _, _, kind, _, _ in found}) > 5, f"seed {seed}"
    journal.close()


def looked(watcher: Watcher, store: Store) -> list[tuple[str, str, str, int, int]]:
    while watcher.look()[1]:
        pass
    found = found_in(store)
    watcher.close()
    store.close()
    return found
