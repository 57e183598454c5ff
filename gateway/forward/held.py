"""Events that a sink is handed later: as many log texts (HJ 212, CN 3020) as may wait do so already.

Readings pass them by. As many as the journal has events, each in 12 bytes; what it has retired meanwhile is a dead
letter when it is its turn.
"""

import sqlite3
from collections.abc import Iterable


def first(connection: sqlite3.Connection, limit: int) -> list[int]:
    """The oldest of these records."""
    return [row[0] for row in connection.execute("SELECT record FROM held ORDER BY record LIMIT ?", (limit,))]


def note(connection: sqlite3.Connection, handed: Iterable[int], held: Iterable[int]) -> None:
    """Some were handed over, some are to wait (again). Within the caller's transaction."""
    connection.executemany("DELETE FROM held WHERE record = ?", [(one,) for one in handed])
    connection.executemany("INSERT OR IGNORE INTO held (record) VALUES (?)", [(one,) for one in held])
