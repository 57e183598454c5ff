"""What the bench reads of a gateway's files for its report: counters, not evidence (that is hil/oracle/sources.py)."""

import sqlite3
from pathlib import Path


def counters(data: Path) -> dict[str, int]:
    """The journal's own counters, over all starts of the gateway."""
    rows = _rows(data / "journal.sqlite3", "SELECT name, value FROM counters")
    return {str(name): int(str(value)) for name, value in rows}


def quarantined(data: Path) -> dict[str, int]:
    """How many frames and records are in quarantine, by reason."""
    rows = _rows(data / "quarantine.sqlite3", "SELECT reason, count(*) FROM refused GROUP BY reason")
    return {str(reason): int(str(count)) for reason, count in rows}


def rollouts(data: Path) -> dict[str, int]:
    """How many rollouts of releases there are, by state."""
    rows = _rows(data / "updates.sqlite3", "SELECT state, count(*) FROM rollouts GROUP BY state")
    return {str(state): int(str(count)) for state, count in rows}


def _rows(file: Path, query: str) -> list[tuple[object, ...]]:
    """What a query finds; nothing where the file or its tables are not made yet."""
    if not file.exists():
        return []
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        connection.close()
