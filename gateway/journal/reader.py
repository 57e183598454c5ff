"""What others read of the journal, on connections of their own that can't change it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from gateway.database import connect_for_reading, schema_version
from gateway.journal.journal import FILE

_COLUMNS = (
    "records.id, terminals.name, records.epoch, records.seq, records.type,"
    " records.start_s, records.length_s, records.marks"
)


class Stored(NamedTuple):
    """A record of the journal without its bytes. id: the order of acceptance. marks: (check, point or None).

    start_s: None where the terminal did not know the time; for a placed window, where it was placed.
    """

    id: int
    terminal: str
    epoch: int
    seq: int
    type: int
    start_s: int | None
    length_s: int
    marks: list[tuple[str, int | None]]


class Reader:
    """Reads the journal. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.OperationalError where there is no journal yet."""
        self._connection = connect_for_reading(folder / FILE)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def records_after(self, after: int, limit: int) -> list[Stored]:
        """Records with a greater id, in order."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM records JOIN terminals ON terminals.id = records.terminal"  # noqa: S608
            " WHERE records.id > ? ORDER BY records.id LIMIT ?",
            (after, limit),
        )
        return [_stored(row) for row in rows]

    def placements_after(self, after: int, limit: int) -> list[tuple[int, Stored]]:
        """(placement's id, window with its place) with a greater placement id, in order."""
        rows = self._connection.execute(
            f"SELECT placements.id, placements.start_s, {_COLUMNS} FROM placements"  # noqa: S608
            " JOIN records ON records.id = placements.record JOIN terminals ON terminals.id = records.terminal"
            " WHERE placements.id > ? ORDER BY placements.id LIMIT ?",
            (after, limit),
        )
        return [(row[0], _stored(row[2:])._replace(start_s=row[1])) for row in rows]

    def raw(self, record: int) -> bytes:
        """A record's bytes, out of its frame."""
        (data,) = self._connection.execute(
            "SELECT substr(frames.bytes, records.at + 1, records.size) FROM records"
            " JOIN frames ON frames.id = records.frame WHERE records.id = ?",
            (record,),
        ).fetchone()
        return bytes(data)

    def last_id(self) -> int:
        """The id of the newest record, 0 if there is none."""
        (newest,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()
        return int(newest)

    def counts(self) -> dict[str, int]:
        """What the journal holds, and the totals over all starts."""
        one = self._connection.execute
        found = {
            "schema": schema_version(self._connection),
            "terminals": one("SELECT count(*) FROM terminals").fetchone()[0],
            "frames": one("SELECT count(*) FROM frames").fetchone()[0],
            "windows": one("SELECT count(*) FROM records WHERE type = 1").fetchone()[0],
            "events": one("SELECT count(*) FROM records WHERE type = 2").fetchone()[0],
            "marked": one("SELECT count(*) FROM records WHERE marks != '[]'").fetchone()[0],
            "placed": one("SELECT count(*) FROM placements").fetchone()[0],
            "without_time": one("SELECT count(*) FROM records WHERE start_s IS NULL AND type = 1").fetchone()[0],
        }
        return {**found, **dict(one("SELECT name, value FROM counters ORDER BY name"))}


def _stored(row: tuple[Any, ...]) -> Stored:
    record, terminal, epoch, seq, kind, start_s, length_s, marks = row
    found = [(check, point) for check, point in json.loads(marks)]
    return Stored(record, terminal, epoch, seq, kind, start_s, length_s, found)
