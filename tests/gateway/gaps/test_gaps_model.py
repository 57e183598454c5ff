"""The ledger against a naive world that knows what happened."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.gaps.words import (
    CELL_S,
    CLOCK,
    GRACE_S,
    LATE,
    LINK_DOWN,
    METER_SILENT,
    NOT_DUE,
    PRESENT,
    REFUSED,
    TERMINAL_OFF,
)
from tests.gateway.gaps.world import BEGIN_S, Stores, World, seen, stores_of

DAY_S = 86400


def check(world: World, found: dict[int, tuple[str, int]], from_s: int, now_s: int) -> None:
    """What the ledger says is what happened, as far as it can be known by now."""
    windows = world.of_cell
    assert list(found) == list(range(-(-from_s // CELL_S) * CELL_S, now_s // CELL_S * CELL_S, CELL_S))
    for cell_s, (state, reason) in found.items():
        one = windows.get(cell_s)
        about = (world.seed, now_s, (cell_s - BEGIN_S) // CELL_S, state)
        if one is not None and one.arrived_s is not None and one.arrived_s <= now_s and not one.refused:
            in_time = one.arrived_s <= cell_s + CELL_S + GRACE_S
            assert (state, reason) == ((METER_SILENT, 1) if one.silent else (PRESENT if in_time else LATE, 0)), about
        elif now_s < cell_s + CELL_S + GRACE_S:
            assert state == NOT_DUE, about
        else:
            assert state in allowed(world, cell_s, now_s), about


def allowed(world: World, cell_s: int, now_s: int) -> set[str]:
    """The causes that are true of a cell without a window."""
    one = world.of_cell.get(cell_s)
    arrived, timed = world.seen_by(now_s)
    if one is not None and one.refused and (one.arrived_s or 0) <= now_s:
        return {REFUSED}
    untimed = list(world.untimed_around(cell_s, now_s))
    if untimed:  # when these were, nobody can say: what they can explain, and what lies beside them
        return {CLOCK, REFUSED, LINK_DOWN, TERMINAL_OFF}
    if all(each.made_s < cell_s + CELL_S for each in timed):  # a window of it may still be on its way
        return {LINK_DOWN}
    before = max((each.seq for each in timed if each.made_s <= cell_s), default=0)
    after = min(each.seq for each in timed if each.made_s > cell_s)
    last = min((each.seq for each in timed if each.made_s >= cell_s + CELL_S), default=after)
    if one is not None:
        return {LINK_DOWN}
    coming = {each.seq for each in world.made} - {each.seq for each in arrived}
    return {TERMINAL_OFF, LINK_DOWN} if any(before < seq < last for seq in coming) else {TERMINAL_OFF}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_what_the_ledger_says_is_what_happened_as_far_as_it_can_be_known(seed: int) -> None:
    """A window that exists and has not come is never said to be anything but on its way, whatever came before it."""
    world, chance = World(seed, cells=48), random.Random(seed + 1)
    with stores_of(world) as (folder, stores):
        for now_s in sorted(chance.randrange(BEGIN_S, world.end_s) for _ in range(4)):
            stores.advance(now_s)
            from_s = max(BEGIN_S, now_s - chance.randrange(40 * CELL_S))
            check(world, seen(folder, from_s, now_s), from_s, now_s)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_when_all_has_come_each_missing_window_has_its_true_cause(seed: int) -> None:
    world = World(seed, cells=48)
    now_s = world.end_s
    with stores_of(world) as (folder, stores):
        stores.advance(now_s)
        found = seen(folder, BEGIN_S, now_s)
        check(world, found, BEGIN_S, now_s)
        for cell_s, (state, _) in found.items():
            if not list(world.untimed_around(cell_s, now_s)) and state == TERMINAL_OFF:
                assert world.was_off(cell_s)


@pytest.mark.slow
def test_every_gap_of_a_year_of_outages_is_filled_or_declared_half_an_hour_after_the_link_is_back(
    tmp_path: Path,
) -> None:
    """R-17: 35,040 intervals; looked at whenever terminal and link have been up again for half an hour."""
    world, chance = World(26, cells=35_040), random.Random(26)
    assert len(world.off) > 300
    assert len(world.down) > 300
    stores = Stores(tmp_path, world)
    looks = sorted(chance.sample([end_s + 1800 for _, end_s in world.off + world.down], 60))
    for now_s in [*looks, world.end_s]:
        stores.advance(now_s)
        if world.settled(now_s):
            from_s = BEGIN_S if now_s == world.end_s else max(BEGIN_S, now_s - DAY_S)
            found = seen(tmp_path, from_s, now_s)
            missing = {state for state, _ in found.values()} - {PRESENT, LATE, NOT_DUE}
            assert missing <= {TERMINAL_OFF, METER_SILENT, REFUSED, CLOCK}
            if now_s != world.end_s:
                check(world, found, from_s, now_s)
    stores.close()
