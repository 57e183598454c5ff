"""From the broker to the journal and back: real mosquitto, real SQLite, the whole gateway in one process."""

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
