"""How a sink is, as its file says: since when it is well, or fails, and why."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.database import connect_for_reading
from gateway.forward.sink import IN_PART, REASONS

FAILING = "failing"


def takes_nothing(reason: str) -> bool:
    """Whether a sink that is so takes no readings."""
    return reason not in {"", *IN_PART}


def note(connection: sqlite3.Connection, reason: str, detail: str, now_ms: int) -> None:
    """How it is from now on; '' for well. One that takes nothing for another reason has done so since the first. Within
    the caller's transaction.
    """
    row = connection.execute("SELECT reason, since_ms FROM health").fetchone()
    goes_on = row is not None and (row[0] == reason or (takes_nothing(row[0]) and takes_nothing(reason)))
    connection.execute(
        "INSERT OR REPLACE INTO health (one, reason, detail, since_ms) VALUES (1, ?, ?, ?)",
        (reason, detail, row[1] if goes_on else now_ms),
    )


def of(connection: sqlite3.Connection) -> dict[str, object]:
    """Of an open file, as `status` shows it."""
    row = connection.execute("SELECT reason, detail, since_ms FROM health").fetchone()
    if row is None:
        return {"state": "not started"}
    reason, detail, since_ms = row
    if not reason:
        return {"state": "ok", "since_ms": since_ms}
    return {"state": FAILING, "reason": reason, "detail": detail, "since_ms": since_ms, "next": REASONS[reason]}


def since(file: Path) -> tuple[int, bool] | None:
    """(since when, whether it takes no readings); None where the file does not tell now. Costs a look at one row."""
    try:
        with closing(connect_for_reading(file)) as connection:
            found = connection.execute("SELECT since_ms, reason FROM health").fetchone()
    except sqlite3.Error:
        return None
    return (int(found[0]), takes_nothing(found[1])) if found else None
