"""The audit log: who changed what by the console, durably, before the answer leaves."""

from pathlib import Path
from typing import NamedTuple

from gateway.database import connect, migrate, transaction

SCHEMA = Path(__file__).parent / "schema"
FILE = "console.sqlite3"
ASKED_CHARS_MAX = 4_000  # of what was asked: a body may have 64 KiB


class Entry(NamedTuple):
    """One change, or one that was refused. status: below 300 it was done."""

    at_ms: int
    who: str
    address: str
    action: str
    asked: str
    status: int


class Audit:
    """The log in a gateway's folder. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreUnavailableError, NewerSchemaError."""
        self._connection = connect(folder / FILE)
        migrate(self._connection, SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(self, entry: Entry) -> None:
        """Raises StoreUnavailableError."""
        with transaction(self._connection):
            self._connection.execute(
                "INSERT INTO audit (at_ms, who, address, action, asked, status) VALUES (?, ?, ?, ?, ?, ?)",
                entry._replace(asked=entry.asked[:ASKED_CHARS_MAX]),
            )

    def newest(self, limit: int) -> list[Entry]:
        """The newest first."""
        found = self._connection.execute(
            "SELECT at_ms, who, address, action, asked, status FROM audit ORDER BY id DESC LIMIT ?", (limit,)
        )
        return [Entry(*row) for row in found]
