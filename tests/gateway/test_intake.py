"""Intake: bounded by the broker's own flow control, and back after whatever happened to the connection or the disk."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.clock import steady_s
from gateway.config import MqttConfig
from gateway.intake import Delivery, Intake
from gateway.journal.reader import Reader
from hil.broker import Broker
from tests.gateway.support import NOW_S, ROOT, Device, Running, Sender, window, write_config

SENDER = Sender()
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def wait_until(happened: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def frame(seq: int) -> bytes:
    return SENDER.frame([window(seq, NOW_S - 900 * 5000 + 900 * seq)])


@pytest.fixture
def states() -> list[str]:
    return []


@pytest.fixture
def intake(broker: Broker, states: list[str]) -> Iterator[Intake]:
    config = MqttConfig(host="127.0.0.1", port=broker.port, receive_maximum=5, reconnect_max_s=1)
    one = Intake(config, steady_s, lambda state, _: states.append(state))
    one.start()
    wait_until(lambda: "subscribed" in states)
    yield one
    one.stop()


def test_no_more_frames_are_in_memory_than_receive_maximum_says(intake: Intake, device: Callable[..., Device]) -> None:
    """P-31."""
    terminal = device()
    for seq in range(20):
        terminal.publish("T0001", b"%d" % seq)
    wait_until(lambda: intake.waiting == 5)
    time.sleep(0.3)
    assert intake.waiting == 5
    taken: list[Delivery] = []
    while len(taken) < 20:
        batch = intake.take(5, 5, 0.01)
        assert batch
        taken += batch
        for one in batch:
            intake.release(one.token)
    assert [one.data for one in taken] == [b"%d" % seq for seq in range(20)]


def test_what_was_not_released_comes_again_and_an_old_token_releases_nothing(
    broker: Broker, intake: Intake, states: list[str], device: Callable[..., Device]
) -> None:
    device().publish("T0001", b"once")
    (first,) = intake.take(5, 5, 0.01)
    intake._client._sock_close()  # the connection breaks without a word
    wait_until(lambda: states.count("subscribed") == 2)
    intake.release(first.token)
    (again,) = intake.take(5, 5, 0.01)
    assert (again.data, again.token != first.token) == (b"once", True)
    intake.release(again.token)


def test_a_refused_subscription_is_asked_for_again(states: list[str]) -> None:
    now = [100.0]
    one = Intake(MqttConfig(host="127.0.0.1"), lambda: now[0], lambda state, _: states.append(state))
    asked: list[str] = []
    one._client = SimpleNamespace(subscribe=lambda topic, **_: asked.append(topic))  # type: ignore[assignment]
    refusal: Any = SimpleNamespace(is_failure=True)
    one._on_subscribe(one._client, None, 1, [refusal], None)
    one.take(1, 0, 0)
    assert (states, asked) == (["subscribe_refused"], [])
    now[0] += 6
    one.take(1, 0, 0)
    assert asked == ["wattline/up/+"]


def test_it_comes_back_when_the_broker_does(tmp_path: Path, broker: Broker, start: Callable[[Path], Running]) -> None:
    running = start(write_config(tmp_path, broker.port, [SENDER]))
    for seq in range(3):
        broker.kill()
        wait_until(lambda: running.metric("wattline_broker_connected") == 0)
        broker.start()
        wait_until(lambda: running.metric("wattline_broker_connected") == 1)
        terminal = Device(broker.port)
        terminal.publish("T0001", frame(seq))
        assert SENDER.open_ack(terminal.down(1)[0]).durable == [(seq, seq)]
        terminal.close()
    assert running.metric("wattline_broker_disconnects_total") == 3


@pytest.mark.slow
def test_a_full_disk_acknowledges_nothing_and_all_comes_when_there_is_room(tmp_path: Path, broker: Broker) -> None:
    """P-30: A real process whose files may not grow: the kernel refuses its writes, as a full disk does."""
    config = write_config(tmp_path, broker.port, [SENDER])
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(config)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    terminal = Device(broker.port)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"] is True
        terminal.publish("T0001", frame(0))
        terminal.down(1)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        for seq in range(1, 1000):
            terminal.publish("T0001", frame(seq))
        wait_until(lambda: b"store_unavailable" in (tmp_path / "log").read_bytes())
        acked = {seq for data in terminal.down(0) for seq in acked_by(data)}
        stored = {one.seq for one in Reader(tmp_path / "data").records_after(0, 2000)}
        assert acked <= stored
        assert len(stored) < 1000
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
        wait_until(lambda: {seq for data in terminal.down(0) for seq in acked_by(data)} == set(range(1000)))
        assert Reader(tmp_path / "data").counts()["windows"] == 1000
        assert process.poll() is None
    finally:
        terminal.close()
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def acked_by(data: bytes) -> set[int]:
    return {seq for first, last in SENDER.open_ack(data).durable for seq in range(first, last + 1)}
