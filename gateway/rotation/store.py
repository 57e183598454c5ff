"""Changes of keys and certificates, durably: their file and schema."""

import os
import sqlite3
import stat
from contextlib import AbstractContextManager
from pathlib import Path

from gateway.shared_store import SharedStore, looking_at

SCHEMA = Path(__file__).parent / "schema"
FILE = "rotation.sqlite3"
CERTIFICATES_SINCE = 2  # of the schema: a store that no gateway has opened since has none
MODE = 0o600  # it holds keys; SQLite gives its logs the same


class Store(SharedStore):
    """The file in this folder."""

    def __init__(self, folder: Path) -> None:
        """Open or make the file. Raises StoreUnavailableError, NewerSchemaError, OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != MODE:  # it was put back from a copy
            os.fchmod(descriptor, MODE)
        os.close(descriptor)
        super().__init__(folder / FILE, SCHEMA)


def looking(folder: Path) -> AbstractContextManager[sqlite3.Connection | None]:
    """A connection that can't change the file; None: there is no file yet."""
    return looking_at(folder / FILE)
