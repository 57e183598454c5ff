"""A store that commands write to while the gateway runs: opened again after a fault, written in transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.database import StoreUnavailableError, connect_for_reading, opening, transaction


class SharedStore:
    """The file, to read and write. Others may write to it at the same time."""

    def __init__(self, path: Path, schema: Path) -> None:
        """Open or make the file. schema: see `database.migrate`. Raises StoreUnavailableError, NewerSchemaError."""
        self._path, self._schema = path, schema
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._open()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable at the end. Raises StoreUnavailableError: nothing is written."""
        connection = self._open()
        try:
            with transaction(connection):
                yield connection
        except StoreUnavailableError:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with. Raises StoreUnavailableError."""
        connection = self._open()
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            self.close()
            raise StoreUnavailableError(f"{self._path}: {error}") from error

    def changed(self) -> bool:
        """Whether somebody else wrote since the last call; True at the first. Raises StoreUnavailableError."""
        with self.reading() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
        before, self._version = self._version, int(version)
        return before != self._version

    def close(self) -> None:
        """Close the file; whatever comes next opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._version = None, -1

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            with opening(self._path, self._schema, make_folder=True) as connection:
                self._connection = connection
        return self._connection


@contextmanager
def looking_at(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection that can't change the file; None: there is no file yet."""
    try:
        connection = connect_for_reading(path)
    except sqlite3.OperationalError:
        yield None
        return
    try:
        yield connection
    finally:
        connection.close()
