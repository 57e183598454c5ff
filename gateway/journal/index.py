"""The index over records: which are in, log by log, and where. Written from time to time, read at a start."""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from cext.verify import Ledger
from gateway.database import transaction
from gateway.journal import blocks

DAY_S = 86400
DIGEST_BYTES = 16
ENTRY = struct.Struct("<IQQIIIHBB16s")
LOGS_MOST = 20_000  # remembered at once: twice a province's terminals, some 20 MiB; others are read when they send
BLOCKS_A_TIME = 64  # decoded together at a start
RUNS_A_TIME = 1024  # written together: 1 MiB of a province's, 9 MiB where each is a day's

_ADD_RUN = "INSERT INTO runs (day, terminal, epoch, first, entries) VALUES (?, ?, ?, ?, ?)"
_ADD_POWERS = "INSERT INTO powers (day, terminal, epoch, first, powers) VALUES (?, ?, ?, ?, ?)"
_NO_POWER_W, _POWER_BYTES = -(2**31), 4  # schema/0005.sql

Powers = Sequence[int | None]  # a window's mean powers in W, of points 1, 2 ...; None: none


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
    """A ledger that knows every record of the journal, and the next record's number.

    terminals: name to row; those that are new are added.
    """

    def extents(terminal: int, epoch: int) -> list[tuple[int, int, int, int, bytes]]:
        return connection.execute(
            "SELECT first, last, first_record, last_record, ends FROM extents"
            " WHERE terminal = ? AND epoch = ? ORDER BY first",
            (terminal, epoch),
        ).fetchall()

    newest = connection.execute("SELECT terminal, epoch, max(first_record) FROM logs GROUP BY terminal")
    ledger = Ledger(extents, partial(row_of, connection, terminals), {terminal: epoch for terminal, epoch, _ in newest})
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


def row_of(connection: sqlite3.Connection, terminals: dict[str, int], name: str) -> int:
    """A terminal's row, made at its first frame, within the transaction that takes it."""
    if name not in terminals:
        cursor = connection.execute("INSERT INTO terminals (name) VALUES (?)", (name,))
        terminals[name] = int(cursor.lastrowid or 0)
    return terminals[name]


def write(connection: sqlite3.Connection, ledger: Ledger, last: int) -> None:
    """Bring the index up to record `last`, the newest. Raises StoreUnavailableError: the index is as it was."""
    with transaction(connection):
        touched: set[int] = set()
        runs = ledger.runs()
        while some := list(islice(runs, RUNS_A_TIME)):
            connection.executemany(_ADD_RUN, (row[:-1] for row in some))
            connection.executemany(_ADD_POWERS, ((*row[:4], row[5]) for row in some))
            touched.update(row[0] for row in some)
        connection.executemany(
            "INSERT OR REPLACE INTO days (day, last_record) VALUES (?, ?)", ((day, last) for day in touched)
        )
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
    """A run of these entries, of a (day, terminal, epoch), without powers. Within the caller's transaction."""
    (seq, *_) = ENTRY.unpack(packed[0])
    connection.execute(_ADD_RUN, (*key, seq, b"".join(packed)))


def leave_run(connection: sqlite3.Connection, key: tuple[int, int, int], first: int) -> None:
    """The run of a (day, terminal, epoch) that begins with seq `first`, and its powers. Likewise."""
    for table in ("runs", "powers"):
        connection.execute(
            f"DELETE FROM {table} WHERE day = ? AND terminal = ? AND epoch = ? AND first = ?",  # noqa: S608  (our names)
            (*key, first),
        )


def days(connection: sqlite3.Connection, since_record: int = 0) -> list[tuple[int, int]]:
    """(day, none of its records is beyond this one) of days that may have such a record or later ones, newest first."""
    return connection.execute(
        "SELECT day, last_record FROM days WHERE last_record >= ? ORDER BY last_record DESC, day", (since_record,)
    ).fetchall()


def leave_days(connection: sqlite3.Connection, some: Iterable[int]) -> None:
    """Those that have no run any more are none of the index. Within the caller's transaction."""
    connection.executemany(
        "DELETE FROM days WHERE day = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.day = days.day)",
        ((day,) for day in some),
    )


def knows_day_before(connection: sqlite3.Connection, terminal: int, day: int) -> bool:
    """Whether a terminal has a record of an earlier day."""
    row = connection.execute(
        "SELECT 1 FROM days WHERE day BETWEEN 1 AND ? - 1"
        " AND EXISTS (SELECT 1 FROM runs WHERE runs.day = days.day AND runs.terminal = ?) LIMIT 1",
        (day, terminal),
    ).fetchone()
    return row is not None


def entries(connection: sqlite3.Connection, day: int, terminal: int) -> Iterator[tuple[int, Entry]]:
    """(epoch, entry) of a day and terminal. Raises DamagedError."""
    rows = connection.execute("SELECT epoch, entries FROM runs WHERE day = ? AND terminal = ?", (day, terminal))
    return ((epoch, one) for epoch, packed in rows for one in _entries(packed))


def powers(connection: sqlite3.Connection, day: int, terminal: int) -> Iterator[tuple[int, Powers]]:
    """(record, its powers) of a day and terminal, of runs that have powers. Raises DamagedError."""
    for packed, of_run in connection.execute(
        "SELECT entries, powers FROM powers JOIN runs USING (day, terminal, epoch, first)"
        " WHERE day = ? AND terminal = ?",
        (day, terminal),
    ):
        records = [one.record for one in _entries(packed)]
        yield from zip(records, _unpacked(of_run, len(records)), strict=True)


def _entries(packed: bytes) -> Iterator[Entry]:
    try:
        return map(Entry._make, ENTRY.iter_unpack(packed))
    except (TypeError, struct.error) as error:
        raise blocks.DamagedError("entries of the index are cut off") from error


def _unpacked(of_run: bytes, records: int) -> list[Powers]:
    found: list[Powers] = []
    at = 0
    try:
        for _ in range(records):
            one = struct.unpack_from(f"<{of_run[at]}i", of_run, at + 1)
            found.append(
                [None if power_w == _NO_POWER_W else power_w for power_w in one] if _NO_POWER_W in one else one
            )
            at += 1 + _POWER_BYTES * len(one)
    except (IndexError, TypeError, struct.error) as error:
        raise blocks.DamagedError("powers of the index are cut off") from error
    if at != len(of_run):
        raise blocks.DamagedError("powers of the index are of more records than it has")
    return found


def digest_of(connection: sqlite3.Connection, day: int, terminal: int, epoch: int, seq: int) -> bytes | None:
    """The digest that the index has of a record; None: it has none of this day."""
    rows = connection.execute(
        "SELECT entries FROM runs WHERE day = ? AND terminal = ? AND epoch = ? AND first <= ? ORDER BY first DESC",
        (day, terminal, epoch, seq),
    )
    wanted = seq.to_bytes(4, "little")
    for (packed,) in rows:  # the nearest first; others where records came out of order
        for at in range(0, len(packed) - ENTRY.size + 1, ENTRY.size):  # what is cut off is none
            if packed[at : at + 4] == wanted:
                return Entry._make(ENTRY.unpack_from(packed, at)).digest
    return None
