"""Where refused frames are kept, with the reason: evidence, and what an operator needs to mend the cause.

Bounded in frames and bytes. When full, the oldest frame of the loudest source goes first, so that a flood under one
name can't wash out what others said, nor one under invented names: those count as one. Each one that goes is counted.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.config import QuarantineConfig
from gateway.database import StoreUnavailableError, connect_for_reading, opening, transaction
from gateway.quarantine.weights import NOBODY, Weights, share_of

SCHEMA = Path(__file__).parent / "schema"
FILE = "quarantine.sqlite3"
_COLUMNS = "id, received_ms, source, topic, reason, at, length, data"
_EVICT_A_TIME = 256
_OLDEST = f"SELECT id, length(data) FROM refused WHERE {{}} ORDER BY id LIMIT {_EVICT_A_TIME}"  # noqa: S608
# the names that were heard longest ago, past the bound
_FORGET_UNKNOWN = """
DELETE FROM unknown WHERE source IN (
    SELECT source FROM unknown ORDER BY last_ms, source LIMIT max(0, (SELECT count(*) FROM unknown) - ?))
"""
UNKNOWN_MAX = 10_000  # names that are not admitted: more than a province has, less than a flood can invent


class Refused(NamedTuple):
    """A frame that was not taken. source: the terminal that its topic names, or "" where that is none.

    reason: one of protocol.errors.REASONS, a refusing check of verify, `conflict` or `topic`.
    offset: the byte at which it was seen. length: of the frame as it came; data may be only its beginning.
    """

    received_ms: int
    source: str
    topic: str
    reason: str
    offset: int
    length: int
    data: bytes


class Kept(NamedTuple):
    """A refused frame in the store."""

    id: int
    refused: Refused


class Unknown(NamedTuple):
    """A source that is not admitted, as seen so far."""

    source: str
    first_ms: int
    last_ms: int
    frames: int


class Quarantine:
    """The store's one writer."""

    def __init__(self, folder: Path, config: QuarantineConfig) -> None:
        """Open or make the file. Raises StoreUnavailableError, NewerSchemaError."""
        self._path = folder / FILE
        self._max_frames = config.max_frames
        self._max_bytes = config.max_mib << 20
        self._connection: sqlite3.Connection | None = None
        self._weights = Weights()
        self._open()

    def add(self, refused: Sequence[Refused]) -> int:
        """Keep them durably; returns how many older ones had to go. Raises StoreUnavailableError: nothing is kept."""
        if not refused:
            return 0
        connection = self._open()
        try:
            with transaction(connection):
                for one in refused:
                    self._insert(connection, one)
                connection.execute(_FORGET_UNKNOWN, (UNKNOWN_MAX,))
                return self._evict(connection)
        except StoreUnavailableError:
            self.close()
            raise

    def remove(self, ids: Sequence[int]) -> int:
        """Forget these, durably; returns how many there were. Raises StoreUnavailableError: nothing is forgotten."""
        if not ids:
            return 0
        connection, gone = self._open(), []
        try:
            with transaction(connection):
                for number in ids:
                    gone += connection.execute(
                        "DELETE FROM refused WHERE id = ? RETURNING source, reason, length(data)", (number,)
                    ).fetchall()
        except StoreUnavailableError:
            self.close()
            raise
        for source, reason, length in gone:
            self._weights.add(share_of(source, reason), -1, -length)
        return len(gone)

    @property
    def size(self) -> tuple[int, int]:
        """(frames, bytes) kept."""
        return self._weights.frames, self._weights.bytes

    def close(self) -> None:
        """Close the file; the next `add` opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            with opening(self._path, SCHEMA, make_folder=True) as connection:
                self._weights = _weigh(connection)
                self._connection = connection
        return self._connection

    def _insert(self, connection: sqlite3.Connection, one: Refused) -> None:
        connection.execute(
            "INSERT INTO refused (received_ms, source, topic, reason, at, length, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            one,
        )
        if one.reason == "terminal":
            connection.execute(
                "INSERT INTO unknown (source, first_ms, last_ms, frames) VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET"
                " last_ms = excluded.last_ms, frames = frames + 1",
                (one.source, one.received_ms, one.received_ms),
            )
        self._weights.add(share_of(one.source, one.reason), 1, len(one.data))

    def _evict(self, connection: sqlite3.Connection) -> int:
        """While there is too much: the oldest of the loudest, until another one is louder."""
        evicted, weights = 0, self._weights
        while True:
            excess, by_bytes = weights.frames - self._max_frames, False
            if excess <= 0:
                excess, by_bytes = weights.bytes - self._max_bytes, True
            if excess <= 0:
                return evicted
            share, louder = weights.loudest(by_bytes=by_bytes)
            to_go = max(1, min(louder, excess))
            gone = []
            for row, length in _oldest_of(connection, share):
                gone.append((row,))
                weights.add(share, -1, -length)
                to_go -= length if by_bytes else 1
                if to_go <= 0:
                    break
            connection.executemany("DELETE FROM refused WHERE id = ?", gone)
            evicted += len(gone)


def _oldest_of(connection: sqlite3.Connection, share: str) -> list[tuple[int, int]]:
    """(id, bytes) of the oldest of a share, some at a time."""
    if share != NOBODY:
        return connection.execute(_OLDEST.format("source = ? AND reason != 'terminal'"), (share,)).fetchall()
    names_none = connection.execute(_OLDEST.format("source = ''")).fetchall()
    not_admitted = connection.execute(_OLDEST.format("reason = 'terminal' AND source != ''")).fetchall()
    return sorted(names_none + not_admitted)[:_EVICT_A_TIME]


def _weigh(connection: sqlite3.Connection) -> Weights:
    found = Weights()
    for source, reason, frames, size in connection.execute(
        "SELECT source, reason, count(*), sum(length(data)) FROM refused GROUP BY source, reason"
    ):
        found.add(share_of(source, reason), frames, size)
    return found


class QuarantineReader:
    """Reads the store on a connection of its own."""

    def __init__(self, folder: Path) -> None:
        """Raises sqlite3.OperationalError where there is no store yet."""
        self._connection = connect_for_reading(folder / FILE)

    def newest(self, limit: int, source: str | None = None, reason: str | None = None) -> Iterator[Kept]:
        """The newest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM refused"  # noqa: S608
            " WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR reason = ?2) ORDER BY id DESC LIMIT ?3",
            (source, reason, limit),
        )
        return (Kept(row[0], Refused(*row[1:])) for row in rows)

    def get(self, number: int) -> Kept | None:
        """The one with this id."""
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM refused WHERE id = ?", (number,)).fetchone()  # noqa: S608
        return Kept(row[0], Refused(*row[1:])) if row else None

    def of_reason(self, reason: str, after: int, up_to: int, limit: int) -> list[Kept]:
        """Those of a reason with an id in (after, up_to], the oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM refused WHERE reason = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",  # noqa: S608
            (reason, after, up_to, limit),
        )
        return [Kept(row[0], Refused(*row[1:])) for row in rows]

    def newest_of_each(self, reason: str) -> list[Kept]:
        """Of each source the newest of a reason, by source."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM refused WHERE id IN"  # noqa: S608
            " (SELECT max(id) FROM refused WHERE reason = ? GROUP BY source) ORDER BY source",
            (reason,),
        )
        return [Kept(row[0], Refused(*row[1:])) for row in rows]

    def since(self, after: int) -> list[Kept]:
        """All with a greater id."""
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM refused WHERE id > ? ORDER BY id", (after,))  # noqa: S608
        return [Kept(row[0], Refused(*row[1:])) for row in rows]

    def last_id(self) -> int:
        """The newest id that is kept; 0 if none is."""
        (newest,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM refused").fetchone()
        return int(newest)

    def counts(self) -> dict[str, int]:
        """How many are kept, by reason."""
        return dict(self._connection.execute("SELECT reason, count(*) FROM refused GROUP BY reason ORDER BY reason"))

    def unknown(self) -> list[Unknown]:
        """Sources that were not admitted, the one heard last first."""
        rows = self._connection.execute("SELECT source, first_ms, last_ms, frames FROM unknown ORDER BY last_ms DESC")
        return [Unknown(*row) for row in rows]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
