"""Rollouts of a fleet: canaries first, waves behind them, halted where they fail; whatever is lost or restarted."""

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.downward import Said
from gateway.updates import bundles, pacing, rollouts, stages
from gateway.updates.order import Terms
from gateway.updates.rollouts import Plan
from gateway.updates.selection import Placed
from gateway.updates.store import Store
from protocol import ack, down, record, update
from protocol.host import bundle
from tests.gateway.support import NOW_S
from tests.gateway.updates.world import HOUR_MS, POINTS, Fleet, names, release
from tests.gateway.wanted.world import Failing, talk

PAYLOAD = bundle.read(release(), POINTS).payload


@pytest.fixture
def fleet_of(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    made: list[Fleet] = []

    def make(*args: Any, **terminals: Any) -> Fleet:
        made.append(Fleet(tmp_path, *args, **terminals))
        return made[-1]

    yield make
    for one in made:
        one.house.close()


def test_canaries_go_first_and_each_wave_waits_for_the_one_before(fleet_of: Callable[..., Fleet]) -> None:
    """P-271"""
    fleet = fleet_of(10)
    begun = fleet.house.begin(names(10))
    assert sorted(one.terminal for one in begun.placed) == names(10)
    by_stage = [[one.terminal for one in begun.placed if one.stage == stage] for stage in range(3)]
    assert [len(some) for some in by_stage] == [2, 4, 4]
    seen = 0
    for _ in range(20):
        fleet.minute()
        states = fleet.states()
        for stage in (1, 2):
            before = [states[name] for some in by_stage[:stage] for name in some]
            if not set(before) <= {stages.GOOD}:
                assert {states[name] for name in by_stage[stage]} == {stages.WAITING}
                seen += 1
        if fleet.house.stand()[0].state == stages.DONE:
            break
    assert seen > 1
    assert set(fleet.states().values()) == {stages.GOOD}
    assert all(one.taken == {NOW_S: PAYLOAD} for one in fleet.takers.values())
    assert fleet.house.metric("wattline_rollouts", state="running") == 0
    assert fleet.house.metric("wattline_update_states_total", state="good") == 10


FAILURES: list[tuple[dict[str, Any], str, str]] = [
    ({"good": False}, stages.WENT_BACK, "went back / 已回退"),
    ({"refuses": update.BOARD}, stages.REFUSED, "refused / 拒绝"),
    ({}, stages.SILENT, "silent / 无应答"),
]


@pytest.mark.parametrize(("faulty", "state", "said"), FAILURES)
def test_a_canary_that_fails_halts_the_rollout_until_the_operator_lets_it_go_on(
    fleet_of: Callable[..., Fleet], faulty: dict[str, Any], state: str, said: str
) -> None:
    """P-272"""
    canaries = [one.terminal for one in fleet_of(10).house.begin(names(10)).placed if one.stage == 0]
    fleet = fleet_of(10, **{canaries[0]: faulty})
    if state == stages.SILENT:
        fleet.minute(lambda one: isinstance(one, down.Offer))
        fleet.away.add(canaries[0])  # it is offered, and never heard again
    fleet.until(stages.HALTED)
    rollout, members = fleet.house.stand()
    assert (rollout.state, rollout.stage, members[canaries[0]].state) == (stages.HALTED, 0, state)
    assert rollout.why == f"{canaries[0]} {said}"
    assert fleet.house.metric("wattline_rollouts_halted_total") == 1
    assert "rollout_halted" in fleet.house.said.getvalue()
    for _ in range(3):  # neither time nor a restart lets it go on
        fleet.house.restart()
        fleet.clock.now_s += 86_400
        fleet.minute()
    assert [name for name, one in fleet.takers.items() if one.taken and name not in canaries] == []
    assert fleet.house.stand()[0].state == stages.HALTED

    assert fleet.house.command(rollouts.resume) == 1
    fleet.until(stages.DONE)
    left = {name: one for name, one in fleet.states().items() if one != stages.GOOD}
    assert left == {canaries[0]: state}


def test_a_halted_rollout_ends_what_has_not_come_whole(fleet_of: Callable[..., Fleet]) -> None:
    """P-272: and what is resumed begins anew."""
    fleet = fleet_of(1)
    fleet.house.begin(names(1), terms=Terms((100,), 0, HOUR_MS))
    (taker,) = fleet.takers.values()
    fleet.house.step(1)
    fleet.minute(lambda one: isinstance(one, down.Chunk) and one.offset > 20_000)
    assert len(taker.stored) == 24_000
    fleet.house.command(rollouts.halt, "by me")
    fleet.house.step(1)
    fleet.minute()
    assert (taker.manifest, fleet.states()) == (None, {"T0001": stages.WAITING})
    for _ in range(5):
        fleet.minute()
    assert taker.offered_ms == taker.offered_ms[:1]
    fleet.house.command(rollouts.resume)
    fleet.house.step(1)
    fleet.minute()
    fleet.minute()
    assert taker.taken == {NOW_S: PAYLOAD}


def test_who_waits_for_room_gets_nothing_of_a_rollout_that_is_over(fleet_of: Callable[..., Fleet]) -> None:
    """P-272"""
    fleet = fleet_of(2)
    fleet.house.updates._pacing._bytes_max = pacing.WINDOW_BYTES
    every = Terms((100,), 0, HOUR_MS)
    fleet.house.begin(names(2), terms=every)
    fleet.house.step(1)
    fleet.minute(lambda one: isinstance(one, down.Chunk))
    assert set(fleet.states().values()) == {stages.DOWNLOADING}
    fleet.house.command(rollouts.halt, "by me")
    fleet.house.command(rollouts.end, "by me")
    fleet.house.begin(names(1), release(NOW_S + 1), every)
    fleet.house.step(1)
    fleet.until(stages.ENDED)
    assert [list(one.taken) for one in fleet.takers.values()] == [[NOW_S + 1], []]


def test_a_terminal_whose_memory_a_release_takes_is_not_offered_it_again(fleet_of: Callable[..., Fleet]) -> None:
    """P-272: or it would start anew without end."""
    fleet = fleet_of(1)
    fleet.house.begin(names(1), terms=Terms((100,), 0, HOUR_MS))
    fleet.house.step(1)
    (taker,) = fleet.takers.values()
    taker.restart(16)
    fleet.minute(lambda one: isinstance(one, down.Chunk))
    assert fleet.states() == {"T0001": stages.DOWNLOADING}
    taker.restart(16)
    fleet.until(stages.HALTED)
    (member,) = fleet.house.stand()[1].values()
    assert (member.state, member.reason, len(taker.offered_ms)) == (stages.REFUSED, update.MEMORY, 1)


def test_what_was_judged_before_an_operator_stopped_it_does_not_let_it_go_on(fleet_of: Callable[..., Fleet]) -> None:
    """P-272"""
    fleet = fleet_of(1)
    fleet.house.begin(names(1))
    judged, _ = fleet.house.stand()
    fleet.house.command(rollouts.halt, "by me")
    store = Store(fleet.house.folder)
    with store.writing() as connection:
        rollouts.take_step(connection, judged, 0, names(1), stages.Step(stages.RUNNING, 1))
    store.close()
    assert (fleet.house.stand()[0].state, fleet.states()) == (stages.HALTED, {"T0001": stages.WAITING})


def test_as_many_failures_as_may_be_do_not_halt_it(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(4, T0001={"refuses": update.BOARD}, T0002={"good": False})
    fleet.house.begin(names(4), terms=Terms((50, 100), 2, HOUR_MS))
    fleet.until(stages.DONE)
    assert fleet.states() == {"T0001": "refused", "T0002": "went_back", "T0003": "good", "T0004": "good"}


def test_who_is_away_gets_it_when_it_is_heard_and_holds_up_nobody_for_long(fleet_of: Callable[..., Fleet]) -> None:
    """P-271"""
    fleet = fleet_of(10)
    placed = fleet.house.begin(names(10)).placed
    away = next(one.terminal for one in placed if one.stage == 1)
    fleet.away.add(away)
    for _ in range(20):
        fleet.minute()
        fleet.clock.now_s += 240
    assert fleet.states() == {name: stages.WAITING if name == away else stages.GOOD for name in names(10)}
    assert fleet.house.stand()[0].state == stages.RUNNING
    fleet.away.clear()
    fleet.minute()
    fleet.minute()
    assert fleet.house.stand()[0].state == stages.DONE


def test_who_was_silent_is_offered_it_again_when_it_is_heard(fleet_of: Callable[..., Fleet]) -> None:
    """P-271"""
    fleet = fleet_of(4)
    silent = fleet.house.begin(names(4), terms=Terms((50, 100), 1, HOUR_MS)).placed[0].terminal
    fleet.house.step(1)
    fleet.minute(lambda one: isinstance(one, down.Offer))
    fleet.away = {silent, next(name for name in names(4) if fleet.states()[name] == stages.WAITING)}
    for _ in range(20):
        fleet.minute()
        fleet.clock.now_s += 240
    assert (fleet.house.stand()[0].state, fleet.states()[silent]) == (stages.RUNNING, stages.SILENT)
    fleet.away.clear()
    fleet.until(stages.DONE)
    assert set(fleet.states().values()) == {stages.GOOD}


def test_two_releases_at_once_go_to_terminals_of_their_own(fleet_of: Callable[..., Fleet]) -> None:
    """P-271"""
    fleet = fleet_of(4)
    every = Terms((100,), 0, HOUR_MS)
    fleet.house.begin(names(2), terms=every)
    fleet.house.begin(names(4)[2:], release(NOW_S + 1), every)
    fleet.until(stages.DONE)
    assert [list(one.taken) for one in fleet.takers.values()] == [[NOW_S], [NOW_S], [NOW_S + 1], [NOW_S + 1]]
    assert fleet.house.stand(2)[0].state == stages.DONE


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_every_terminal_ends_with_the_release_whatever_is_lost_or_restarted(seed: int) -> None:
    """P-273: byte for byte, and never more is under way than the bound."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        fleet = Fleet(Path(name), 6)
        fleet.house.updates._pacing._bytes_max = bound = 2 * pacing.WINDOW_BYTES
        fleet.house.begin(names(6), terms=Terms((30, 100), 0, 400 * HOUR_MS))
        lossy = chance.choice([0.1, 0.4, 0.7])
        for minute in range(400):
            calm = minute >= 30
            fleet.minute(lambda _, calm=calm: not calm and chance.random() < lossy)  # type: ignore[misc]
            if not calm and chance.random() < 0.2:
                chance.choice(list(fleet.takers.values())).restart()
            if not calm and chance.random() < 0.1:
                fleet.house.restart()
                fleet.house.updates._pacing._bytes_max = bound
            fleet.away = set() if calm else {one for one in fleet.takers if chance.random() < 0.2}
            if fleet.house.stand()[0].state == stages.DONE:
                break
        assert fleet.house.stand()[0].state == stages.DONE, (seed, fleet.house.stand())
        assert [one.taken for one in fleet.takers.values()] == [{NOW_S: PAYLOAD}] * 6, seed
        assert fleet.most_under_way <= bound, seed
        fleet.house.close()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_in_which_events_come_does_not_matter(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """P-274: nor how often. P-342: nor which of the words that a start repeats are lost."""
    chance = random.Random(seed)
    began = (record.BOOT, 19, 1000, 0, NOW_S, 1)
    passed = [(record.UPDATE_GOOD, NOW_S), (record.BOOT, 1, 1000, 0, NOW_S, 0)]
    given_up = [(record.BOOT, 1, 1000, 0, 5, 0), (record.UPDATE_ROLLED_BACK, NOW_S, 5, 2)]
    story: list[tuple[int, ...]] = [
        (record.UPDATE_PROGRESS, NOW_S, 0, 50_000),
        (record.UPDATE_PROGRESS, NOW_S, 50_000, 50_000),
        began,
        (record.UPDATE_TAKEN, NOW_S),
        *chance.choice([passed, given_up]),
        (record.UPDATE_REFUSED, NOW_S, update.STALE, NOW_S),
    ][: chance.randint(1, 7)]
    lost = {one for one in (record.UPDATE_TAKEN, record.UPDATE_GOOD) if chance.random() < 0.5}
    events = [Said("T0001", 7, seq, code, values, 0) for seq, (code, *values) in enumerate(story, start=1)]
    arrived = [one for one in events if one.code not in lost]
    orders = [events, chance.sample(events * 2, 2 * len(events))]
    if story[-1] != (record.UPDATE_GOOD, NOW_S):  # else the start that tells it again is still to come
        orders.append(chance.sample(arrived * 2, 2 * len(arrived)))
    found = []
    for order in orders:
        store = Store(tmp_path_factory.mktemp("updates"))
        with store.writing() as connection:
            bundles.keep(connection, bundles.checked(release(), POINTS, NOW_S), 0)
            rollouts.begin(connection, Plan(NOW_S, "unix", (100,), 0, HOUR_MS), [Placed("T0001", 0)], 0)
            for one in order:
                rollouts.hear(connection, one)
            (member,) = rollouts.members(connection, 1)
            found.append((member.state, member.reason, rollouts.in_force(connection)))
        store.close()
    assert all(one == found[0] for one in found), (seed, story, lost, found)


@pytest.mark.parametrize(
    ("runs", "on_trial", "state", "in_force"),
    [(NOW_S, 1, stages.TRIAL, None), (NOW_S, 0, stages.GOOD, NOW_S), (5, 0, stages.WENT_BACK, 5)],
)
def test_a_start_says_again_what_became_of_a_release(
    tmp_path: Path, runs: int, on_trial: int, state: str, in_force: int | None
) -> None:
    """P-342: update_good, or update_rolled_back, was lost with the terminal's log, or cut off before it was written."""
    store = Store(tmp_path)
    with store.writing() as connection:
        bundles.keep(connection, bundles.checked(release(), POINTS, NOW_S), 0)
        rollouts.begin(connection, Plan(NOW_S, "unix", (100,), 0, HOUR_MS), [Placed("T0001", 0)], 0)
        rollouts.hear(connection, Said("T0001", 7, 1, record.UPDATE_TAKEN, [NOW_S], 0))
        rollouts.hear(connection, Said("T0001", 8, 1, record.BOOT, [1, 1000, 0, runs, on_trial], 0))
        (member,) = rollouts.members(connection, 1)
        assert (member.state, rollouts.in_force(connection).get("T0001")) == (state, in_force)
    store.close()


def test_what_a_terminal_says_is_kept_and_offers_wait_while_the_disk_refuses(
    fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-273: the disk comes back, and nothing was acknowledged before that is not kept."""
    monkeypatch.setattr("gateway.pipeline.STORE_RETRY_S", 0.001)
    fleet = fleet_of(1)
    fleet.house.begin(names(1), terms=Terms((100,), 0, HOUR_MS))
    fleet.house.step(1)
    (taker,) = fleet.takers.values()
    Failing(monkeypatch, 1, Store)
    taker.say(record.CLOCK_SET, 0)
    assert [type(one) for one in talk(fleet.house, taker)] == [ack.Ack]
    assert fleet.states() == {"T0001": stages.WAITING}
    fleet.minute(lambda one: isinstance(one, down.Chunk))
    assert fleet.states() == {"T0001": stages.DOWNLOADING}
    failing = Failing(monkeypatch, 3, Store)
    taker.say(record.UPDATE_GOOD, NOW_S)
    fleet.minute()
    assert failing.left == 0
    assert fleet.states() == {"T0001": stages.GOOD}
    assert fleet.house.metric("wattline_store_errors_total", store="updates") == 4


@pytest.mark.parametrize("values", [[], [-1], [NOW_S], [NOW_S, -5], [2**53 - 1, 1], [NOW_S, 2**53 - 1, 0, 1, 2, 3]])
@pytest.mark.parametrize("code", [record.BOOT, *sorted(rollouts.EVENTS)])
def test_events_that_say_too_little_or_too_much_harm_nothing(
    fleet_of: Callable[..., Fleet], code: int, values: list[int]
) -> None:
    fleet = fleet_of(1)
    fleet.house.begin(names(1))
    fleet.house.step(1)
    (taker,) = fleet.takers.values()
    taker.say(code, *values)
    fleet.minute()
    assert fleet.states()["T0001"] in stages.STATES
