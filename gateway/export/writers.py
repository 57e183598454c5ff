"""Rows into a file of one format, a bounded number of them in memory."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from gateway.export.columns import COLUMNS, FLAG, INTEGER, MILLISECONDS, NAMES, SECONDS, TEXT, Row

Format = Literal["parquet", "csv"]


class MissingExtraError(Exception):
    """A package that is no part of the plain installation."""


class Writer(Protocol):
    """Takes rows, some at a time."""

    def write(self, rows: Iterable[Row]) -> None:
        """Add these rows."""


@contextmanager
def writer_of(form: Format, file: Path) -> Iterator[Writer]:
    """A writer on a new file; complete at the end of the block. Raises MissingExtraError, OSError."""
    if form == "csv":
        with file.open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(NAMES)
            yield _Csv(table)
    else:
        parquet = _Parquet(file)
        try:
            yield parquet
        finally:
            parquet.close()


class _Csv:
    def __init__(self, table: Any) -> None:
        self._table = table

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._table.writerow(_text(column.kind, value) for column, value in zip(COLUMNS, row, strict=True))


def _text(kind: str, value: Any) -> Any:
    """As CSV has it; null is empty."""
    if kind == SECONDS:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if kind == MILLISECONDS:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == FLAG:
        return "true" if value else "false"
    return value


class _Parquet:
    def __init__(self, file: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415  (an extra: only who asks for Parquet needs it)
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name) from error
        types = {
            TEXT: pa.string(),
            INTEGER: pa.int64(),
            FLAG: pa.bool_(),
            SECONDS: pa.timestamp("s", tz="UTC"),
            MILLISECONDS: pa.timestamp("ms", tz="UTC"),
        }
        fields = [pa.field(one.name, types[one.kind], metadata={"meaning": one.meaning}) for one in COLUMNS]
        self._pa, self._schema = pa, pa.schema(fields)
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Iterable[Row]) -> None:
        """Each call makes a row group."""
        columns = list(zip(*rows, strict=True))
        if columns:
            arrays = [self._pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
            self._writer.write_batch(self._pa.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        """The file's end, without which it is none."""
        self._writer.close()
