"""A broker's PUBACK promises nothing: what it acknowledged and lost comes again from the terminal's log."""

import json
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hil.scenario import TERMINAL
from tests.e2e.parts import Parts, parts, times_in_journal
from tests.gateway.support import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
DROPPED = "$SYS/broker/publish/messages/dropped"


def prefill(made: Parts, count: int) -> tuple[int, int, int]:
    """So many records in the terminal's log: (epoch, first, last)."""
    printed = made.terminal.run_vm("prefill.py", str(made.terminal.image), str(count))
    told = json.loads(printed.splitlines()[-1])
    assert told["last"] - told["first"] + 1 == count
    return told["epoch"], told["first"], told["last"]


def subscribe_once(made: Parts) -> None:
    """The gateway's session exists at the broker from now on; the gateway itself is gone."""
    made.gateway.start()
    made.gateway.wait_until_ready()
    made.gateway.stop()


def dropped_by(port: int, at_least: int) -> int:
    """Messages that the broker says it dropped; it counts anew each second."""
    found: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _client, _data, message: found.append(int(message.payload))
    client.connect("127.0.0.1", port)
    client.subscribe(DROPPED)
    client.loop_start()
    wait_until(lambda: max(found, default=0) >= at_least, "the broker's count of dropped messages")
    client.loop_stop()
    client.disconnect()
    return found[-1]


def assert_each_once(made: Parts, epoch: int, first: int, last: int) -> None:
    times = times_in_journal(made.gateway, epoch)
    lost = [seq for seq in range(first, last + 1) if times[seq] == 0]
    twice = [seq for seq, count in times.items() if count > 1]
    assert (lost, twice) == ([], [])


def test_500_pubacked_frames_survive_a_broker_killed_before_the_gateway_has_them(tmp_path: Path) -> None:
    """R-02: mosquitto acknowledges 500 frames, holds them for the gateway in memory, and is killed with -9."""
    with parts(tmp_path, {"ack_timeout_ms": 5000, "unacked_frames": 1024, "records_per_frame": 1}) as made:
        made.broker.start()
        subscribe_once(made)
        epoch, first, last = prefill(made, 500)
        made.terminal.start()
        wait_until(lambda: made.broker.pubacked(TERMINAL) >= 500, "500 PUBACKs", 60)
        assert made.gateway.windows() == 0
        made.broker.kill()
        made.broker.start()
        made.gateway.start()
        wait_until(lambda: made.gateway.windows() >= 500, "500 windows in the journal", 60)
        assert_each_once(made, epoch, first, last)


def test_3000_frames_past_the_brokers_queue_all_arrive(tmp_path: Path) -> None:
    """R-03: mosquitto acknowledges 3,000 frames, and drops all but the 1,000 that its queue for the gateway holds."""
    with parts(tmp_path, {"ack_timeout_ms": 20000, "unacked_frames": 4096, "records_per_frame": 1}) as made:
        made.broker.start()
        subscribe_once(made)
        epoch, first, last = prefill(made, 3000)
        made.terminal.start()
        wait_until(lambda: made.broker.pubacked(TERMINAL) >= 3000, "3,000 PUBACKs", 120)
        dropped = dropped_by(made.broker.port, 1900)
        print(f"PUBACKed {made.broker.pubacked(TERMINAL)}, dropped by the broker {dropped}")
        assert made.broker.overflowed()
        began = time.monotonic()
        made.gateway.start()
        wait_until(lambda: made.gateway.windows() >= 3000, "3,000 windows in the journal", 120)
        print(f"all in the journal after {time.monotonic() - began:.1f} s")
        assert_each_once(made, epoch, first, last)
