"""Parquet files on a disk that keeps what was synced, and nothing else; that is full, read-only, slow."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

from pyarrow import parquet

from gateway.forward import outbox as store
from hil.disk import Disk

SYNCED_ALONE = 2  # a seed by which nothing survives a cut that was not synced
RECORDS = 30
FEED = f"""
import sys
from pathlib import Path
from gateway.config import ParquetConfig
from gateway.forward.parquet_sink import ParquetSink
from gateway.forward.sink import SinkError
from tests.gateway.forward.world import FakeSink, World
from tests.gateway.support import NOW_S, window

world = World(Path(sys.argv[1]), FakeSink())
config = ParquetConfig(name="s", folder=sys.argv[2], batch_records=7)
world.forwarder._sink = ParquetSink(config, lambda _: None)
if not world.reader.last_id():
    world.commit([window(seq, NOW_S - 86400 * (seq // 10) - 900 * seq) for seq in range({RECORDS})])
try:
    world.run()
except SinkError as error:
    world.forwarder.failed(error)
world.close()
"""


def feed(data: Path, disk: Disk) -> None:
    """A process of its own, whose disk it is."""
    command = [sys.executable, "-c", FEED, str(data), str(disk.folder)]
    done = subprocess.run(command, env={**os.environ, **disk.env()}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def held(folder: Path) -> list[int]:
    files = folder.rglob("*.parquet")
    return sorted(seq for file in files for seq in parquet.read_table(file, partitioning=None)["seq"].to_pylist())


def test_what_counts_as_safe_survives_a_power_cut_with_the_folders_that_it_is_in(tmp_path: Path) -> None:
    """P-239."""
    disk = Disk(tmp_path / "out")
    feed(tmp_path / "data", disk)
    assert store.settled(tmp_path / "data", "s")[0] == RECORDS
    disk.cut(random.Random(SYNCED_ALONE))
    assert held(disk.folder) == list(range(RECORDS))


def test_a_disk_that_takes_nothing_is_named_and_gets_everything_when_it_does(tmp_path: Path) -> None:
    """P-239: nothing counts as safe until then; a slow disk is only slow."""
    disk = Disk(tmp_path / "out")
    for number, reason in ((errno.ENOSPC, "full"), (errno.EROFS, "read_only")):
        disk.fail(number)
        feed(tmp_path / "data", disk)
        assert store.status(tmp_path / "data", "s")["reason"] == reason
        assert store.settled(tmp_path / "data", "s") == (0, 0)
    disk.fail(None)
    disk.slow(1)
    feed(tmp_path / "data", disk)
    assert held(disk.folder) == list(range(RECORDS))
