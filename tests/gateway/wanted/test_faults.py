"""The store of what is wanted while its disk fails, or the gateway dies between two writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.database import NewerSchemaError, connect
from gateway.pipeline import StoppedError
from gateway.wanted.store import FILE, Store
from protocol import ack, down, record
from tests.gateway.support import NOW_S, Sender, StillClock
from tests.gateway.wanted.world import Box, Failing, House, order, states, talk


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOW_S)


@pytest.fixture
def house(tmp_path: Path, clock: StillClock) -> Iterator[House]:
    one = House(tmp_path, clock, Sender())
    yield one
    one.close()


def test_what_a_terminal_says_is_kept_before_it_is_acknowledged(
    house: House, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-103: the disk comes back, and nothing was acknowledged before."""
    monkeypatch.setattr("gateway.pipeline.STORE_RETRY_S", 0.001)
    box = Box(Sender(), clock)
    order(house)
    box.say(record.CONFIG_TAKEN, 1)
    failing = Failing(monkeypatch, 3)
    assert [type(one) for one in talk(house, box)] == [ack.Ack]
    assert failing.left == 0
    assert states(house) == ({1: "taken"}, 1)
    assert house.metric("wattline_store_errors_total", store="wanted") == 3


def test_what_was_journalled_and_not_kept_is_kept_when_it_comes_again(
    house: House, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-103: the gateway dies between the two; nothing was acknowledged, so the terminal sends again."""
    box = Box(Sender(), clock)
    order(house)
    box.say(record.CONFIG_TAKEN, 1)
    with monkeypatch.context() as patched:
        Failing(patched, 10**6)
        house.pipeline.stop.set()
        with pytest.raises(StoppedError):
            talk(house, box)
    house.restart()
    assert states(house) == ({1: "pending"}, None)
    talk(house, box)
    assert states(house) == ({1: "taken"}, 1)


def test_a_disk_that_takes_no_order_delays_no_ack(
    house: House, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(Sender(), clock)
    order(house)
    house.step(1)
    box.append()
    with monkeypatch.context() as patched:
        Failing(patched, 10**6)
        assert [type(one) for one in talk(house, box)] == [ack.Ack]
        house.step(60)
    assert house.said.getvalue().count('"store": "wanted"') == 1
    house.step(60)
    box.append()
    assert [type(one) for one in talk(house, box)] == [ack.Ack, down.Configuration]


def test_a_replayed_frame_brings_nothing_down_but_its_ack(house: House, clock: StillClock) -> None:
    """What it echoes was sent long ago."""
    box = Box(Sender(), clock)
    order(house)
    house.step(1)
    house.pipeline.is_live = False
    box.append()
    assert [type(one) for one in talk(house, box)] == [ack.Ack]


def test_a_newer_store_is_not_touched(tmp_path: Path) -> None:
    Store(tmp_path).close()
    connection = connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerSchemaError):
        Store(tmp_path)
