"""Records that were acknowledged and are not there any more, as after a restore: asked for until all is told."""

import itertools
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wanted import requests
from gateway.wanted.store import looking
from protocol import down, record
from tests.gateway.support import NOW_S, Sender, StillClock, event
from tests.gateway.wanted.world import Box, House, talk

QUARTER_S = 900
LIFE = 60  # quarters of an hour in which things go wrong


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_every_number_that_was_promised_comes_or_is_said_to_be_gone(seed: int) -> None:
    """P-100: whatever is lost on the way, forgotten by the terminal, or restarted."""
    chance, clock = random.Random(seed), StillClock()
    with tempfile.TemporaryDirectory() as name:
        house = House(Path(name), clock, Sender())
        box = Box(Sender(), clock)
        lossy = chance.choice([0, 0.2, 0.6])

        def lose(_: object) -> bool:
            return not calm and chance.random() < lossy

        for quarter in range(LIFE + 400):
            calm = quarter >= LIFE
            box.append()
            if not calm:
                _go_wrong(chance, house, box)
            if not calm and chance.random() < 0.3:
                clock.now_s += QUARTER_S  # nobody is heard
                continue
            before = len(box.asked)
            for _ in range(4):
                talk(house, box, lose)
            asked = [seq for ranges in box.asked[before:] for low, high in ranges for seq in range(low, high + 1)]
            assert len(asked) == len(set(asked)), f"{seed}: asked for twice in a quarter of an hour"
            house.step(QUARTER_S)
            if calm and not _left(house, box):
                break
        else:
            raise AssertionError(f"{seed}: {_left(house, box)}")
        _check_told(house, box, seed)
        house.close()


def _go_wrong(chance: random.Random, house: House, box: Box) -> None:
    if chance.random() < 0.3:  # acknowledged by a journal that is not there any more
        box.pending -= {seq for seq in box.log if chance.random() < 0.2}
    if chance.random() < 0.1:
        box.drop(*[seq for seq in box.log if chance.random() < 0.2])
    if chance.random() < 0.1:
        house.restart()


def _left(house: House, box: Box) -> list[object]:
    """Numbers that neither came nor are explained; rows that are open."""
    journal = house.journal
    absent = journal.absent(box.sender.name, box.sender.epoch, 1, box.next_seq - 2, 9999)
    with looking(house.folder) as store:
        assert store is not None
        gone = requests.explained(store, box.sender.name, box.sender.epoch)[requests.GONE]
        opened = list(requests.open_rows(store))
    numbers = {seq for first, last in absent for seq in range(first, last + 1)}
    told = {seq for first, last in gone for seq in range(first, last + 1)}
    return [*sorted(numbers - told), *opened]


def _check_told(house: House, box: Box, seed: int) -> None:
    """What was asked for is what did not come; what is said of it is true."""
    with looking(house.folder) as store:
        assert store is not None
        rows = requests.of_terminal(store, box.sender.name)
        gone = requests.explained(store, box.sender.name, box.sender.epoch)[requests.GONE]
    lost = {seq for first, last in gone for seq in range(first, last + 1)}
    assert not lost & box.log.keys(), seed
    for row in rows:
        absent = [seq for seq in range(row.first, row.last + 1) if seq in lost]
        assert (row.outcome, row.gone, row.missing) == ("gone" if absent else "came", len(absent), 0), (seed, row)


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOW_S)


@pytest.fixture
def house(tmp_path: Path, clock: StillClock) -> House:
    return House(tmp_path, clock, Sender())


def holed(house: House, clock: StillClock) -> Box:
    """A terminal of which numbers 1, 3 and 4 of 6 came; 2 is gone with its log's oldest records, 5 is not."""
    box = Box(Sender(), clock)
    for _ in range(6):
        box.append()
    for seq in (1, 3, 4):
        house.hear("T0001", box.frame(seq))
    box.pending = {6}
    box.drop(2)
    return box


def test_a_backlog_that_drains_is_left_alone(house: House, clock: StillClock) -> None:
    """P-101: numbers below those that came are not asked for while they come, and half an hour after."""
    box = Box(Sender(), clock)
    for _ in range(200):
        box.append()
    house.hear("T0001", box.frame(200))
    for seq in range(1, 190):
        house.step(60)
        assert len(house.hear("T0001", box.frame(seq))) == 1, "nothing but the ack"
    house.step(60)
    house.step(1790)
    assert not house.wanted._open
    house.step(60)
    assert [(row.first, row.last) for row in house.wanted._open["T0001"]] == [(190, 199)]
    assert '"event": "records_missing"' in house.said.getvalue()
    assert house.metric("wattline_records_absent") == 10
    house.close()


def test_what_is_missing_is_asked_for_with_the_echo_of_the_frame_that_was_heard(
    house: House, clock: StillClock
) -> None:
    """P-100"""
    box = holed(house, clock)
    talk(house, box)
    house.step(60)
    house.step(1800)
    box.append()
    _, asked = talk(house, box)
    assert asked == down.Request(1, 7, [(2, 2), (5, 5)], (1, box.sender.uptime_ms))
    assert box.pending == {5, 8}  # 5 again, and the event that 2 is gone
    talk(house, box)
    house.step(60)
    with looking(house.folder) as store:
        assert store is not None
        rows = requests.of_terminal(store, "T0001")
    assert [(row.first, row.outcome, row.asked_by, row.sent) for row in rows] == [
        (2, "gone", "gateway", 1),
        (5, "came", "gateway", 1),
    ]
    for outcome, count in (("asked", 2), ("came", 1), ("gone", 1), ("given_up", 0)):
        assert house.metric("wattline_records_asked_total", outcome=outcome) == count
    assert house.metric("wattline_down_messages_total", kind="request", result="sent") == 1
    house.step(86400)
    box.append()
    assert len(talk(house, box)) == 1  # what is gone is asked for no more
    house.close()


def test_a_terminal_that_does_not_answer_is_asked_less_and_less_and_then_given_up(
    house: House, clock: StillClock
) -> None:
    """P-101"""
    box = holed(house, clock)
    talk(house, box)
    house.step(60)
    house.step(1800)
    times = []
    for _ in range(8 * 96):
        box.append()
        if len(talk(house, box, lambda one: isinstance(one, down.Request))) > 1:
            times.append(clock.now_s)
        house.step(QUARTER_S)
    gaps = [(b - a) / 900 for a, b in itertools.pairwise(times)]
    assert gaps == [1, 2, 4, 8, 16, 32, 64]
    with looking(house.folder) as store:
        assert store is not None
        assert requests.counts(store) == {
            "open_terminals": 0, "open": 0, "came": 0, "gone": 0, "refused": 0, "given_up": 2,
        }  # fmt: skip
    house.close()


def test_a_log_that_began_anew_has_nothing_to_be_asked_for(house: House, clock: StillClock) -> None:
    box = holed(house, clock)
    talk(house, box)
    house.step(60)
    house.step(1800)
    box.sender.epoch, box.log, box.next_seq, box.pending = 8, {}, 1, set()
    box.append()
    assert len(talk(house, box)) == 1
    house.step(60)
    with looking(house.folder) as store:
        assert store is not None
        assert [(row.first, row.outcome) for row in requests.of_terminal(store, "T0001")] == [(2, "gone"), (5, "gone")]
    house.close()


def test_records_that_were_refused_for_good_are_not_asked_for(house: House, clock: StillClock) -> None:
    sender = Sender()
    house.hear("T0001", sender.frame([event(1), event(2, clock.now_s + 10 * 86400), event(3)]))
    house.restart()
    house.hear("T0001", sender.frame([event(4)]))
    house.step(60)
    house.step(7200)
    assert not house.wanted._open
    assert house.metric("wattline_records_absent") == 0
    house.close()


def test_many_holes_are_asked_for_the_newest_first_and_within_the_bounds(house: House, clock: StillClock) -> None:
    """P-101"""
    box = Box(Sender(), clock)
    for _ in range(12_000):
        box.append()
    for seq in range(11_000, 11_200, 2):
        house.hear("T0001", box.frame(seq))
    house.hear("T0001", box.frame(12_000))
    box.pending = set()
    box.append()
    talk(house, box)
    house.step(60)
    house.step(1800)
    box.append()
    _, asked = talk(house, box)
    assert len(asked.ranges) == 64
    assert asked.ranges[-1] == (11_199, 11_999)
    numbers = sum(last - first + 1 for first, last in asked.ranges)
    assert numbers == 801 + 63 <= requests.NUMBERS_MAX
    asked_before = set(box.pending)
    for _ in range(2 * numbers):
        if not box.pending:
            break
        talk(house, box)
    house.step(60)
    house.step(1800)
    box.append()
    later = [one for one in talk(house, box) if isinstance(one, down.Request)]
    assert later[0].ranges[-1][1] == 11_071
    assert not asked_before & {seq for first, last in later[0].ranges for seq in range(first, last + 1)}
    assert later[0].ranges[0][0] > 1  # of the 10,999 oldest not all at once
    house.close()


@pytest.mark.parametrize(
    ("code", "values"),
    [
        (record.LOG_FULL, [2, 4]),
        (record.NUMBERS_SKIPPED, [2, 4]),
        (record.LOG_PUT_BACK, [2, 4]),
        (record.REQUEST_UNMET, [2, 4]),
        (record.LOG_RENUMBERED, [6, 5]),
    ],
)
def test_numbers_that_the_terminal_explains_are_not_asked_for(
    house: House, clock: StillClock, code: int, values: list[int]
) -> None:
    """P-101"""
    box = Box(Sender(), clock)
    box.next_seq = 1 if code != record.LOG_RENUMBERED else 5
    first = box.append()
    box.next_seq = 5
    box.say(code, *values)
    box.pending -= {first} if code == record.LOG_RENUMBERED else set()
    talk(house, box)
    house.step(60)
    house.step(7200)
    assert not house.wanted._open
    assert house.metric("wattline_records_absent") == 0
    house.close()
