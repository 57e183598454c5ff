"""Records that are asked for: a row for each run of numbers, asked again at growing intervals until it is settled.

A request goes down at most once in the row's interval: AGAIN_MS, doubled each time nothing of it came, up to
AGAIN_MS_MAX. After TRIES_MAX times without a record it is given up, which a person sees, and may ask again.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from gateway.wanted.ranges import Range, joined

AGAIN_MS = 900_000  # a window's time: what is on its way comes within it, a terminal is heard once in it
AGAIN_MS_MAX = 86_400_000
TRIES_MAX = 8  # some three days
NUMBERS_MAX = 1024  # of one request: what a board looks through in some seconds (FR-38)
OPEN_MAX = 64  # rows of a terminal that the gateway opens by itself: the ranges of one request
CLOSED_MAX = 100_000  # rows that are kept to be shown: the oldest go

OPEN, CAME, GONE, REFUSED, GIVEN_UP = "open", "came", "gone", "refused", "given_up"
OUTCOMES = (CAME, GONE, REFUSED, GIVEN_UP)
_COLUMNS = (
    "id, terminal, epoch, first, last, asked_by, asked_ms, sent, sent_ms, tries, missing, due_ms, outcome, gone,"
    " refused, closed_ms"
)


class Request(NamedTuple):
    """A row of `requests` (schema/0001.sql)."""

    id: int
    terminal: str
    epoch: int
    first: int
    last: int
    asked_by: str
    asked_ms: int
    sent: int
    sent_ms: int | None
    tries: int
    missing: int
    due_ms: int
    outcome: str
    gone: int
    refused: int
    closed_ms: int | None

    @property
    def numbers(self) -> int:
        """How many were asked for."""
        return self.last - self.first + 1


class Ask(NamedTuple):
    """Numbers of a terminal's log to be asked for."""

    terminal: str
    epoch: int
    first: int
    last: int


def ask(connection: sqlite3.Connection, asks: Iterable[Ask], by: Literal["gateway", "operator"], now_ms: int) -> int:
    """Rows for these, to be sent when the terminal is heard; how many. They replace rows that are open for them."""
    count = 0
    for one in asks:
        connection.execute(
            "DELETE FROM requests WHERE outcome = ? AND terminal = ? AND epoch = ? AND first >= ? AND last <= ?",
            (OPEN, *one),
        )
        connection.execute(
            "INSERT INTO requests (terminal, epoch, first, last, asked_by, asked_ms, sent, tries, missing, due_ms,"
            " outcome, gone, refused) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?, 0, ?, 0, 0)",
            (*one, by, now_ms, one.last - one.first + 1, OPEN),
        )
        count += 1
    return count


def send(connection: sqlite3.Connection, row: Request, missing: int, now_ms: int) -> Request:
    """Note that this goes down now, so many of its numbers being missing; the row as it is then."""
    tries = 1 if missing < row.missing else row.tries + 1
    due_ms = now_ms + min(AGAIN_MS << (tries - 1), AGAIN_MS_MAX)
    connection.execute(
        "UPDATE requests SET sent = sent + 1, sent_ms = ?, tries = ?, missing = ?, due_ms = ? WHERE id = ?",
        (now_ms, tries, missing, due_ms, row.id),
    )
    return row._replace(sent=row.sent + 1, sent_ms=now_ms, tries=tries, missing=missing, due_ms=due_ms)


def postpone(connection: sqlite3.Connection, row: Request, now_ms: int) -> Request:
    """There was no room for it in this request: its turn is at the next; the row as it is then."""
    due_ms = now_ms + AGAIN_MS
    connection.execute("UPDATE requests SET due_ms = ? WHERE id = ?", (due_ms, row.id))
    return row._replace(due_ms=due_ms)


class Fate(NamedTuple):
    """What became of a row's numbers; all others came. missing: given up."""

    gone: int
    refused: int
    missing: int

    @property
    def outcome(self) -> str:
        """The worst of it."""
        return GIVEN_UP if self.missing else GONE if self.gone else REFUSED if self.refused else CAME


def close(connection: sqlite3.Connection, row: Request, fate: Fate, now_ms: int) -> None:
    """Settle a row."""
    connection.execute(
        "UPDATE requests SET outcome = ?, gone = ?, refused = ?, missing = ?, closed_ms = ? WHERE id = ?",
        (fate.outcome, *fate, now_ms, row.id),
    )


def forget_oldest(connection: sqlite3.Connection) -> None:
    """Keep the newest rows that are settled."""
    connection.execute(
        "DELETE FROM requests WHERE outcome != ?1 AND id <= (SELECT id FROM requests WHERE outcome != ?1"
        " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (OPEN, CLOSED_MAX),
    )


def explain(connection: sqlite3.Connection, terminal: str, epoch: int, ranges: Sequence[Range], why: str) -> None:
    """These numbers need not be asked for: gone or refused. Runs that touch become one row."""
    key = (terminal, epoch, why)
    for first, last in ranges:
        near = connection.execute(
            "DELETE FROM explained WHERE terminal = ? AND epoch = ? AND why = ? AND first <= ? AND last >= ?"
            " RETURNING first, last",
            (*key, last + 1, first - 1),
        ).fetchall()
        low, high = min([first, *(one[0] for one in near)]), max([last, *(one[1] for one in near)])
        connection.execute(
            "INSERT INTO explained (terminal, epoch, why, first, last) VALUES (?, ?, ?, ?, ?)", (*key, low, high)
        )


def explained(connection: sqlite3.Connection, terminal: str, epoch: int) -> dict[str, list[Range]]:
    """GONE and REFUSED to numbers; those that are said to be both are gone."""
    found: dict[str, list[Range]] = {GONE: [], REFUSED: []}
    for why, first, last in connection.execute(
        "SELECT why, first, last FROM explained WHERE terminal = ? AND epoch = ? ORDER BY first", (terminal, epoch)
    ):
        found[why].append((first, last))
    return found


def explained_numbers(connection: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """By terminal and epoch, how many numbers are explained."""
    rows = connection.execute("SELECT terminal, epoch, sum(last - first + 1) FROM explained GROUP BY terminal, epoch")
    return {(terminal, epoch): numbers for terminal, epoch, numbers in rows}


def open_rows(connection: sqlite3.Connection) -> Iterator[Request]:
    """All that is asked for and not settled."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM requests WHERE outcome = ? ORDER BY id", (OPEN,))  # noqa: S608
    return (Request(*row) for row in rows)


def of_terminal(connection: sqlite3.Connection, terminal: str) -> list[Request]:
    """Everything that was asked of a terminal and is still kept, the oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM requests WHERE terminal = ? ORDER BY id", (terminal,))  # noqa: S608
    return [Request(*row) for row in rows]


def asked_before(connection: sqlite3.Connection, terminal: str, epoch: int) -> list[Range]:
    """The numbers of a log that rows stand for, but those whose records came."""
    rows = connection.execute(
        "SELECT first, last FROM requests WHERE terminal = ? AND epoch = ? AND outcome != ?", (terminal, epoch, CAME)
    )
    return joined((first, last) for first, last in rows)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """For `status`: terminals and numbers that are open, and numbers by outcome."""
    found = {"open_terminals": 0, "open": 0, **dict.fromkeys(OUTCOMES, 0)}
    (found["open_terminals"],) = connection.execute(
        "SELECT count(DISTINCT terminal) FROM requests WHERE outcome = ?", (OPEN,)
    ).fetchone()
    for is_open, numbers, gone, refused, missing in connection.execute(
        "SELECT outcome = ?, sum(last - first + 1), sum(gone), sum(refused), sum(missing) FROM requests GROUP BY 1",
        (OPEN,),
    ):
        found[OPEN if is_open else GIVEN_UP] += missing
        found[CAME] += numbers - gone - refused - missing
        found[GONE] += gone
        found[REFUSED] += refused
    return found
