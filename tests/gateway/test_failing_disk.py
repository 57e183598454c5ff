"""A real gateway on a disk that fails: nothing is acknowledged meanwhile, and all comes in when it is well again."""

import errno
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal.reader import Reader
from hil.broker import Broker
from hil.disk import Disk
from hil.process import Process
from tests.gateway.support import Device, Sender, wait_until, window, write_config

pytestmark = pytest.mark.slow
SENDER = Sender()
STRANGER = Sender("T0666", b"x" * 32)
FRAMES = 120
WAIT_S = 60.0


def acked(terminal: Device) -> set[int]:
    ranges = [one for data in terminal.down(0) for one in SENDER.open_ack(data).durable]
    return {seq for first, last in ranges for seq in range(first, last + 1)}


@pytest.mark.parametrize(
    ("number", "syncs_only"),
    [(errno.EIO, False), (errno.EIO, True), (errno.EROFS, False), (errno.ENOSPC, True)],
    ids=["I/O errors", "I/O errors at syncs", "read-only", "no room at syncs"],
)
def test_nothing_is_acknowledged_on_a_failing_disk_and_all_comes_when_it_is_well(
    tmp_path: Path, broker: Broker, device: Callable[..., Device], number: int, syncs_only: bool
) -> None:
    """P-109: journal and quarantine; what was acknowledged then outlives a power cut."""
    config = write_config(tmp_path, broker.port, [SENDER])
    begin_s = int(time.time()) // 900 * 900 - 900 * 2 * FRAMES
    disk, terminal = Disk(tmp_path / "data"), device()

    def publish(seq: int) -> None:
        terminal.publish("T0001", SENDER.frame([window(seq, begin_s + 900 * seq, end_uptime_s=900 * seq + 900)]))

    command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(config)]
    with Process("gateway", command, tmp_path / "log", disk.env()) as gateway:
        gateway.start()
        gateway.wait_for_line(r'^\{"ready": true', WAIT_S)
        publish(0)
        wait_until(lambda: acked(terminal) == {0}, "the first ack")
        disk.fail(number, syncs_only=syncs_only)
        for seq in range(1, FRAMES):
            publish(seq)
            if seq % 10 == 0:
                terminal.publish(STRANGER.name, STRANGER.frame([window(seq)]))
        wait_until(lambda: gateway.text().count("store_unavailable") >= 1, "that the disk is said to be gone")
        time.sleep(2.5)  # it is tried again each second
        assert acked(terminal) == {0}
        assert gateway.running
        disk.fail(None)
        wait_until(lambda: acked(terminal) == set(range(FRAMES)), "all acks")
        wait_until(lambda: "store_back" in gateway.text(), "that the disk is said to be back")
        gateway.kill()
    disk.cut(random.Random(number))
    reader = Reader(disk.folder)
    assert sorted(one.seq for one in reader.records_after(0, 1000)) == list(range(FRAMES))
    reader.close()
