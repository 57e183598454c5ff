"""Updates, durably: their file and schema."""

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from gateway.shared_store import SharedStore, looking_at

SCHEMA = Path(__file__).parent / "schema"
FILE = "updates.sqlite3"


class Store(SharedStore):
    """The file in this folder."""

    def __init__(self, folder: Path) -> None:
        """Open or make the file. Raises StoreUnavailableError, NewerSchemaError."""
        super().__init__(folder / FILE, SCHEMA)


def looking(folder: Path) -> AbstractContextManager[sqlite3.Connection | None]:
    """A connection that can't change the file; None: there is no file yet."""
    return looking_at(folder / FILE)
