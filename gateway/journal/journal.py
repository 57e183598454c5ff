"""The journal's one writer. What `commit` has returned is on the disk; the format stands in schema/, newest first.

A commit is: which records are new (`cext.verify.Ledger`, in memory), a row for each 64 frames, nothing else that grows
with the batch. The index over records is written when INDEX_RECORDS of them have none (index.py).
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cext.decoder import Columns
from cext.verify import OUTCOMES, Findings, Ledger, Taken, Tally, tally
from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError, checkpoint, opening, transaction
from gateway.journal import blocks, chain, history, index, retention
from gateway.journal.chain import Head
from gateway.journal.migration import STEPS
from gateway.journal.retention import Retired, Rule, Settled
from gateway.registry import Senders
from gateway.verify import bounds_of

SCHEMA = Path(__file__).parent / "schema"
FILE = "journal.sqlite3"
NEW, REPEATED, CONFLICT, REFUSED = (OUTCOMES.index(name) for name in ("new", "repeated", "conflict", "refused"))
INDEX_RECORDS = 65_536  # nine bursts of a province; to read them again at a start takes some 0.2 s
LOG_PAGES_MAX = 16_384  # 64 MiB: where `tidy` is not called; above CHECKPOINT_BUSY_BYTES and its index
CHECKPOINT_BYTES = 1 << 20  # of frames, when nothing comes in; less is not worth two syncs
CHECKPOINT_BUSY_BYTES = 32 << 20  # while something does: a backlog of nine bursts; some 0.1 s between two batches


class Batch(NamedTuple):
    """Decoded and checked frames on their way into the journal. Item i of each is frame i of the columns."""

    received_ms: int
    frames: list[bytes]
    senders: Senders
    columns: Columns
    findings: Findings


class Committed(NamedTuple):
    """What became of a batch. outcomes: a byte a record (NEW ...). epochs_back: frames of a log that is
    not the terminal's newest. findings: how often each check found something in what is new, refused or marked later.
    """

    outcomes: bytes
    tally: Tally
    epochs_back: list[int]
    findings: dict[str, int]


@dataclass
class _Open:
    """The file, open, and what is remembered of it as long as it is."""

    connection: sqlite3.Connection
    terminals: dict[str, int]  # name to row
    ledger: Ledger
    next_id: int
    link: bytes
    logged_bytes: int = 0  # of frames in SQLite's write-ahead log, since its last checkpoint


class Journal:
    """One writer on one file. Not for use from two threads at once."""

    def __init__(self, folder: Path, config: VerifyConfig) -> None:
        """Open or make the file. Raises StoreUnavailableError, NewerSchemaError."""
        self._path = folder / FILE
        self._limits = bounds_of(config)
        self._opened: _Open | None = None
        self._open()

    def commit(self, batch: Batch) -> Committed:
        """Store the frames' records, each once, in one transaction.

        Raises StoreUnavailableError: nothing is stored, the same call may be made again, for ever. Nor is it where a
        fault of ours ends it.
        """
        opened = self._open()
        try:
            with transaction(opened.connection):
                taken = opened.ledger.take(
                    batch.columns, batch.senders.points, batch.findings, opened.next_id, batch.received_ms, self._limits
                )
                _resolve(opened.connection, taken, batch.columns)
                link = _store(opened, batch, taken)
                counted = tally(batch.columns, taken.outcomes)
                _count(opened.connection, counted, taken)
            opened.next_id, opened.link = taken.next_id, link
            opened.logged_bytes += sum(map(len, batch.frames))
        except BaseException:
            self.close()  # what is remembered may not be stored, and the connection may be broken: begin afresh
            raise
        return Committed(bytes(taken.outcomes), counted, taken.epochs_back, taken.findings)

    def tidy(self, *, idle: bool) -> None:
        """What need not be done before an ack: index and checkpoint. idle: nothing waits for a commit.

        Raises StoreUnavailableError: to be tried again later.
        """
        opened = self._open()
        try:
            if opened.ledger.unindexed >= INDEX_RECORDS:
                index.write(opened.connection, opened.ledger, opened.next_id - 1)
            if opened.logged_bytes >= (CHECKPOINT_BYTES if idle else CHECKPOINT_BUSY_BYTES):
                checkpoint(opened.connection)
                opened.logged_bytes = 0
        except StoreUnavailableError:
            self.close()
            raise

    def retire(self, rule: Rule, settled: Mapping[str, Settled]) -> Retired:
        """A step of retention. settled: by sink. Raises StoreUnavailableError: to be tried again later."""
        opened = self._open()
        try:
            done = retention.step(opened.connection, rule, settled)
            if done.behind_index and not done.held_by:
                index.write(opened.connection, opened.ledger, opened.next_id - 1)
                done = done._replace(more=True)
            return done
        except StoreUnavailableError:
            self.close()
            raise

    def head(self) -> Head:
        """The chain's newest link. Raises StoreUnavailableError."""
        opened = self._open()
        return Head(opened.next_id - 1, opened.link)

    def holes(self) -> list[tuple[str, int, int, int]]:
        """(terminal, epoch, how many, highest) of the newest logs that lack numbers below the highest one that came.

        Of terminals heard since the start. Raises StoreUnavailableError.
        """
        opened = self._open()
        names = {row: name for name, row in opened.terminals.items()}
        return [(names[row], epoch, count, highest) for row, epoch, count, highest in opened.ledger.holes()]

    def newest_epoch(self, terminal: str) -> int | None:
        """The log that began last; None: the terminal has none. Raises StoreUnavailableError."""
        opened = self._open()
        return opened.ledger.newest_of(opened.terminals.get(terminal, 0))

    def absent(self, terminal: str, epoch: int, first: int, last: int, most: int) -> list[tuple[int, int]]:
        """Up to `most` ranges of numbers first..last that did not come, the highest first.

        Raises StoreUnavailableError.
        """
        opened = self._open()
        try:
            return opened.ledger.absent(opened.terminals.get(terminal, 0), epoch, first, last, most)
        except sqlite3.DatabaseError as error:  # the log's extents are read when it is touched for the first time
            raise StoreUnavailableError(str(error)) from error

    def close(self) -> None:
        """Close the file; the next commit opens it again."""
        if self._opened is not None:
            self._opened.connection.close()
        self._opened = None

    def _open(self) -> _Open:
        if self._opened is None:
            with opening(self._path, SCHEMA, STEPS, LOG_PAGES_MAX, make_folder=True) as connection:
                self._opened = _remember(connection)
        return self._opened


def _remember(connection: sqlite3.Connection) -> _Open:
    """What a writer knows of the file: the index, and what came behind it."""
    terminals = dict(connection.execute("SELECT name, id FROM terminals"))
    ledger, next_id = index.load(connection, terminals)
    return _Open(connection, terminals, ledger, next_id, chain.head(connection))


def _resolve(connection: sqlite3.Connection, taken: Taken, columns: Columns) -> None:
    """Repeated or conflict: of the records that are in the index already. By another time it is another record."""
    for row, terminal, epoch, seq, day in taken.asked:
        stored = index.digest_of(connection, day, terminal, epoch, seq)
        came = columns.records.digest.tobytes()[32 * row :][: index.DIGEST_BYTES]
        if stored is None and retention.is_retired(connection, terminal, epoch, seq):
            taken.outcomes[row] = REPEATED  # its bytes are gone; that it was taken is not
        else:
            taken.outcomes[row] = REPEATED if stored == came else CONFLICT


def _store(opened: _Open, batch: Batch, taken: Taken) -> bytes:
    """Write what is new, and what follows from it; returns the chain's new head."""
    connection, link = opened.connection, opened.link
    remarks = taken.remarks
    rows = taken.blocks(batch.frames, batch.senders.ids, blocks.FRAMES_MAX)
    for number, (first, records, frames, marks) in enumerate(rows):
        of_commit = remarks if number == 0 else ()
        link = chain.link_of(link, (first, records, batch.received_ms), marks, frames, of_commit)
        connection.execute(
            "INSERT INTO blocks (first, records, received_ms, link, marks, frames) VALUES (?, ?, ?, ?, ?, ?)",
            (first, records, batch.received_ms, link, marks, frames),
        )
    connection.executemany(
        "INSERT INTO remarks (block, record, point, energy_check) VALUES (?, ?, ?, ?)",
        [(taken.first_id, *remark) for remark in remarks],
    )
    connection.executemany("INSERT OR IGNORE INTO logs (terminal, epoch, first_record) VALUES (?, ?, ?)", taken.started)
    history.place_records(connection, taken.placed)
    return link


def _count(connection: sqlite3.Connection, counted: Tally, taken: Taken) -> None:
    """Add to the file's totals."""
    kept = len(taken.masks) - taken.masks.count(0)
    totals = {
        "frames": kept,
        "windows": taken.windows,
        "events": counted.records["new"] - taken.windows,
        "epochs_back": len(taken.epochs_back),
        **{f"frames_{result}": number for result, number in counted.frames.items()},
        **{f"records_{outcome}": number for outcome, number in counted.records.items()},
    }
    connection.executemany(
        "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [(name, number) for name, number in totals.items() if number],
    )
