"""Intake: bounded by the broker's own flow control, and back after whatever happened to the connection or the disk."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from gateway.carriers import Carrier
from gateway.clock import steady_s
from gateway.config import MqttConfig
from gateway.intake import Delivery, make_intake
from gateway.journal.reader import Reader
from hil.broker import Broker
from tests.gateway.intake.relay import Relay
from tests.gateway.support import (
    NOW_S,
    ROOT,
    Device,
    Running,
    Sender,
    make_certificate,
    mosquitto,
    wait_until,
    window,
    write_config,
)

SENDER = Sender()
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def frame(seq: int) -> bytes:
    return SENDER.frame([window(seq, NOW_S - 900 * 5000 + 900 * seq)])


@pytest.fixture
def states() -> list[str]:
    return []


@pytest.fixture(params=["stream", "paho"])
def relay(request: pytest.FixtureRequest, broker: Broker) -> Iterator[Relay]:
    """The way to the broker: TCP for the one carrier, WebSocket for the other."""
    one = Relay(broker.port, websocket=request.param == "paho")
    yield one
    one.close()


@pytest.fixture
def intake(relay: Relay, states: list[str]) -> Iterator[Carrier]:
    """A carrier, as it is configured for this way."""
    transport: Literal["tcp", "websockets"] = "websockets" if relay.websocket else "tcp"
    config = MqttConfig(
        host="127.0.0.1", port=relay.port, transport=transport, receive_maximum=5, reconnect_max_s=1, keepalive_s=5
    )
    one = make_intake(config, steady_s, lambda state, _: states.append(state), lambda: 0.5)
    one.start()
    wait_until(lambda: "subscribed" in states)
    yield one
    one.stop()


def test_no_more_frames_are_in_memory_than_receive_maximum_says(intake: Carrier, device: Callable[..., Device]) -> None:
    """P-31."""
    terminal = device()
    for seq in range(200):
        terminal.publish("T0001", b"%d" % seq)
    wait_until(lambda: intake.waiting == 5)
    time.sleep(0.3)
    assert intake.waiting == 5
    taken: list[Delivery] = []
    while len(taken) < 200:
        batch = intake.take(5, 5, 0.01)
        assert batch
        taken += batch
        for one in batch:
            intake.release([one.token])
        assert intake.waiting <= 5  # mosquitto 2.0.11 sends all that it has at a PUBACK, whatever was agreed
    assert [one.data for one in taken] == [b"%d" % seq for seq in range(200)]


def test_what_was_not_released_comes_again_and_an_old_token_releases_nothing(
    broker: Broker, relay: Relay, intake: Carrier, states: list[str], device: Callable[..., Device]
) -> None:
    """P-71"""
    device().publish("T0001", b"once")
    tokens = []
    for count in (2, 3):
        (one,) = intake.take(5, 5, 0.01)
        tokens.append(one.token)
        relay.cut()
        wait_until(lambda: states.count("subscribed") == count)  # noqa: B023  (it is called here)
        for token in tokens:
            intake.release([token])
    (again,) = intake.take(5, 5, 0.01)
    assert again.data == b"once"
    assert again.token not in tokens
    assert "Received PUBACK" not in broker.process.text()
    intake.release([again.token])
    wait_until(lambda: "Received PUBACK" in broker.process.text())
    relay.cut()
    wait_until(lambda: states.count("subscribed") == 4)
    assert intake.take(5, 0.3, 0) == []


def test_a_connection_that_is_half_open_is_given_up(
    relay: Relay, intake: Carrier, states: list[str], device: Callable[..., Device]
) -> None:
    """P-72"""
    relay.freeze()
    device().publish("T0001", b"meanwhile")
    wait_until(lambda: "disconnected" in states)
    relay.thaw()
    wait_until(lambda: states.count("subscribed") == 2)
    assert [one.data for one in intake.take(5, 5, 0.01)] == [b"meanwhile"]


def test_what_goes_down_while_the_broker_is_away_arrives_when_it_is_back(
    relay: Relay, intake: Carrier, states: list[str], device: Callable[..., Device]
) -> None:
    """P-73"""
    terminal = device()
    relay.cut()
    wait_until(lambda: "disconnected" in states)
    for number in range(100):
        assert intake.publish_down([("T0001", b"%d" % number)])
    assert terminal.down(100) == [b"%d" % number for number in range(100)]


def test_what_names_no_terminal_or_is_too_large_is_handed_on_as_such(
    intake: Carrier, device: Callable[..., Device]
) -> None:
    terminal = device()
    terminal.publish("电", b"odd")
    terminal.publish("T0001", bytes(70_000))
    terminal.publish("T0001", b"")
    odd, large, empty = (intake.take(1, 5, 0)[0] for _ in range(3))
    assert (odd.terminal, odd.topic, odd.data) == ("", "wattline/up/电", b"odd")
    assert (large.terminal, large.length, large.data) == ("T0001", 70_000, bytes(4097))
    assert (empty.length, empty.data) == (0, b"")


def test_messages_at_qos_0_are_taken_and_need_no_release(intake: Carrier, device: Callable[..., Device]) -> None:
    device().client.publish("wattline/up/T0001", b"qos 0", qos=0)
    (one,) = intake.take(5, 5, 0.01)
    assert one.data == b"qos 0"
    intake.release([one.token])


def test_frames_come_over_tls_and_from_no_broker_but_ours(
    tmp_path: Path, states: list[str], device: Callable[..., Device], broker: Broker
) -> None:
    ours, theirs = make_certificate(tmp_path / "ours"), make_certificate(tmp_path / "theirs")
    folder = tmp_path / "tls"
    with Broker(mosquitto(), folder, {}) as plain:
        config = folder / "mosquitto.conf"
        config.write_text(config.read_text() + f"certfile {ours}.crt\nkeyfile {ours}.key\n")
        plain.process.start()
        wait_until(lambda: "listen socket on port" in plain.process.text())
        for trusted, state in ((theirs, "connect_failed"), (ours, "subscribed")):
            states.clear()
            settings = MqttConfig(host="localhost", port=plain.port, tls_ca_file=f"{trusted}.crt", reconnect_max_s=1)
            one = make_intake(settings, steady_s, lambda state, _: states.append(state), lambda: 0.5)
            one.start()
            wait_until(lambda: state in states)  # noqa: B023  (it is called here)
            if trusted == ours:
                for number in range(2000):
                    one.publish_down([("T0001", b"%04d" % number * 100)])
                wait_until(lambda: plain.process.text().count("Received PUBLISH from wattline-gateway") == 2000)
            one.stop()


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
