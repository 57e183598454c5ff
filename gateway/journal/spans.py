"""Spans of the journal for those who look back: one terminal's log in its own order, bounded in memory and in time.

The only other place that names the journal's columns is reader.py.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.database import connect_for_reading
from gateway.journal.journal import FILE

_ROWS_A_TIME = 256
_ENTRY = (
    "records.id, records.epoch, records.seq, records.type, coalesce(placements.start_s, records.start_s),"
    " records.length_s, records.boot, records.uptime_s, frames.received_ms, records.marks"
)
_FROM = " FROM records JOIN frames ON frames.id = records.frame LEFT JOIN placements ON placements.record = records.id"


class Entry(NamedTuple):
    """A record without its bytes. start_s: a window's start (where it was placed), an event's time; None: not known.

    uptime_s: at the window's end, at the event. received_ms: by the gateway's clock. marks: (check, point or None).
    """

    id: int
    epoch: int
    seq: int
    type: int
    start_s: int | None
    length_s: int
    boot: int
    uptime_s: int
    received_ms: int
    marks: list[tuple[str, int | None]]


class Spans:
    """Reads the journal on a connection of its own. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.OperationalError where there is no journal yet."""
        self._connection = connect_for_reading(folder / FILE)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def terminals(self) -> dict[str, int]:
        """Name to row, of every terminal that has a record."""
        return dict(self._connection.execute("SELECT name, id FROM terminals ORDER BY name"))

    def first_id(self, received_ms: int) -> int:
        """The id from which on records were received at this time or later; one past the end if none was."""
        (low,), (high,) = (
            self._connection.execute(f"SELECT coalesce({which}(id), 0) FROM records").fetchone()  # noqa: S608
            for which in ("min", "max")
        )
        high += 1
        while low < high:
            middle = (low + high) // 2
            row = self._connection.execute(
                "SELECT records.id, frames.received_ms FROM records JOIN frames ON frames.id = records.frame"
                " WHERE records.id >= ? ORDER BY records.id LIMIT 1",
                (middle,),
            ).fetchone()
            if row is not None and row[1] < received_ms:
                low = int(row[0]) + 1
            else:
                high = middle
        return int(low)

    def log(self, terminal: int, since_id: int = 0) -> Iterator[Entry]:
        """Records of a terminal's row, by epoch and number, that were accepted at this id or later."""
        # the + keeps the look-up on the index of (terminal, epoch, seq), whose entries carry the id
        rows = self._connection.execute(
            f"SELECT {_ENTRY}{_FROM} WHERE records.terminal = ? AND +records.id >= ?"
            " ORDER BY records.epoch, records.seq",
            (terminal, since_id),
        )
        while some := rows.fetchmany(_ROWS_A_TIME):
            yield from map(_entry, some)

    def before(self, terminal: int, epoch: int, seq: int) -> Entry | None:
        """The record before this number that knows its time."""
        row = self._connection.execute(
            f"SELECT {_ENTRY}{_FROM} WHERE records.terminal = ? AND records.epoch = ? AND records.seq < ?"
            " AND coalesce(placements.start_s, records.start_s) IS NOT NULL ORDER BY records.seq DESC LIMIT 1",
            (terminal, epoch, seq),
        ).fetchone()
        return _entry(row) if row else None

    def numbers(self, terminal: int, epoch: int, first: int, last: int) -> Iterator[int]:
        """The numbers first..last of a log that are in the journal, ascending."""
        rows = self._connection.execute(
            "SELECT seq FROM records WHERE terminal = ? AND epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (terminal, epoch, first, last),
        )
        return (row[0] for row in rows)

    def knows_time_before(self, terminal: int, time_s: int) -> bool:
        """Whether the terminal has a record of before this time."""
        row = self._connection.execute(
            f"SELECT 1{_FROM} WHERE records.terminal = ? AND coalesce(placements.start_s, records.start_s) < ? LIMIT 1",
            (terminal, time_s),
        ).fetchone()
        return row is not None

    def after(self, record: int, limit: int) -> list[tuple[str, Entry]]:
        """(terminal, record) with a greater id, in order of acceptance."""
        return self._named("records.id > ? ORDER BY records.id", (record, limit))

    def newest(self, limit: int, terminal: str | None = None) -> list[tuple[str, Entry]]:
        """The newest records, the oldest of them first."""
        found = self._named("(?1 IS NULL OR terminals.name = ?1) ORDER BY records.id DESC", (terminal, limit))
        return found[::-1]

    def _named(self, which: str, values: tuple[Any, ...]) -> list[tuple[str, Entry]]:
        rows = self._connection.execute(
            f"SELECT terminals.name, {_ENTRY}{_FROM} JOIN terminals ON terminals.id = records.terminal"
            f" WHERE {which} LIMIT ?",
            values,
        )
        return [(row[0], _entry(row[1:])) for row in rows]

    def raw(self, record: int) -> bytes:
        """A record's bytes, out of its frame."""
        (data,) = self._connection.execute(
            "SELECT substr(frames.bytes, records.at + 1, records.size) FROM records"
            " JOIN frames ON frames.id = records.frame WHERE records.id = ?",
            (record,),
        ).fetchone()
        return bytes(data)


def _entry(row: tuple[Any, ...]) -> Entry:
    marks = [] if row[-1] == "[]" else [(check, point) for check, point in json.loads(row[-1])]
    return Entry._make((*row[:-1], marks))
