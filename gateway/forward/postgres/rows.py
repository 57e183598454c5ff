"""A batch as rows of PostgreSQL's binary COPY (its documentation: COPY, Binary Format)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from typing import NamedTuple

from cext.pgcopy import reading_rows
from gateway.forward.sink import Batch
from gateway.journal.rows import Mark
from protocol.record import WINDOW

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
Log = tuple[str, int]  # terminal, epoch
EPOCH_2000_S = 946_684_800
# a window's fields, each behind its length: start, log, seq, length_s, received, boot, end_uptime_s, samples_due,
# clock_source, clock_error_s, placed; then the length of marks
_WINDOW = struct.Struct(">h iq ii iq ih iq iq iq ih ih ii i? i".replace(" ", ""))
_FIELDS = 12


class Windows(NamedTuple):
    """The windows of a batch: rows for `windows` and `readings`; (log, seq, start s) of those that were placed."""

    windows: bytes
    readings: bytes
    readings_count: int
    placed: list[tuple[int, int, int]]


def windows_of(batch: Batch, log_ids: Mapping[Log, int]) -> Windows:
    """All windows of the batch; events are left out."""
    records = batch.columns.records
    chosen = [(one, row) for one, row in zip(batch.records, batch.rows, strict=True) if one.type == WINDOW]
    logs = [log_ids[one.terminal, one.epoch] for one, _ in chosen]
    starts = [one.start_s or 0 for one, _ in chosen]
    rows = [row for _, row in chosen]
    columns = zip(
        *(
            _picked(column, rows)
            for column in (
                records.frame,
                records.length_s,
                records.boot,
                records.uptime_s,
                records.samples_due,
                records.clock_source,
                records.clock_error_s,
                records.has_time,
            )
        ),
        strict=True,
    )
    packed, placed = [], []
    for (one, _), log, start_s, (frame, length_s, boot, uptime_s, due, source, error_s, timed) in zip(
        chosen, logs, starts, columns, strict=True
    ):
        marks = _marks_text(one.marks).encode("ascii") if one.marks else b""
        packed.append(
            _WINDOW.pack(
                _FIELDS,
                8,
                (start_s - EPOCH_2000_S) * 1_000_000,
                4,
                log,
                8,
                one.seq,
                2,
                length_s,
                8,
                batch.received_ms[frame] * 1000 - EPOCH_2000_S * 1_000_000,
                8,
                boot,
                8,
                uptime_s,
                2,
                due,
                2,
                source,
                4,
                error_s,
                1,
                not timed,
                len(marks),
            )
        )
        packed.append(marks)
        if not timed:
            placed.append((log, one.seq, start_s))
    readings, count = reading_rows(
        records.rows, batch.columns.slots.rows, array("q", rows), array("q", starts), array("q", logs)
    )
    return Windows(b"".join(packed), readings, count, placed)


def _picked(column: memoryview, rows: list[int]) -> list[int]:
    return [column[row] for row in rows]


def _marks_text(marks: list[Mark]) -> str:
    return " ".join(check if point is None else f"{check}:{point}" for check, point in marks)
