"""Versions of configurations: numbered, sent until a terminal answers, and what its answers come to in any order."""

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.downward import Said
from gateway.wanted import configurations as c
from gateway.wanted.heard import GONE_EVENTS
from gateway.wanted.store import Store, looking
from protocol import down, record
from tests.gateway.support import NOW_S, Sender, StillClock
from tests.gateway.wanted.world import DOCUMENT, Box, House, order, states, talk


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOW_S)


@pytest.fixture
def house(tmp_path: Path, clock: StillClock) -> Iterator[House]:
    one = House(tmp_path, clock, Sender())
    yield one
    one.close()


def heard(house: House, box: Box) -> list[down.Configuration]:
    """What a frame of the terminal brings down beside the ack."""
    box.append()
    return [one for one in talk(house, box) if isinstance(one, down.Configuration)]


def test_it_is_sent_when_the_terminal_is_heard_until_an_event_confirms_it(house: House, clock: StillClock) -> None:
    """P-102: over restarts of the gateway, at growing intervals."""
    box = Box(Sender(), clock)
    assert heard(house, box) == []
    assert order(house) == 1
    house.step(1)
    assert house.metric("wattline_configurations_pending") == 1
    times = []
    for minute in range(330):
        for one in heard(house, box):
            assert (one.version, one.document) == (1, DOCUMENT)
            times.append(clock.now_s)
        house.step(60)
        if minute == 20:  # after three
            house.restart()
    assert [(b - a) // 60 for a, b in itertools.pairwise(times)] == [5, 10, 20, 40, 80, 160]
    box.say(record.CONFIG_TAKEN, 1)
    talk(house, box)
    assert states(house) == ({1: "taken"}, 1)
    house.step(86400)
    assert heard(house, box) == []
    assert house.metric("wattline_configurations_pending") == 0
    assert house.metric("wattline_configurations_total", state="taken") == 1
    assert house.metric("wattline_down_messages_total", kind="configuration", result="sent") == len(times) - 3
    house.restart()
    assert states(house) == ({1: "taken"}, 1)


def test_a_newer_order_takes_the_place_of_one_that_is_pending(house: House, clock: StillClock) -> None:
    box = Box(Sender(), clock)
    order(house)
    assert order(house, b"{}") == 2
    house.step(1)
    assert [one.version for one in heard(house, box)] == [2]
    assert states(house)[0] == {1: "replaced", 2: "pending"}
    box.say(record.CONFIG_TAKEN, 1)  # it had heard of the first one all the same
    talk(house, box)
    assert states(house) == ({1: "taken", 2: "pending"}, 1)


def test_refusal_and_going_back_are_kept_with_their_reason(house: House, clock: StillClock) -> None:
    """P-103"""
    box = Box(Sender(), clock)
    for _ in range(3):
        order(house)
    box.say(record.CONFIG_TAKEN, 1)
    box.say(record.CONFIG_TAKEN, 2)
    box.say(record.CONFIG_ROLLED_BACK, 2, 1)
    box.say(record.CONFIG_REFUSED, 3, record.CONFIG_PROFILE)
    talk(house, box)
    assert states(house) == ({1: "taken", 2: "rolled_back", 3: "refused"}, 1)
    with looking(house.folder) as store:
        assert store is not None
        assert c.of_terminal(store, "T0001")[0].reason == record.CONFIG_PROFILE


def test_after_the_store_is_lost_versions_go_on_above_what_the_terminal_took(house: House, clock: StillClock) -> None:
    """P-104"""
    box = Box(Sender(), clock)
    order(house)
    box.say(record.CONFIG_REFUSED, 1, record.CONFIG_STALE, 41)
    talk(house, box)
    assert order(house) == 42
    box.say(record.CONFIG_TAKEN, 42)
    box.say(record.CONFIG_ROLLED_BACK, 50, 42)  # by another gateway
    talk(house, box)
    assert (order(house), states(house)[1]) == (51, 42)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_in_which_events_come_does_not_matter(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """P-103: nor how often."""
    chance, clock = random.Random(seed), StillClock()
    said, in_force, newest = [], 0, 0
    for seq in range(1, 12):
        newest += 1
        if chance.random() < 0.3:
            said.append((record.CONFIG_REFUSED, [newest, 2]))
        else:
            said.append((record.CONFIG_TAKEN, [newest]))
            if chance.random() < 0.4:
                said.append((record.CONFIG_ROLLED_BACK, [newest, in_force]))
            else:
                in_force = newest
        del seq
    events = [Said("T0001", 7, seq, code, values, clock.now_ms()) for seq, (code, values) in enumerate(said, start=1)]
    found = []
    for shuffled in (events, chance.sample(events * 2, 2 * len(events))):
        store = Store(tmp_path_factory.mktemp("wanted"))
        with store.writing() as connection:
            for _ in range(newest):
                c.order(connection, "T0001", DOCUMENT, 0)
            for one in shuffled:
                c.hear(connection, one)
            found.append(
                (
                    [(one.version, one.state) for one in c.of_terminal(connection, "T0001")],
                    c.in_force(connection),
                    c.order(connection, "T0001", DOCUMENT, 0),
                )
            )
        store.close()
    assert found[0] == found[1], seed
    assert found[0][1] == {"T0001": in_force}, seed


@pytest.mark.parametrize("values", [[], [-1], [2**53 - 1], [1, 2, 3, 4, 5, 6, 7, 8], [0, 0]])
@pytest.mark.parametrize("code", [*c.STATES, *sorted(GONE_EVENTS)])
def test_events_that_say_too_little_or_too_much_harm_nothing(
    house: House, clock: StillClock, code: int, values: list[int]
) -> None:
    box = Box(Sender(), clock)
    order(house)
    box.say(code, *values)
    box.say(record.CONFIG_TAKEN, 1)
    talk(house, box)
    assert states(house)[0] == {1: "taken"}
    house.step(60)


def test_what_a_conflicting_record_says_is_not_believed(house: House, clock: StillClock) -> None:
    box = Box(Sender(), clock)
    order(house)
    seq = box.append()
    talk(house, box)
    box.next_seq = seq
    box.say(record.CONFIG_TAKEN, 1)
    house.hear("T0001", box.frame(seq))
    assert states(house) == ({1: "pending"}, None)


def test_old_versions_are_forgotten_in_the_end(house: House) -> None:
    for _ in range(c.VERSIONS_MAX + 5):
        order(house, json.dumps({"sample_interval_s": 5}).encode())
    assert len(states(house)[0]) == c.VERSIONS_MAX
