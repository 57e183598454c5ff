"""A sink's own durable state: what it has taken from the journal, what is under way, what is settled."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.database import StoreUnavailableError, connect, connect_for_reading, migrate, transaction
from gateway.hj212.packet import Packet

SCHEMA = Path(__file__).parent / "schema"

LIVE, BACKLOG, PLACEMENTS = "live", "backlog", "placements"


@dataclass
class Taken:
    """What one look into the journal came to; stored in one transaction by `Outbox.take`."""

    packets: list[tuple[int, list[Packet]]] = field(default_factory=list)  # (record, its packets), in order
    ahead: list[int] = field(default_factory=list)
    dead: list[tuple[int, str, str]] = field(default_factory=list)  # (record, reason, detail)
    counts: Counter[str] = field(default_factory=Counter)
    cursors: dict[str, int] = field(default_factory=dict)
    last_qn: str | None = None


class Outbox:
    """The one writer of a sink's file. Every method raises StoreUnavailableError where the disk refuses."""

    def __init__(self, folder: Path, sink: str) -> None:
        path = file_of(folder, sink)
        try:
            self._connection = connect(path)
            migrate(self._connection, SCHEMA)
        except sqlite3.DatabaseError as error:
            raise StoreUnavailableError(f"{path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def cursors(self) -> dict[str, int]:
        """How far each lane has looked; 0 before the first look."""
        rows = self._connection.execute("SELECT name, value FROM cursors")
        return {LIVE: 0, BACKLOG: 0, PLACEMENTS: 0, **dict(rows)}

    def settled(self) -> int:
        """How many records of the journal are delivered, skipped or dead; ids count without gaps."""
        one = self._connection.execute
        (ahead,) = one("SELECT count(*) FROM ahead").fetchone()
        (under_way,) = one("SELECT count(DISTINCT record) FROM outbox").fetchone()
        return self.cursors()[BACKLOG] + int(ahead) - int(under_way)

    def ahead(self, first: int, last: int) -> set[int]:
        """Records of this span that the live lane has taken."""
        rows = self._connection.execute("SELECT record FROM ahead WHERE record BETWEEN ? AND ?", (first, last))
        return {row[0] for row in rows}

    def last_qn(self) -> str | None:
        """The QN given last, or None before the first."""
        row = self._connection.execute("SELECT value FROM texts WHERE name = 'last_qn'").fetchone()
        return row[0] if row else None

    def under_way(self) -> list[Packet]:
        """Packets that are not confirmed, in the order in which they were taken."""
        rows = self._connection.execute("SELECT qn, mn, data FROM outbox ORDER BY id")
        return [Packet(*row) for row in rows]

    def take(self, taken: Taken) -> None:
        """Make durable what was taken from the journal, before a byte of it is sent."""
        connection = self._connection
        rows = [(record, packet.mn, packet.qn, packet.data) for record, packets in taken.packets for packet in packets]
        with transaction(connection):
            connection.executemany("INSERT INTO outbox (record, mn, qn, data) VALUES (?, ?, ?, ?)", rows)
            connection.executemany("INSERT INTO ahead (record) VALUES (?)", [(one,) for one in taken.ahead])
            connection.executemany("INSERT OR REPLACE INTO dead (record, reason, detail) VALUES (?, ?, ?)", taken.dead)
            connection.executemany("INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)", taken.cursors.items())
            connection.execute("DELETE FROM ahead WHERE record <= ?", (taken.cursors.get(BACKLOG, 0),))
            if taken.last_qn is not None:
                connection.execute("INSERT OR REPLACE INTO texts (name, value) VALUES ('last_qn', ?)", (taken.last_qn,))
            self._count(taken.counts)

    def confirm(self, qns: Iterable[str]) -> list[int]:
        """The platform has these packets; returns the records of which it now has all."""
        connection, delivered = self._connection, []
        with transaction(connection):
            for qn in qns:
                row = connection.execute("DELETE FROM outbox WHERE qn = ? RETURNING record", (qn,)).fetchall()
                if row and not connection.execute("SELECT 1 FROM outbox WHERE record = ? LIMIT 1", row[0]).fetchone():
                    delivered.append(int(row[0][0]))
            self._count({"delivered": len(delivered)})
        return delivered

    def _count(self, counts: Mapping[str, int]) -> None:
        self._connection.executemany(
            "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            counts.items(),
        )


def file_of(folder: Path, sink: str) -> Path:
    """The sink's file."""
    return folder / f"sink-{sink}.sqlite3"


def reach(folder: Path, sink: str) -> tuple[int, int]:
    """The furthest record, and placement, of the journal that a sink's file speaks of; 0 where it speaks of none."""
    connection = connect_for_reading(file_of(folder, sink))
    try:
        cursors = dict(connection.execute("SELECT name, value FROM cursors"))
        rows = connection.execute("SELECT max(record) FROM ahead UNION SELECT max(record) FROM outbox")
        records = [row[0] or 0 for row in rows]
        return max([cursors.get(LIVE, 0), cursors.get(BACKLOG, 0), *records]), cursors.get(PLACEMENTS, 0)
    finally:
        connection.close()


def settled(folder: Path, sink: str) -> tuple[int, int]:
    """Up to which record, and placement, a sink needs the journal no more; 0 where it has not begun."""
    path = file_of(folder, sink)
    if not path.exists():
        return 0, 0
    try:
        connection = connect_for_reading(path)
        try:
            cursors = dict(connection.execute("SELECT name, value FROM cursors"))
            (oldest,) = connection.execute("SELECT min(record) FROM outbox").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError:  # made this moment, without its tables yet
        return 0, 0
    cursor = cursors.get(BACKLOG, 0)
    return cursor if oldest is None else min(cursor, oldest - 1), cursors.get(PLACEMENTS, 0)


def status(folder: Path, sink: str) -> dict[str, object]:
    """What `wattline gateway status` says of a sink. confirmed: every record up to this id is settled."""
    path = file_of(folder, sink)
    if not path.exists():
        return {"confirmed": 0, "under_way": 0, "dead": {}, "counts": {}}
    connection = connect_for_reading(path)
    try:
        one = connection.execute
        return {
            "confirmed": settled(folder, sink)[0],
            "under_way": one("SELECT count(DISTINCT record) FROM outbox").fetchone()[0],
            "dead": dict(one("SELECT reason, count(*) FROM dead GROUP BY reason ORDER BY reason")),
            "counts": dict(one("SELECT name, value FROM counters ORDER BY name")),
        }
    finally:
        connection.close()
