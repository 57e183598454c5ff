"""A row's columns: one row a point and window. Units end the names (dv = 0.1 V, milli = 0.001); absent is null."""

from typing import Any, NamedTuple

from protocol.record import Reading

TEXT, INTEGER, FLAG, SECONDS, MILLISECONDS = "text", "integer", "flag", "s", "ms"  # the last two: instants, UTC


class Column(NamedTuple):
    """A column. meaning: for the next reader of the file."""

    name: str
    kind: str
    meaning: str


COLUMNS = (
    Column("terminal", TEXT, "its id"),
    Column("point", INTEGER, "number of the measured feeder, 1 to 32"),
    Column("start_unix_s", INTEGER, "the window's start"),
    Column("start_utc", SECONDS, "the same, ISO 8601"),
    Column("length_s", INTEGER, "900, or less after a first clock set"),
    Column("received_unix_ms", INTEGER, "when the gateway took it"),
    Column("received_utc", MILLISECONDS, "the same, ISO 8601"),
    Column("none_because", INTEGER, "why there is no reading (SPEC.md, FR-29); null: there is one"),
    *(Column(name, INTEGER, "see protocol/record.py, Reading") for name in Reading._fields),
    Column("marks", TEXT, "what verify found of this point or the whole record, by ;"),
    Column("samples_due", INTEGER, "of the window"),
    Column("clock_source", INTEGER, "0 none, 1 RTC, 2 SNTP or a modem, 3 gateway"),
    Column("clock_error_s", INTEGER, "at most; 65535 = not known"),
    Column("placed", FLAG, "true: the terminal did not know the time, the gateway placed the window (FR-26)"),
    Column("epoch", INTEGER, "the terminal's log"),
    Column("seq", INTEGER, "the record's number in it"),
    Column("boot", INTEGER, "the terminal's start"),
    Column("end_uptime_s", INTEGER, "seconds since that start, at the window's end"),
)
NAMES = tuple(column.name for column in COLUMNS)

Row = tuple[Any, ...]  # as COLUMNS; instants as integers of their unit
