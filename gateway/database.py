"""SQLite as all stores of the gateway use it: WAL, every commit on the disk, a numbered schema brought up to date."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from gateway.files import give_to_owner_of

BUSY_TIMEOUT_S = 10  # a checkpoint by a reader may hold the file for so long on a slow disk
_COPY_BYTES = 1 << 20
LOG_PAGES_MAX = 1000  # SQLite's own
CACHE_KIB = 65536  # the index leaves of 7,056 terminals and of the newest frames


class StoreUnavailableError(Exception):
    """The disk, or the file on it, can't be used now. Nothing of the batch is stored; try again later."""


class NewerSchemaError(Exception):
    """The file was written by a newer version of this program: never touched by this one."""


def connect(path: Path, log_pages_max: int = LOG_PAGES_MAX) -> sqlite3.Connection:
    """A connection on which each commit is durable. Transactions are explicit: see `transaction`.

    For the one writer of the file. log_pages_max: a commit that makes the write-ahead log longer pays for a checkpoint.
    Raises OSError, sqlite3.DatabaseError.
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")  # another process that has the file open writes nothing meanwhile
        try:
            _write_again(path.with_name(f"{path.name}-wal"))
        finally:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {log_pages_max}")
        give_to_owner_of(path.parent, *(path.with_name(f"{path.name}{log}") for log in ("", "-wal", "-shm")))
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def opening(
    path: Path,
    schema: Path,
    also: Mapping[int, Callable[[sqlite3.Connection], None]] = MappingProxyType({}),
    log_pages_max: int = LOG_PAGES_MAX,
    *,
    make_folder: bool = False,
) -> Iterator[sqlite3.Connection]:
    """A store's connection, brought up to date: closed where what is done with it in here fails, and else left open.

    make_folder: where there is none. The others: see `connect`, `migrate`. Raises StoreUnavailableError for what the
    disk or the file refuses; NewerSchemaError.
    """
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(path, log_pages_max)
        try:
            migrate(connection, schema, also)
            yield connection
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.DatabaseError) as error:
        raise StoreUnavailableError(f"{path}: {error}") from error


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move what no reader needs from the write-ahead log to the file. Raises StoreUnavailableError."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreUnavailableError(str(error)) from error


def _write_again(log: Path) -> None:
    """Write what stands in the write-ahead log once more, and sync it.

    After a sync that failed Linux forgets what it could not write, says so once, and goes on to show it: SQLite would
    find commits in its log that are not on the disk, and put others behind them.
    """
    with suppress(FileNotFoundError), log.open("r+b") as stream:
        at = 0
        while data := stream.read(_COPY_BYTES):
            stream.seek(at)
            stream.write(data)
            stream.flush()
            at += len(data)
        os.fsync(stream.fileno())


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that can't change the file. Raises sqlite3.OperationalError if there is none."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Raises StoreUnavailableError for what the disk or the file refuses; then nothing is stored."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # ours, not the disk's
    except sqlite3.DatabaseError as error:
        raise StoreUnavailableError(str(error)) from error


def migrate(
    connection: sqlite3.Connection,
    folder: Path,
    also: Mapping[int, Callable[[sqlite3.Connection], None]] = MappingProxyType({}),
) -> None:
    """Bring the file to the newest of `folder`/NNNN.sql, one transaction a version. Raises NewerSchemaError.

    A file without any is made in one: cut off, it is not one of an older version, which an upgrade would copy.
    Several processes may do so at once. also[N] runs after the statements of NNNN.sql, for what SQL can't do.
    """
    steps = sorted(folder.glob("[0-9][0-9][0-9][0-9].sql"))
    newest = int(steps[-1].stem)
    version = schema_version(connection)
    if version > newest:
        ((_, _, file), *_) = connection.execute("PRAGMA database_list").fetchall()
        raise newer(file, version, newest)
    for some in [[step] for step in steps[version:]] if version else [steps]:
        with transaction(connection):
            for step in some:
                _take(connection, step, also)


def _take(connection: sqlite3.Connection, step: Path, also: Mapping[int, Callable[[sqlite3.Connection], None]]) -> None:
    """One version's statements, in the transaction that is open."""
    number = int(step.stem)
    if schema_version(connection) >= number:  # another process was first
        return
    for statement in _statements(step.read_text(encoding="utf-8")):
        connection.execute(statement)
    if number in also:
        also[number](connection)
    connection.execute(f"PRAGMA user_version = {number}")


def newer(file: Path | str, version: int, newest: int) -> NewerSchemaError:
    """That this file is newer than this program."""
    return NewerSchemaError(
        f"{file}: schema {version}, this program knows up to {newest}: update it / 数据库版本较新，请升级程序"
    )


def schema_version(connection: sqlite3.Connection) -> int:
    """The number of the schema that the file has; 0: none yet."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _statements(script: str) -> Iterator[str]:
    """One statement after the other: `executescript` would end our transaction before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
