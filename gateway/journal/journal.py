"""The journal's one writer. What `commit` has returned is on the disk; the format stands in schema/0001.sql."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cext.decoder import Frame, Record, Window
from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError, connect, migrate, transaction
from gateway.journal import history, placement
from gateway.journal.history import marks_text
from gateway.registry import Point
from gateway.verify import MARK, Finding, registers_of
from protocol.record import EVENT, WINDOW

SCHEMA = Path(__file__).parent / "schema"
FILE = "journal.sqlite3"
_TAIL_BYTES = 34  # of a frame, behind its last record: 58 20 and the MAC

NEW, REPEATED, CONFLICT = "new", "repeated", "conflict"


class Judged(NamedTuple):
    """A record of a frame, where it begins in the frame's bytes, and what verify found. Never one that is refused."""

    record: Record
    at: int
    findings: list[Finding]


class Accepted(NamedTuple):
    """An authenticated frame on its way into the journal."""

    terminal: str
    received_ms: int
    data: bytes
    frame: Frame
    points: Mapping[int, Point]
    judged: list[Judged]


class Committed(NamedTuple):
    """outcomes[i][j]: what became of record j of frame i. found: findings that only the neighbours could show."""

    outcomes: list[list[str]]
    found: list[Finding]


class Journal:
    """One writer on one file. Not for use from two threads at once."""

    def __init__(self, folder: Path, config: VerifyConfig) -> None:
        """Open or make the file. Raises StoreUnavailableError, NewerSchemaError."""
        self._path = folder / FILE
        self._config = config
        self._terminals: dict[str, int] = {}
        self._connection: sqlite3.Connection | None = None
        self._open()

    def commit(self, frames: Sequence[Accepted]) -> Committed:
        """Store the frames' records, each once, in one transaction.

        Raises StoreUnavailableError: nothing is stored, the same call may be made again, for ever.
        """
        connection = self._open()
        try:
            with transaction(connection):
                found: list[Finding] = []
                outcomes = [self._add_frame(connection, frame, found) for frame in frames]
                self._count(connection, outcomes)
        except StoreUnavailableError:
            self.close()  # the connection's state after an I/O error is unknown: begin afresh
            raise
        return Committed(outcomes, found)

    def close(self) -> None:
        """Close the file; the next commit opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._terminals.clear()  # some may stem from a transaction that was rolled back

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                connection = connect(self._path)
            except (OSError, sqlite3.DatabaseError) as error:
                raise StoreUnavailableError(f"{self._path}: {error}") from error
            try:
                migrate(connection, SCHEMA)
                self._terminals = dict(connection.execute("SELECT name, id FROM terminals"))
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _add_frame(self, connection: sqlite3.Connection, one: Accepted, found: list[Finding]) -> list[str]:
        terminal = self._terminal(connection, one.terminal)
        frame_id: int | None = None
        outcomes = []
        for judged in one.judged:
            digest = hashlib.sha256(judged.record.raw).digest()
            outcome = _outcome(connection, (terminal, one.frame.epoch, judged.record.seq), digest)
            if outcome == NEW:
                if frame_id is None:
                    frame_id = _insert_frame(connection, terminal, one)
                self._add_record(connection, (terminal, frame_id, digest), one, judged, found)
            outcomes.append(outcome)
        return outcomes

    def _add_record(
        self,
        connection: sqlite3.Connection,
        stored: tuple[int, int, bytes],
        one: Accepted,
        judged: Judged,
        found: list[Finding],
    ) -> None:
        terminal, frame_id, digest = stored
        each = judged.record
        body, kind, time_s, uptime_s, length_s = each.body, EVENT, None, 0, 0
        if isinstance(body, Window):
            kind, time_s, uptime_s, length_s = WINDOW, body.start_s, body.end_uptime_s, body.length_s
        else:
            time_s, uptime_s = body.time_s, body.uptime_s
        marks = marks_text((mark.check, mark.point) for mark in judged.findings if mark.severity == MARK)
        cursor = connection.execute(
            "INSERT INTO records (terminal, epoch, seq, type, start_s, length_s, boot, uptime_s,"
            " frame, at, size, digest, marks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(terminal, one.frame.epoch, each.seq, kind, time_s, length_s, body.boot, uptime_s),
                *(frame_id, judged.at, len(each.raw), digest, marks),
            ),
        )
        boot = (terminal, one.frame.epoch, body.boot)
        if time_s is not None:
            anchor = placement.Anchor(body.clock_error_s, uptime_s, each.seq, time_s + length_s)
            history.improve_anchor(connection, boot, anchor)
        elif isinstance(body, Window):
            history.place(connection, boot, int(cursor.lastrowid or 0), uptime_s, length_s)
        if isinstance(body, Window):
            log = (terminal, one.frame.epoch)
            registers = registers_of(each.seq, body)
            found += history.add_registers(connection, log, registers, one.points, self._config)

    def _terminal(self, connection: sqlite3.Connection, name: str) -> int:
        if name not in self._terminals:
            cursor = connection.execute("INSERT INTO terminals (name) VALUES (?)", (name,))
            self._terminals[name] = int(cursor.lastrowid or 0)
        return self._terminals[name]

    def _count(self, connection: sqlite3.Connection, outcomes: list[list[str]]) -> None:
        totals: Counter[str] = Counter()
        for of_frame in outcomes:
            kind = "accepted" if NEW in of_frame else "repeated" if REPEATED in of_frame else "refused"
            totals[f"frames_{kind}"] += 1
            totals.update(f"records_{outcome}" for outcome in of_frame)
        add_counts(connection, totals)


def offsets(frame: Frame, data: bytes) -> list[int]:
    """Where each record begins in its frame's bytes: they stand one after the other, before the tag."""
    at = len(data) - _TAIL_BYTES - sum(len(each.raw) for each in frame.records)
    found = []
    for each in frame.records:
        found.append(at)
        at += len(each.raw)
    return found


def add_counts(connection: sqlite3.Connection, totals: Mapping[str, int]) -> None:
    """Add to the file's counters; within a transaction."""
    connection.executemany(
        "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        totals.items(),
    )


def _insert_frame(connection: sqlite3.Connection, terminal: int, one: Accepted) -> int:
    cursor = connection.execute(
        "INSERT INTO frames (terminal, received_ms, generation, bytes) VALUES (?, ?, ?, ?)",
        (terminal, one.received_ms, one.frame.generation, one.data),
    )
    return int(cursor.lastrowid or 0)


def _outcome(connection: sqlite3.Connection, identity: tuple[int, int, int], digest: bytes) -> str:
    row = connection.execute(
        "SELECT digest FROM records WHERE terminal = ? AND epoch = ? AND seq = ?", identity
    ).fetchone()
    if row is None:
        return NEW
    return REPEATED if row[0] == digest else CONFLICT
