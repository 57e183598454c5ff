"""The bench's broker: Debian's mosquitto, on one port over all its starts."""

from pathlib import Path

import pytest

from hil.bench import MOSQUITTO
from hil.broker import Broker
from hil.process import BenchError


def test_a_broker_comes_back_on_its_port_after_a_stop_and_after_kill_9(tmp_path: Path) -> None:
    with Broker(MOSQUITTO, tmp_path / "broker") as broker:
        for end in (broker.stop, broker.kill):
            broker.start()
            end()
            assert not broker.process.running
        assert broker.process.text().count(f"socket on port {broker.port}") >= 2
        assert (tmp_path / "broker" / "mosquitto.db").exists()  # written by the clean stop


def test_a_setting_that_mosquitto_does_not_know_is_an_error_with_its_words(tmp_path: Path) -> None:
    with Broker(MOSQUITTO, tmp_path / "broker", {"max_cued_messages": 5}) as broker, pytest.raises(BenchError):
        broker.start()


def test_what_terminals_publish_is_counted_from_the_log(tmp_path: Path) -> None:
    broker = Broker(MOSQUITTO, tmp_path / "broker")
    broker.process.log.write_text(
        "1: Received PUBLISH from T0001 (d0, q1, r0, m2, 'wattline/up/T0001', ... (77 bytes))\n"
        "1: Sending PUBACK to T0001 (m2, rc0)\n"
        "1: Sending PUBLISH to wattline-gateway (d0, q1, r0, m1, 'wattline/up/T0001', ... (77 bytes))\n"
        "1: Received PUBLISH from T0001 (d1, q1, r0, m3, 'wattline/up/T0001', ... (77 bytes))\n"
        "1: Sending PUBACK to T0001 (m3, rc135)\n"
        "1: Received PUBLISH from wattline-gateway (d0, q1, r0, m3, 'wattline/down/T0001', ... (90 bytes))\n",
        encoding="utf-8",
    )
    assert (broker.published(), broker.pubacked("T0001"), broker.overflowed()) == (2, 1, False)
