"""What sinks and `status` read of the journal, on connections of their own that can't change it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.database import schema_version
from gateway.journal import chain
from gateway.journal.blocks import marks_of
from gateway.journal.retention import used_bytes
from gateway.journal.rows import Blocks, Decoded, Mark, Row, connect_to


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
    marks: list[Mark]


class Reader:
    """Reads the journal. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.OperationalError where there is no journal yet, OlderSchemaError where it must be migrated."""
        self._connection = connect_to(folder)
        self._blocks = Blocks(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def record(self, number: int) -> Stored | None:
        """The record of this id; None: there is none, or it is retired."""
        row = self._blocks.row(number)
        return None if row is None else _stored(row)

    def records_after(self, after: int, limit: int) -> list[Stored]:
        """Records with a greater id, in order."""
        return [_stored(row) for row in self._blocks.after(after, limit)]

    def placements_after(self, after: int, limit: int) -> list[tuple[int, Stored]]:
        """(placement's id, window with its place) with a greater placement id, in order."""
        found = []
        for number, record, start_s in self._connection.execute(
            "SELECT id, record, start_s FROM placements WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        ).fetchall():
            row = self._blocks.row(record)
            if row is not None:
                found.append((number, _stored(row)._replace(start_s=start_s)))
        return found

    def remarked_after(self, after: int, limit: int) -> list[tuple[int, Stored]]:
        """(remark's id, record whose marks it changed) with a greater remark's id, in order."""
        found = self._connection.execute(
            "SELECT id, record FROM remarks WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        ).fetchall()
        return [(number, _stored(row)) for number, record in found if (row := self._blocks.row(record)) is not None]

    def raw(self, record: int) -> bytes:
        """A record's bytes, out of its frame. Raises KeyError where there is none."""
        return self._blocks.raw(record)

    def decoded(self, records: Sequence[int]) -> Decoded:
        """What these records say. Raises ValueError where the file is damaged."""
        return self._blocks.decoded(records)

    def first_id(self, received_ms: int) -> int:
        """The id from which on records were received at this time or later; one past the end if none was."""
        return self._blocks.first_id(received_ms)

    def last_id(self) -> int:
        """The id of the newest record, 0 if there is none."""
        return self._blocks.last_id()

    def last_placement(self) -> int:
        """The id of the newest placement that there ever was, 0 if there was none."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'placements'").fetchone()
        return int(row[0]) if row else 0

    def head(self) -> chain.Head:
        """The chain's newest link."""
        return chain.Head(max(self.last_id(), self.start().record), chain.head(self._connection))

    def start(self) -> chain.Head:
        """Where the journal begins: behind what was retired."""
        return chain.start(self._connection)

    def retired_ms(self) -> int:
        """When the newest of what was retired had been received; 0: nothing was."""
        return int(self._connection.execute("SELECT retired_ms FROM progress").fetchone()[0])

    def counts(self) -> dict[str, int]:
        """What the journal holds, and the totals over all starts; frames, windows and events are such totals."""
        one = self._connection.execute
        totals = dict(one("SELECT name, value FROM counters ORDER BY name"))
        found = {
            "schema": schema_version(self._connection),
            "bytes": used_bytes(self._connection),
            "terminals": one("SELECT count(*) FROM terminals").fetchone()[0],
            **{name: totals.pop(name, 0) for name in ("frames", "windows", "events")},
            "marked": len(self._marked()),
            "placed": one("SELECT count(*) FROM placements").fetchone()[0],
            "without_time": one("SELECT count(*) FROM timeless").fetchone()[0],
        }
        return {**found, **totals}

    def _marked(self) -> set[int]:
        """The records that have a mark, as it is now."""
        one = self._connection.execute
        rows = one("SELECT marks, first FROM blocks WHERE marks != x''")
        marked = {record for packed, first in rows for record, _, _ in marks_of(packed, first)}
        later = {row[0] for row in one("SELECT DISTINCT record FROM remarks").fetchall()}
        return (marked - later) | {record for record in later if (row := self._blocks.row(record)) and row.marks}


def _stored(row: Row) -> Stored:
    return Stored(row.id, row.terminal, row.epoch, row.seq, row.type, row.time_s, row.length_s, row.marks)
