"""Parquet files as a sink, by day and county: FOLDER/day=2026-03-01/county=C/CHUNK.parquet.

A chunk is so many record numbers of the journal: its file is read, merged by (terminal, epoch, seq) and put in place
as a whole, so that what is handed over again stands there once, however batches are cut.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cext.decoder import NONE_BECAUSE, READING
from gateway.config import ParquetConfig
from gateway.export.columns import NAMES, Row
from gateway.export.writers import writer_of
from gateway.files import sync_folder
from gateway.forward.sink import Batch, PromptSink, Receipt, SinkError
from gateway.journal.reader import Stored
from protocol.record import WINDOW, Reading

CHUNK_RECORDS = 4096  # a file is read and written again for each batch that has some of it
_TERMINAL, _EPOCH, _SEQ = (NAMES.index(name) for name in ("terminal", "epoch", "seq"))
_SAME = {"start_utc": "start_unix_s", "received_utc": "received_unix_ms"}  # instants, as numbers beside them
OTHERS = "other"  # the county of a terminal that none is named for
_NOTHING = (None,) * len(Reading._fields)
_ALL = (1 << len(Reading._fields)) - 1


class ParquetSink(PromptSink[ParquetConfig]):
    """What the forwarder drives. pause: as elsewhere."""

    def __init__(self, config: ParquetConfig, pause: Callable[[float], object]) -> None:
        super().__init__(config, pause)
        self._zone = timezone(timedelta(hours=config.utc_offset_h))
        self._counties = sorted(config.counties.items(), key=lambda one: -len(one[0]))  # the longest beginning first

    def take(self, batch: Batch) -> Receipt:
        """A file for each day, county and chunk of the batch. Raises SinkError."""
        groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
        receipt = Receipt()
        for at, one in enumerate(batch.records):
            if one.type == WINDOW:
                groups[self._day(one), self._county(one.terminal), one.id // CHUNK_RECORDS].append(at)
            else:
                receipt.skipped.append((one.id, "event"))
        try:
            for (day, county, chunk), chosen in groups.items():
                _write(Path(self._config.folder), day, county, f"{chunk:09d}.parquet", rows_of(batch, chosen))
        except OSError as error:
            raise _explained(error) from error
        return receipt

    def close(self) -> None:
        """Nothing is open between two batches."""

    def _day(self, one: Stored) -> str:
        return datetime.fromtimestamp(one.start_s or 0, UTC).astimezone(self._zone).strftime("%Y-%m-%d")

    def _county(self, terminal: str) -> str:
        return next((county for begin, county in self._counties if terminal.startswith(begin)), OTHERS)


def _write(root: Path, day: str, county: str, name: str, rows: list[Row]) -> None:
    """These rows, and those that the file has of other records, as a whole in its place, on the disk."""
    folder = root / f"day={day}" / f"county={county}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    partial = folder / f".{name}.partial"
    try:
        with writer_of("parquet", partial) as writer:
            writer.write(_others(file, rows) + rows)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    for one in (root, folder.parent, folder):  # whoever made a folder may have been killed before it was on the disk
        sync_folder(one)


def _others(file: Path, rows: list[Row]) -> list[Row]:
    """The rows of a file that are of other records than these. Raises SinkError where it is no file of ours."""
    import pyarrow as pa  # noqa: PLC0415  (an extra)
    from pyarrow import parquet  # noqa: PLC0415

    if not file.exists():
        return []
    try:
        table = parquet.read_table(file, partitioning=None)
        if tuple(table.column_names) != NAMES:
            raise SinkError("foreign", f"{file}: other columns than ours")
        columns = [table[_SAME.get(one, one)].to_pylist() for one in NAMES]
    except pa.ArrowInvalid as error:
        raise SinkError("foreign", f"{file}: no Parquet file: {error}") from error
    new = {_name(row) for row in rows}
    return [row for row in zip(*columns, strict=True) if _name(row) not in new]


def _name(row: Row) -> tuple[str, int, int]:
    return row[_TERMINAL], row[_EPOCH], row[_SEQ]


def rows_of(batch: Batch, chosen: list[int]) -> list[Row]:
    """A row for each point of these windows, as gateway/export/columns.py has them."""
    records, slots = batch.columns.records, batch.columns.slots
    names = ("frame", "first", "count", "length_s", "samples_due", "clock_source", "clock_error_s", "has_time", "boot",
             "uptime_s")  # fmt: skip
    heads: dict[str, list[int]] = {name: getattr(records, name).tolist() for name in names}
    columns = zip(
        *(column.tolist() for column in (slots.point, slots.kind, slots.none_reason, slots.present, slots.values)),
        strict=True,
    )
    of_slot: list[Any] = list(columns)
    found: list[Row] = []
    for at in chosen:
        one, row = batch.records[at], batch.rows[at]
        head = {name: column[row] for name, column in heads.items()}
        received_ms = batch.received_ms[head["frame"]]
        begin = (one.start_s, one.start_s, head["length_s"], received_ms, received_ms)
        end = (
            head["samples_due"], head["clock_source"], head["clock_error_s"], not head["has_time"], one.epoch, one.seq,
            head["boot"], head["uptime_s"],
        )  # fmt: skip
        for point, kind, reason, present, values in of_slot[head["first"] : head["first"] + head["count"]]:
            marks = ";".join(sorted({check for check, of in one.marks if of in {None, point}}))
            if kind == READING:
                shown = values if present == _ALL else [v if present >> i & 1 else None for i, v in enumerate(values)]
                found.append((one.terminal, point, *begin, None, *shown, marks, *end))
            elif kind == NONE_BECAUSE:
                found.append((one.terminal, point, *begin, reason, *_NOTHING, marks, *end))
    assert not found or len(found[0]) == len(NAMES)
    return found


def _explained(error: OSError) -> SinkError:
    text = f"{error.filename or ''}: {error.strerror or error}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SinkError("full", text)
    if error.errno == errno.EROFS:
        return SinkError("read_only", text)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return SinkError("denied", text)
    if error.errno in {errno.ENOTDIR, errno.EISDIR, errno.EEXIST}:
        return SinkError("foreign", text)
    return SinkError("unreachable", text)
