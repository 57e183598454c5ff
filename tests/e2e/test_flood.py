"""Somebody floods the broker with bad frames: all good ones get their acks, at the cost of bounded memory and disk."""

import json
import sys
import time
from pathlib import Path

import pytest

from gateway.quarantine.quarantine import QuarantineReader
from hil.benchmarks.processes import cpu_s, rss_mib
from hil.broker import Broker
from hil.process import Process
from tests.gateway.support import Device, Sender, mosquitto, wait_until, window, write_config

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
RATE, SECONDS = 1000, 5
MAX_FRAMES = 300
CPU_S_A_FRAME = 1 / RATE  # one core is enough for the rate; measured 0.0002
RSS_GROWTH_MIB = 48  # 2,000 frames of 4 KiB that may wait, some caches; measured 5


def test_a_flood_of_bad_frames_costs_bounded_memory_and_delays_no_good_one_for_good(tmp_path: Path) -> None:
    """S-21: 1,000 bad frames a second through a real broker; by how much they delay, the benchmark `flood` says."""
    sender = Sender()
    begin_s = int(time.time()) // 900 * 900 - 900 * 5000
    with Broker(mosquitto(), tmp_path / "broker", {"max_queued_messages": 20_000}) as broker:
        broker.start()
        config = write_config(tmp_path, broker.port, [sender])
        config.write_text(config.read_text() + f"[quarantine]\nmax_frames = {MAX_FRAMES}\nmax_mib = 1\n")
        command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(config)]
        words = [str(word) for word in (broker.port, RATE, SECONDS, 1, sender.name)]
        flood_command = [sys.executable, "-m", "hil.benchmarks.crowd.flood", *words]
        with (
            Process("gateway", command, tmp_path / "gateway.log") as gateway,
            Process("flood", flood_command, tmp_path / "flood.log") as flood,
        ):
            gateway.start()
            gateway.wait_for_line(r'^\{"ready": true', 60)
            before_mib, before_s = rss_mib(gateway.pid), cpu_s(gateway.pid)
            device, sent = Device(broker.port), 0
            flood.start()
            flood.wait_for_line('"ready"', 60)
            while flood.running:
                record = window(sent, begin_s + 900 * sent, end_uptime_s=900 * sent + 900)
                device.client.publish(f"wattline/up/{sender.name}", sender.frame([record]), qos=1)
                sent += 1
                time.sleep(0.1)
            published = json.loads(flood.text().splitlines()[-1])["published"]

            def acked() -> set[int]:
                ranges = [one for data in device.down(0) for one in sender.open_ack(data).durable]
                return {seq for first, last in ranges for seq in range(first, last + 1)}

            wait_until(lambda: acked() == set(range(sent)), "every good frame's ack", 60)
            device.close()
            assert rss_mib(gateway.pid) - before_mib < RSS_GROWTH_MIB
            used_s = cpu_s(gateway.pid) - before_s
            gateway.stop()
    assert published == RATE * SECONDS
    assert used_s / published < CPU_S_A_FRAME, "more than a core has time for"
    reader = QuarantineReader(tmp_path / "data")
    kept = list(reader.newest(MAX_FRAMES * 10))
    assert len(kept) <= MAX_FRAMES
    assert sum(len(one.refused.data) for one in kept) <= 1 << 20
    assert {one.refused.reason for one in kept} >= {"terminal", "mac", "truncated", "oversize", "tag"}
    assert len(reader.unknown()) > 100
