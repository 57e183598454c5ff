"""Changes of keys: ordered, offered until the terminal has drawn its half, said to be used until it does.

A terminal's events may come again and in any order: by epoch and seq the last word of a log counts, and of two logs
the one that came last.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from protocol import limits

AGAIN_MS = 300_000  # a terminal that is asked says so within a minute; its ack, or what we said, was lost
AGAIN_MS_MAX = 21_600_000  # one that never answers, having firmware too old for it, costs four messages a day
OVERLAP_MS = 86_400_000  # the keys before the one in use: what the broker kept for a gateway that was away a day
ROTATED_MAX = limits.GENERATION_MAX - 16  # a technician's key must be above all before it: so many visits are kept free

ASKED, AGREED, CONFIRMED = "asked", "agreed", "confirmed"
REFUSED, WITHDRAWN = "refused", "withdrawn"
STATES = (ASKED, AGREED, CONFIRMED, REFUSED, WITHDRAWN)
OPEN = (ASKED, AGREED)
REASONS = {  # of a refusal (protocol/SPEC.md, key_refused)
    1: "stale: it has a newer key, order again / 终端已有更新的密钥，请重新下令",
    2: "it calls our point none of the curve / 终端认为公钥点无效",
    3: "it could not store the key / 终端无法保存密钥",
    4: "out of memory / 终端内存不足",
}
_COLUMNS = "terminal, generation, state, reason, newest, said_epoch, said_seq, changed_ms, sent, due_ms"


class Change(NamedTuple):
    """A row of `changes` (schema/0001.sql)."""

    terminal: str
    generation: int
    state: str
    reason: int | None
    newest: int
    said_epoch: int | None
    said_seq: int | None
    changed_ms: int
    sent: int
    due_ms: int


class ExhaustedError(Exception):
    """A terminal has no generation left but those that are kept for technicians' keys."""


def order(connection: sqlite3.Connection, terminal: str, newest: int, now_ms: int, due_ms: int) -> Change | None:
    """Have a terminal's key changed; newest: the highest generation that is known of it. None: a change is under way.

    Raises ExhaustedError.
    """
    before = of_terminal(connection, terminal)
    if before is not None and before.state in OPEN:
        return None
    if before is not None:  # a generation that was offered is not ordered again: a word on it may come late
        newest = max(newest, before.newest, before.generation if before.sent else 0)
    if newest >= ROTATED_MAX:
        raise ExhaustedError(terminal)
    made = Change(terminal, newest + 1, ASKED, None, newest, None, None, now_ms, 0, due_ms)
    put(connection, made)
    return made


def withdraw(connection: sqlite3.Connection, terminal: str, now_ms: int) -> bool:
    """Offer it no more; False: nothing is offered, or the key is agreed on already and must be taken into use."""
    one = of_terminal(connection, terminal)
    if one is None or one.state != ASKED:
        return False
    put(connection, one._replace(state=WITHDRAWN, changed_ms=now_ms))
    return True


def sent(one: Change, now_ms: int) -> Change:
    """The row once this went down."""
    return one._replace(sent=one.sent + 1, due_ms=now_ms + min(AGAIN_MS << min(one.sent, 20), AGAIN_MS_MAX))


def confirm(connection: sqlite3.Connection, one: Change, before: Iterable[int], now_ms: int) -> Change:
    """The terminal has used the key: these generations before it count for a while more."""
    after = one._replace(state=CONFIRMED, newest=one.generation, changed_ms=now_ms)
    put(connection, after)
    retire(connection, (one.terminal, one.generation), before, now_ms)
    return after


def retire(connection: sqlite3.Connection, used: tuple[str, int], before: Iterable[int], now_ms: int) -> None:
    """A terminal uses a generation, used: of these those before it count for a while more."""
    terminal, in_use = used
    connection.executemany(
        "INSERT OR IGNORE INTO retired (terminal, generation, at_ms) VALUES (?, ?, ?)",
        [(terminal, generation, now_ms + OVERLAP_MS) for generation in before if generation < in_use],
    )


def put(connection: sqlite3.Connection, one: Change) -> None:
    """The row in its terminal's place."""
    connection.execute(f"INSERT OR REPLACE INTO changes ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", one)  # noqa: S608


def of_terminal(connection: sqlite3.Connection, terminal: str) -> Change | None:
    """Its last change."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM changes WHERE terminal = ?", (terminal,)).fetchone()  # noqa: S608
    return Change(*row) if row else None


def every(connection: sqlite3.Connection) -> list[Change]:
    """All, by terminal."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM changes ORDER BY terminal")  # noqa: S608
    return [Change(*row) for row in rows]
