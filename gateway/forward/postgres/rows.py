"""A batch as rows of PostgreSQL's binary COPY (its documentation: COPY, Binary Format)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Collection, Mapping
from itertools import compress
from typing import NamedTuple

from cext.pgcopy import reading_rows, window_rows
from gateway.forward.sink import Batch
from gateway.journal.rows import Mark
from protocol.record import WINDOW

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
Log = tuple[str, int]  # terminal, epoch
Key = tuple[int, int]  # log, seq


class Copied(NamedTuple):
    """Windows as rows for `windows` and `readings`."""

    windows: bytes
    readings: bytes


class Rows:
    """All windows of a batch; events are left out. placed: (log, seq, start s) of those that were."""

    def __init__(self, batch: Batch, log_ids: Mapping[Log, int]) -> None:
        self._columns = batch.columns
        chosen = [(one, row) for one, row in zip(batch.records, batch.rows, strict=True) if one.type == WINDOW]
        self._rows = array("q", [row for _, row in chosen])
        self._starts = array("q", [one.start_s or 0 for one, _ in chosen])
        self._logs = array("q", [log_ids[one.terminal, one.epoch] for one, _ in chosen])
        self._received_ms = array("q", batch.received_ms)
        self._marks = [_marks_text(one.marks) if one.marks else b"" for one, _ in chosen]
        self._keys = [(log, one.seq) for log, (one, _) in zip(self._logs, chosen, strict=True)]
        timed = batch.columns.records.has_time
        self.placed = [
            (*key, start_s)
            for row, start_s, key in zip(self._rows, self._starts, self._keys, strict=True)
            if not timed[row]
        ]

    def windows(self) -> bytes:
        """The rows for `windows` alone."""
        return window_rows(
            self._columns.records.rows, self._rows, self._starts, self._logs, self._received_ms, self._marks
        )

    def all(self) -> Copied:
        """Of all windows."""
        return Copied(self.windows(), self._readings(self._rows, self._starts, self._logs))

    def part(self, keys: Collection[Key], *, among: bool) -> Copied:
        """Of those that are among these, or of the others."""
        chosen = [(one in keys) == among for one in self._keys]
        rows, starts, logs = (array("q", compress(one, chosen)) for one in (self._rows, self._starts, self._logs))
        marks = list(compress(self._marks, chosen))
        windows = window_rows(self._columns.records.rows, rows, starts, logs, self._received_ms, marks)
        return Copied(windows, self._readings(rows, starts, logs))

    def _readings(self, rows: array[int], starts: array[int], logs: array[int]) -> bytes:
        return reading_rows(self._columns.records.rows, self._columns.slots.rows, rows, starts, logs)


def _marks_text(marks: list[Mark]) -> bytes:
    return " ".join(check if point is None else f"{check}:{point}" for check, point in marks).encode("ascii")
