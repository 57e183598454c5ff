"""How a sink is, as its file says: since when it is well, or fails, and why."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.database import connect_for_reading
from gateway.forward.sink import IN_PART, REASONS

FAILING = "failing"


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
    return (int(found[0]), found[1] not in {"", *IN_PART}) if found else None
