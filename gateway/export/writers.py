"""Rows into a file of one format, a bounded number of them in memory."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
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
            shown = list(row)  # null is empty, numbers and texts are as they are
            for at, text in _TEXTS:
                shown[at] = text(row[at])
            self._table.writerow(shown)


@lru_cache(1024)  # the points of a window share their times
def _seconds(value: int) -> str:
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(1024)
def _milliseconds(value: int) -> str:
    return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flag(value: bool) -> str:
    return "true" if value else "false"


_TEXT_OF: dict[str, Callable[[Any], str]] = {SECONDS: _seconds, MILLISECONDS: _milliseconds, FLAG: _flag}
_TEXTS = [(at, _TEXT_OF[column.kind]) for at, column in enumerate(COLUMNS) if column.kind in _TEXT_OF]


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
