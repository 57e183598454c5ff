"""The journal's one writer. What `commit` has returned is on the disk; the format stands in schema/0001.sql."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cext.decoder import Frame, Record, Window
from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError, connect, migrate, transaction
from gateway.journal import history, placement
from gateway.journal.history import EnergyHistory, marks_text
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
    """outcomes[i][j]: what became of record j of frame i. found: what only the records before could show."""

    outcomes: list[list[str]]
    found: list[Finding]


@dataclass
class _Open:
    """The file, open, and what is remembered of it as long as it is."""

    connection: sqlite3.Connection
    terminals: dict[str, int]  # name to row
    energy: EnergyHistory


class Journal:
    """One writer on one file. Not for use from two threads at once."""

    def __init__(self, folder: Path, config: VerifyConfig) -> None:
        """Open or make the file. Raises StoreUnavailableError, NewerSchemaError."""
        self._path = folder / FILE
        self._config = config
        self._opened: _Open | None = None
        self._open()

    def commit(self, frames: Sequence[Accepted]) -> Committed:
        """Store the frames' records, each once, in one transaction.

        Raises StoreUnavailableError: nothing is stored, the same call may be made again, for ever.
        """
        opened = self._open()
        try:
            with transaction(opened.connection):
                found: list[Finding] = []
                outcomes = [_add_frame(opened, frame, found) for frame in frames]
                _count(opened.connection, outcomes)
        except StoreUnavailableError:
            self.close()  # what is remembered may not be stored, and the connection may be broken: begin afresh
            raise
        return Committed(outcomes, found)

    def close(self) -> None:
        """Close the file; the next commit opens it again."""
        if self._opened is not None:
            self._opened.connection.close()
        self._opened = None

    def _open(self) -> _Open:
        if self._opened is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                connection = connect(self._path)
            except (OSError, sqlite3.DatabaseError) as error:
                raise StoreUnavailableError(f"{self._path}: {error}") from error
            try:
                migrate(connection, SCHEMA)
                terminals = dict(connection.execute("SELECT name, id FROM terminals"))
            except BaseException:
                connection.close()
                raise
            self._opened = _Open(connection, terminals, EnergyHistory(connection, self._config))
        return self._opened


def offsets(frame: Frame, data: bytes) -> list[int]:
    """Where each record begins in its frame's bytes: they stand one after the other, before the tag."""
    at = len(data) - _TAIL_BYTES - sum(len(each.raw) for each in frame.records)
    found = []
    for each in frame.records:
        found.append(at)
        at += len(each.raw)
    return found


def _add_frame(opened: _Open, one: Accepted, found: list[Finding]) -> list[str]:
    connection, terminal = opened.connection, _terminal(opened, one.terminal)
    frame_id: int | None = None
    outcomes = []
    for judged in one.judged:
        digest = hashlib.sha256(judged.record.raw).digest()
        outcome = _outcome(connection, (terminal, one.frame.epoch, judged.record.seq), digest)
        if outcome == NEW:
            if frame_id is None:
                frame_id = _insert_frame(connection, terminal, one)
            found += _add_record(opened, (terminal, frame_id, digest), one, judged)
        outcomes.append(outcome)
    return outcomes


def _terminal(opened: _Open, name: str) -> int:
    """The terminal's row, made at its first record."""
    if name not in opened.terminals:
        cursor = opened.connection.execute("INSERT INTO terminals (name) VALUES (?)", (name,))
        opened.terminals[name] = int(cursor.lastrowid or 0)
    return opened.terminals[name]


def _add_record(opened: _Open, stored: tuple[int, int, bytes], one: Accepted, judged: Judged) -> list[Finding]:
    """Store a new record of a frame; stored: (terminal's row, frame's row, digest). Returns what only history shows."""
    (terminal, frame_id, digest), each, body = stored, judged.record, judged.record.body
    log, connection = (terminal, one.frame.epoch), opened.connection
    of_this: list[Finding] = []
    of_later: list[Finding] = []
    kind, time_s, uptime_s, length_s = EVENT, None, 0, 0
    if isinstance(body, Window):
        kind, time_s, uptime_s, length_s = WINDOW, body.start_s, body.end_uptime_s, body.length_s
        of_this, of_later = opened.energy.add(log, registers_of(each.seq, body), one.points)
    else:
        time_s, uptime_s = body.time_s, body.uptime_s
    marks = marks_text((mark.check, mark.point) for mark in judged.findings + of_this if mark.severity == MARK)
    cursor = connection.execute(
        "INSERT INTO records (terminal, epoch, seq, type, start_s, length_s, boot, uptime_s,"
        " frame, at, size, digest, marks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(*log, each.seq, kind, time_s, length_s, body.boot, uptime_s),
            *(frame_id, judged.at, len(each.raw), digest, marks),
        ),
    )
    if time_s is not None:
        anchor = placement.Anchor(body.clock_error_s, uptime_s, each.seq, time_s + length_s)
        history.improve_anchor(connection, (*log, body.boot), anchor)
    elif kind == WINDOW:
        history.place(connection, (*log, body.boot), int(cursor.lastrowid or 0), uptime_s, length_s)
    return of_this + of_later


def _count(connection: sqlite3.Connection, outcomes: list[list[str]]) -> None:
    """Add to the file's totals."""
    totals: Counter[str] = Counter()
    for of_frame in outcomes:
        kind = "accepted" if NEW in of_frame else "repeated" if REPEATED in of_frame else "refused"
        totals[f"frames_{kind}"] += 1
        totals.update(f"records_{outcome}" for outcome in of_frame)
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
