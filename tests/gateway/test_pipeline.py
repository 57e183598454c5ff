"""From the broker to the journal and back: real mosquitto, real SQLite, the whole gateway in one process."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gateway.journal.reader import Reader
from hil.broker import Broker
from tests.gateway.support import Device, Running, Sender, window, write_config


def test_a_record_is_acked_once_it_is_in_the_journal(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    sender = Sender()
    gateway = start(write_config(tmp_path, broker.port, [sender]))
    terminal = device()
    terminal.publish("T0001", sender.frame([window(1), window(2)]))
    (data,) = terminal.down(1)
    ack = sender.open_ack(data)
    assert (ack.epoch, ack.durable, ack.refused) == (7, [(1, 2)], [])
    assert ack.echo == (1, sender.uptime_ms)
    reader = Reader(tmp_path / "data")
    assert [(one.terminal, one.epoch, one.seq) for one in reader.records_after(0, 10)] == [
        ("T0001", 7, 1),
        ("T0001", 7, 2),
    ]
    assert reader.raw(2) == window(2)
    assert gateway.metric("wattline_frames_total", result="accepted") == 1


def test_metrics_are_served_on_loopback_with_every_result_by_its_label(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    sender = Sender()
    gateway = start(write_config(tmp_path, broker.port, [sender]))
    terminal = device()
    terminal.publish("T0001", sender.frame([window(1)]))
    terminal.publish("T0001", sender.frame([window(1)]))
    terminal.publish("T0001", b"\x00")
    terminal.publish("T0001", sender.frame([window(2)]))
    terminal.down(1)
    port = json.loads(gateway.said)["metrics_port"]
    wanted = {
        'wattline_frames_total{result="accepted"} 2.0',
        'wattline_frames_total{result="repeated"} 1.0',
        'wattline_frames_total{result="refused"} 1.0',
        'wattline_frames_refused_total{reason="tag"} 1.0',
        'wattline_records_total{outcome="new"} 2.0',
        'wattline_records_total{outcome="repeated"} 1.0',
        "wattline_quarantine_frames 1.0",
        "wattline_broker_connected 1.0",
    }
    said: set[str] = set()
    deadline = time.monotonic() + 60
    while not wanted <= said and time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            said = set(answer.read().decode().splitlines())
    assert wanted <= said
