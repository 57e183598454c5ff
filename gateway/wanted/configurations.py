"""Configurations by version: ordered, sent until the terminal says what came of it, and what it said.

A terminal's events may come in any order, again, and of versions that this gateway never ordered (another one did, or
its store was lost): by epoch and seq the last word of a log counts, and of two logs the one that came last.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from gateway.downward import Said
from protocol.record import CONFIG_REFUSED, CONFIG_ROLLED_BACK, CONFIG_TAKEN

AGAIN_MS = 300_000  # a terminal that took it says so within minutes
AGAIN_MS_MAX = 21_600_000  # one that never answers, having firmware too old for it, costs four messages a day
VERSIONS_MAX = 100  # of a terminal that are kept to be shown

PENDING, TAKEN, REFUSED, ROLLED_BACK = "pending", "taken", "refused", "rolled_back"
REPLACED, WITHDRAWN = "replaced", "withdrawn"  # before it was heard of
STATES = {CONFIG_TAKEN: TAKEN, CONFIG_REFUSED: REFUSED, CONFIG_ROLLED_BACK: ROLLED_BACK}  # by event code
REASONS = {  # of a refusal (protocol/SPEC.md, section 5)
    1: "stale: the terminal took a newer version / 终端已有更新的版本",
    2: "not allowed in a document / 文档内容不合法",
    3: "does not fit the technician's file / 与终端本地文件不符",
    4: "a meter profile that the terminal lacks / 终端没有该电表型号",
    5: "the terminal could not store it / 终端无法保存",
}
# by event code, where among its integers the versions stand that the terminal took at some time; the last is in force
_TOOK = {CONFIG_TAKEN: (0, 1), CONFIG_ROLLED_BACK: (0, 2), CONFIG_REFUSED: (2, 3)}
_COLUMNS = "terminal, version, document, ordered_ms, state, reason, said_ms, sent, sent_ms, due_ms"


class Version(NamedTuple):
    """A row of `configurations` (schema/0001.sql)."""

    terminal: str
    version: int
    document: bytes
    ordered_ms: int
    state: str
    reason: int | None
    said_ms: int | None
    sent: int
    sent_ms: int | None
    due_ms: int


def order(connection: sqlite3.Connection, terminal: str, document: bytes, now_ms: int, due_ms: int = 0) -> int:
    """Have the terminal take this document, from then on; its version, above all that the terminal ever spoke of."""
    newest = connection.execute(
        "SELECT max(n) FROM (SELECT max(version) AS n FROM configurations WHERE terminal = ?1"
        " UNION ALL SELECT newest FROM in_force WHERE terminal = ?1)",
        (terminal,),
    ).fetchone()[0]
    version = int(newest or 0) + 1
    connection.execute(
        "UPDATE configurations SET state = ? WHERE terminal = ? AND state = ?", (REPLACED, terminal, PENDING)
    )
    connection.execute(
        "INSERT INTO configurations (terminal, version, document, ordered_ms, state, sent, due_ms)"
        " VALUES (?, ?, ?, ?, ?, 0, ?)",
        (terminal, version, document, now_ms, PENDING, due_ms),
    )
    connection.execute(
        "DELETE FROM configurations WHERE terminal = ? AND version <= ?", (terminal, version - VERSIONS_MAX)
    )
    return version


def withdraw(connection: sqlite3.Connection, terminal: str) -> int | None:
    """Send what is pending no more; its version, None if nothing was."""
    row = connection.execute(
        "UPDATE configurations SET state = ? WHERE terminal = ? AND state = ? RETURNING version",
        (WITHDRAWN, terminal, PENDING),
    ).fetchone()
    return int(row[0]) if row else None


def send(connection: sqlite3.Connection, one: Version, now_ms: int) -> Version:
    """Note that this goes down now; the row as it is then."""
    due_ms = now_ms + min(AGAIN_MS << min(one.sent, 20), AGAIN_MS_MAX)
    connection.execute(
        "UPDATE configurations SET sent = sent + 1, sent_ms = ?, due_ms = ? WHERE terminal = ? AND version = ?",
        (now_ms, due_ms, one.terminal, one.version),
    )
    return one._replace(sent=one.sent + 1, sent_ms=now_ms, due_ms=due_ms)


def hear(connection: sqlite3.Connection, said: Said) -> str | None:
    """Take in what a terminal says; the state in which a version is now, None where that is no news."""
    if not said.values:
        return None  # authentic, and says nothing
    _note_versions(connection, said)
    reason = said.values[1] if said.code == CONFIG_REFUSED and len(said.values) > 1 else None
    changed = connection.execute(
        "UPDATE configurations SET state = ?1, reason = ?2, said_epoch = ?3, said_seq = ?4, said_ms = ?5"
        " WHERE terminal = ?6 AND version = ?7 AND (said_seq IS NULL OR said_epoch != ?3 OR said_seq < ?4)"
        " AND NOT (?1 = 'refused' AND state IN ('taken', 'rolled_back'))",  # what it took it refuses as stale later on
        (STATES[said.code], reason, said.epoch, said.seq, said.came_ms, said.terminal, said.values[0]),
    ).rowcount
    return STATES[said.code] if changed else None


def _note_versions(connection: sqlite3.Connection, said: Said) -> None:
    """The highest version that the terminal ever took; and what is in force, if this is its last word on it."""
    first, last = _TOOK[said.code]
    connection.execute(
        "INSERT INTO in_force (terminal, newest) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET newest = max(newest, excluded.newest)",
        (said.terminal, max([0, *said.values[first:last]])),
    )
    in_force = said.values[last - 1 : last]
    if said.code != CONFIG_REFUSED and in_force:
        connection.execute(
            "UPDATE in_force SET version = ?1, epoch = ?2, seq = ?3, said_ms = ?4"
            " WHERE terminal = ?5 AND (seq IS NULL OR epoch != ?2 OR seq < ?3)",
            (in_force[0], said.epoch, said.seq, said.came_ms, said.terminal),
        )


def pending(connection: sqlite3.Connection) -> Iterator[Version]:
    """Those that are to be sent, one a terminal."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM configurations WHERE state = ?", (PENDING,))  # noqa: S608
    return (Version(*row) for row in rows)


def of_terminal(connection: sqlite3.Connection, terminal: str) -> list[Version]:
    """All versions of a terminal that are kept, the newest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM configurations WHERE terminal = ? ORDER BY version DESC",  # noqa: S608
        (terminal,),
    )
    return [Version(*row) for row in rows]


def in_force(connection: sqlite3.Connection) -> dict[str, int]:
    """By terminal what it said last to be in force; 0: the technician's file."""
    return dict(connection.execute("SELECT terminal, version FROM in_force WHERE version IS NOT NULL"))


def documents(connection: sqlite3.Connection, *, taken: bool) -> Iterator[tuple[str, bytes]]:
    """(terminal, document) of all that are in force; or of all that are kept and are not."""
    rows = connection.execute(
        "SELECT terminal, document FROM configurations AS one LEFT JOIN in_force USING (terminal)"
        " WHERE (one.version IS in_force.version) = ?",
        (taken,),
    )
    return ((str(name), bytes(document)) for name, document in rows)


def last_of_each(connection: sqlite3.Connection) -> list[Version]:
    """The newest version of each terminal, by terminal."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM configurations AS one WHERE version ="  # noqa: S608
        " (SELECT max(version) FROM configurations WHERE terminal = one.terminal) ORDER BY terminal"
    )
    return [Version(*row) for row in rows]
