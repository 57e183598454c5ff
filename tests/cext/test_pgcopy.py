"""Rows of PostgreSQL's binary COPY against plain packing."""

import struct
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext.pgcopy import reading_rows, window_rows
from protocol import record
from tests.cext.both import columns_of
from tests.protocol.strategies import windows as any_window

EPOCH_2000_S = 946_684_800
# by column, as in gateway/forward/postgres/schema: start, log, seq, point, none_because, and a reading's values
FORMS = "qiqhh" + "hhh" + "iii" + "qqqq" + "iiiiii" + "hihi"


WINDOW_FORMS = "qiqhqqqhhi?"  # likewise, without the marks


def packed(row: list[Any], forms: str = FORMS) -> bytes:
    fields = [
        struct.pack(">i", -1) if value is None else struct.pack(f">i{form}", struct.calcsize(f">{form}"), value)
        for form, value in zip(forms, row, strict=True)
    ]
    return struct.pack(">h", len(row)) + b"".join(fields)


@given(any_window(), st.integers(1_577_836_800, 4_102_444_800), st.integers(1, 2**31 - 1))
def test_rows_are_those_of_plain_packing(window: record.Window, start_s: int, log: int) -> None:
    """P-150."""
    columns = columns_of(record.encode_window(9, window))
    rows = []
    for point, slot in enumerate(window.readings, start=1):
        head = [(start_s - EPOCH_2000_S) * 1_000_000, log, 9, point]
        if isinstance(slot, record.Reading):
            rows.append([*head, None, *slot])
        elif slot is not None:
            rows.append([*head, slot, *[None] * len(record.Reading._fields)])
    found = reading_rows(
        columns.records.rows, columns.slots.rows, array("q", [0]), array("q", [start_s]), array("q", [log])
    )
    assert found == b"".join(map(packed, rows))


@given(any_window(), st.integers(1_577_836_800, 4_102_444_800), st.integers(1, 2**31 - 1), st.binary(max_size=300))
def test_a_windows_row_is_that_of_plain_packing(window: record.Window, start_s: int, log: int, marks: bytes) -> None:
    """P-150."""
    columns = columns_of(record.encode_window(9, window))
    received_ms = 1_772_323_200_123
    start_us, received_us = (start_s - EPOCH_2000_S) * 1_000_000, (received_ms - EPOCH_2000_S * 1000) * 1000
    head = [start_us, log, 9, window.length_s, received_us, window.boot, window.end_uptime_s, window.samples_due]
    row = packed([*head, window.clock_source, window.clock_error_s, window.start_s is None], WINDOW_FORMS)
    at, starts, logs = (array("q", [value] * 2) for value in (0, start_s, log))
    found = window_rows(columns.records.rows, at, starts, logs, array("q", [received_ms]), [marks, b""])
    row = struct.pack(">h", 12) + row[2:]
    assert found == row + struct.pack(">i", len(marks)) + marks + row + struct.pack(">i", 0)


def test_what_does_not_belong_together_is_refused() -> None:
    columns = columns_of(record.encode_window(9, record.Window(None, 900, 1, 900, 0, 65535, 90, [1])))
    event = record.encode_event(1, record.Event(None, 1, 1, 0, 65535, 1, None, []))
    tables = columns.records.rows, columns.slots.rows
    one = array("q", [0])
    assert reading_rows(*tables, array("q"), array("q"), array("q")) == b""
    with pytest.raises(ValueError, match="as many"):
        reading_rows(*tables, one, array("q"), one)
    for wrong in (-1, 1, 2**40):
        with pytest.raises(IndexError):
            reading_rows(*tables, array("q", [wrong]), one, one)
        with pytest.raises(IndexError):
            window_rows(tables[0], array("q", [wrong]), one, one, one, [b""])
    with pytest.raises(IndexError):
        reading_rows(tables[0], b"", one, one, one)
    with pytest.raises(IndexError):
        reading_rows(columns_of(event).records.rows, b"", one, one, one)
    with pytest.raises(IndexError):
        window_rows(columns_of(event).records.rows, one, one, one, one, [b""])
    with pytest.raises(IndexError):
        window_rows(tables[0], one, one, one, array("q"), [b""])
    with pytest.raises(ValueError, match="as many"):
        window_rows(tables[0], one, one, one, one, [])
    with pytest.raises(TypeError):
        window_rows(tables[0], one, one, one, one, [None])  # type: ignore[list-item]
