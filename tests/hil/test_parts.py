"""Parts of the target `unix` that faults act on: a stranger on the broker, and a gateway whose disk fails."""

import errno
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.intake.deliveries import DOWN, UP
from hil import scenario, wiring
from hil.bench import MOSQUITTO
from hil.benchmarks.ingest.load import connect
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.ports import free_port
from hil.stranger import FORGED_AT_ONCE, HEARD_MAX, Knowledge, Stranger

LIMIT_S = 60.0
HEARD = {(UP + "T0001", b"frame 1"), (UP + "T0001", b"frame 2"), (UP + "T0002", b"frame 1")}


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stranger_knows_what_he_has_heard_each_once_and_makes_up_the_rest() -> None:
    knowledge = Knowledge(1, "T0001")
    for topic, payload in [*HEARD, *HEARD, (DOWN + "T0001", b"ack")]:
        knowledge.hear(topic, payload)
    assert sorted(knowledge.messages("replay")) == sorted(HEARD)
    assert list(knowledge.messages("replay_acks")) == [(DOWN + "T0001", b"ack")]
    forged = list(knowledge.messages("forge"))
    assert len(forged) == FORGED_AT_ONCE
    assert not set(forged) & HEARD
    assert {UP + "T0001"} < {topic for topic, _ in forged}


def test_what_a_stranger_keeps_is_bounded() -> None:
    knowledge = Knowledge(1, "T0001")
    for number in range(HEARD_MAX + 10):
        knowledge.hear(UP + "T0001", b"%d" % number)
    kept = {payload for _, payload in knowledge.messages("replay")}
    assert kept == {b"%d" % number for number in range(10, HEARD_MAX + 10)}


@pytest.mark.slow
def test_a_stranger_sends_again_what_he_has_heard_and_is_counted_as_no_terminal(tmp_path: Path) -> None:
    with Broker(MOSQUITTO, tmp_path / "broker") as broker:
        broker.start()
        with Stranger(tmp_path / "stranger", broker.port, 1, "T0001") as stranger:
            stranger.start(wait=True)
            terminal, _ = connect(broker.port, "T0001")
            terminal.sendall(packets_of(UP + "T0001", b"a frame"))
            wait(lambda: "Received PUBACK from stranger" in broker.process.text())  # he has heard it
            stranger.act("replay")
            wait(lambda: "PUBLISH from stranger" in broker.process.text())
            assert broker.published() == 1
            terminal.close()


def packets_of(topic: str, payload: bytes) -> bytes:
    """A PUBLISH at QoS 1 (MQTT 5, 3.3): topic, packet id 1, no properties."""
    body = len(topic).to_bytes(2, "big") + topic.encode() + b"\0\1\0" + payload
    return b"\x32" + bytes((len(body),)) + body


@pytest.mark.slow
def test_a_gateway_that_a_failing_disk_keeps_from_starting_says_so_and_is_started_again(tmp_path: Path) -> None:
    with Broker(MOSQUITTO, tmp_path / "broker") as broker:
        broker.start()
        clock = ScaledClock(time.time_ns(), time.time_ns() // 1_000_000, 1)
        ports = wiring.Ports(broker.port, free_port())
        config = wiring.write_gateway(scenario.load("platform_silent"), tmp_path / "gateway", ports)
        with Gateway(config, clock, frail=True) as gateway:
            gateway.fail_disk(errno.EIO)
            gateway.start()
            wait(lambda: not gateway.process.running)
            assert gateway.process.status == 1
            assert "Input/output error" in gateway.process.text()
            gateway.fail_disk(None)
            assert gateway.keep_alive() is None, "what it has said is no crash"
            gateway.wait_until_ready()
            gateway.stop()
            assert gateway.keep_alive() is None
            assert not gateway.process.running, "nobody wants it any more"
        with Gateway(config, clock) as sound:
            sound.start()
            sound.wait_until_ready()
            sound.process.stop()
            assert "the gateway ended with status 0" in (sound.keep_alive() or ""), "with a sound disk it must not end"
