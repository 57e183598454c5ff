"""Parquet files as a sink: by day and county, each record once."""

import random
from collections import Counter
from pathlib import Path

import pytest
from pyarrow import parquet

from gateway.config import ParquetConfig
from gateway.export.columns import NAMES
from gateway.forward import outbox as store
from gateway.forward import refeeds
from gateway.forward.parquet_sink import ParquetSink
from gateway.forward.sink import SinkError
from protocol import record
from tests.gateway.forward.world import FakeSink, World
from tests.gateway.support import NOW_S, event, window

DAY_S = 86400


class Files(World):
    """A world whose sink is a folder."""

    def __init__(self, folder: Path, batch_records: int = 30) -> None:
        self.out = folder / "out"
        self.config = ParquetConfig(
            name="s", folder=str(self.out), counties={"T1": "east", "T12": "west"}, batch_records=batch_records
        )
        super().__init__(folder / "data", FakeSink())

    def open(self) -> None:
        super().open()
        self.forwarder._sink = ParquetSink(self.config, lambda _: None)

    def rows(self) -> list[dict[str, object]]:
        files = sorted(self.out.rglob("*.parquet"))
        return [row for file in files for row in parquet.read_table(file, partitioning=None).to_pylist()]


def test_files_are_by_day_and_county_and_hold_what_the_record_says(tmp_path: Path) -> None:
    """P-156."""
    files = Files(tmp_path)
    for name in ("T0001", "T1001", "T1201"):
        files.sender.name = name
        files.commit([window(1, NOW_S - DAY_S, [record.NONE_SILENT]), window(2, NOW_S - 900), event(3)])
    files.run()
    # days are Beijing's: 2026-03-01 00:00 UTC is 08:00 there
    assert sorted(str(one.parent.relative_to(files.out)) for one in files.out.rglob("*.parquet")) == [
        f"day=2026-0{day}/county={county}" for day in ("2-28", "3-01") for county in ("east", "other", "west")
    ]
    rows = files.rows()
    assert tuple(rows[0]) == NAMES
    assert {row["none_because"] for row in rows} == {1, None}
    assert [row["p_mean_w"] for row in rows if row["none_because"] is None] == [4000] * 3
    assert store.status(files.folder, "s")["counts"] == {"delivered": 6, "skipped_event": 3}
    files.close()


def test_whatever_is_handed_over_again_stands_there_once(tmp_path: Path) -> None:
    """P-156: batches cut in other ways, restarts, a folder put back."""
    chance, files = random.Random(1), Files(tmp_path)
    for block in range(10):
        files.commit([window(40 * block + seq, NOW_S - DAY_S * 20 + 900 * (40 * block + seq)) for seq in range(40)])
        files.run()
        if chance.random() < 0.5:
            refeeds.order_refeed(files.folder, "s", 0, files.reader.last_id())
            files.config = ParquetConfig(name="s", folder=str(files.out), batch_records=chance.randrange(1, 90))
            files.restart()
    for lost in chance.sample(sorted(files.out.rglob("*.parquet")), 2):
        lost.unlink()
    refeeds.order_refeed(files.folder, "s", 0, files.reader.last_id())
    files.run()
    assert Counter(row["seq"] for row in files.rows()) == Counter(range(400))
    assert not list(files.out.rglob(".*"))
    files.close()


def test_what_is_wrong_with_a_folder_is_named_and_nothing_counts_as_safe(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.commit([window(1)])
    files.out.write_text("a file")
    with pytest.raises(SinkError, match="foreign"):
        files.run()
    files.out.unlink()
    files.run()
    (file,) = files.out.rglob("*.parquet")
    file.write_bytes(b"not ours")
    refeeds.order_refeed(files.folder, "s", 0, files.reader.last_id())
    with pytest.raises(SinkError, match="foreign"):
        files.run()
    assert file.read_bytes() == b"not ours"
    assert store.settled(files.folder, "s")[0] == 0
    files.close()
