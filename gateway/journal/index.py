"""The index over records: which are in, log by log, and where. Written from time to time, read at a start."""

import sqlite3
import struct
from collections.abc import Iterator
from typing import NamedTuple

from cext.verify import Ledger
from gateway.database import transaction
from gateway.journal import blocks

DAY_S = 86400
DIGEST_BYTES = 16
ENTRY = struct.Struct("<IQQIIIHBB16s")
LOGS_MOST = 20_000  # remembered at once: twice a province's terminals, some 20 MiB; others are read when they send
BLOCKS_A_TIME = 64  # decoded together at a start

_ADD_RUN = "INSERT INTO runs (day, terminal, epoch, first, entries) VALUES (?, ?, ?, ?, ?)"


class Entry(NamedTuple):
    """A record in the index, as schema/0002.sql says."""

    seq: int
    record: int
    received_ms: int
    time_s: int
    boot: int
    uptime_s: int
    length_s: int
    type: int
    has_time: int
    digest: bytes


def load(connection: sqlite3.Connection, terminals: dict[str, int]) -> tuple[Ledger, int]:
    """A ledger that knows every record of the journal, and the next record's number."""

    def extents(terminal: int, epoch: int) -> list[tuple[int, int, int, int, bytes]]:
        return connection.execute(
            "SELECT first, last, first_record, last_record, ends FROM extents"
            " WHERE terminal = ? AND epoch = ? ORDER BY first",
            (terminal, epoch),
        ).fetchall()

    newest = connection.execute("SELECT terminal, epoch, max(first_record) FROM logs GROUP BY terminal")
    ledger = Ledger(extents, {terminal: epoch for terminal, epoch, _ in newest})
    (indexed,) = connection.execute("SELECT indexed FROM progress").fetchone()
    next_id = int(indexed) + 1
    rows = connection.execute("SELECT received_ms, frames FROM blocks WHERE first >= ? ORDER BY first", (next_id,))
    while some := rows.fetchmany(BLOCKS_A_TIME):
        kept = [(received_ms, one) for received_ms, packed in some for one in blocks.frames_of(packed)]
        frames = [one for _, one in kept]
        next_id = ledger.absorb(
            blocks.columns_of(frames, digests=True),
            [terminals[one.terminal] for one in frames],
            [one.mask for one in frames],
            [received_ms for received_ms, _ in kept],
            next_id,
        )
    return ledger, next_id


def write(connection: sqlite3.Connection, ledger: Ledger, last: int) -> None:
    """Bring the index up to record `last`, the newest. Raises StoreUnavailableError: the index is as it was."""
    with transaction(connection):
        connection.executemany(_ADD_RUN, ledger.runs())
        for terminal, epoch, extents in ledger.extents():
            connection.execute("DELETE FROM extents WHERE terminal = ? AND epoch = ?", (terminal, epoch))
            connection.executemany(
                "INSERT INTO extents (terminal, epoch, first, last, first_record, last_record, ends)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                extents,
            )
        connection.execute("UPDATE progress SET indexed = ?", (last,))
    ledger.settle(LOGS_MOST)


def add_run(connection: sqlite3.Connection, key: tuple[int, int, int], packed: list[bytes]) -> None:
    """A run of these entries, of a (day, terminal, epoch). Within the caller's transaction."""
    (seq, *_) = ENTRY.unpack(packed[0])
    connection.execute(_ADD_RUN, (*key, seq, b"".join(packed)))


def days(connection: sqlite3.Connection) -> Iterator[int]:
    """The days that the index has, ascending: a look into the tree each."""
    (day,) = connection.execute("SELECT min(day) FROM runs").fetchone()
    while day is not None:
        yield day
        (day,) = connection.execute("SELECT min(day) FROM runs WHERE day > ?", (day,)).fetchone()


def entries(connection: sqlite3.Connection, day: int, terminal: int) -> Iterator[tuple[int, Entry]]:
    """(epoch, entry) of a day and terminal."""
    rows = connection.execute("SELECT epoch, entries FROM runs WHERE day = ? AND terminal = ?", (day, terminal))
    return ((epoch, Entry._make(one)) for epoch, packed in rows for one in ENTRY.iter_unpack(packed))


def digest_of(connection: sqlite3.Connection, day: int, terminal: int, epoch: int, seq: int) -> bytes | None:
    """The digest that the index has of a record; None: it has none of this day."""
    rows = connection.execute(
        "SELECT entries FROM runs WHERE day = ? AND terminal = ? AND epoch = ? AND first <= ? ORDER BY first DESC",
        (day, terminal, epoch, seq),
    )
    wanted = seq.to_bytes(4, "little")
    for (packed,) in rows:  # the nearest first; others where records came out of order
        for at in range(0, len(packed), ENTRY.size):
            if packed[at : at + 4] == wanted:
                return Entry._make(ENTRY.unpack_from(packed, at)).digest
    return None
