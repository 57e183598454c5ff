"""The stores in a data_dir: which they are, a copy of one, and whether a set of them is sound."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.config import VerifyConfig
from gateway.database import NewerSchemaError, StoreUnavailableError, connect_for_reading, schema_version
from gateway.forward import outbox
from gateway.journal import journal
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.rotation import store as rotation
from gateway.updates import store as updates
from gateway.wanted import store as wanted

MANIFEST = "manifest.json"
NAME = r"^[A-Za-z0-9_-]{1,64}\.sqlite3$"  # what a store may be called; nothing that leads out of the folder
_READ_BYTES = 1 << 20


class BackupError(Exception):
    """A backup that can't be made or used; says why, in both languages."""


class StoreFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A store in a backup."""

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    bytes: int
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    schema: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself; written last, so that one without it is none. files: in the order of copying."""

    program: str
    began_ms: int
    ended_ms: int
    last_record: int  # the journal's newest
    files: list[StoreFile]


def names(folder: Path) -> list[str]:
    """The stores of a data_dir in the order in which they must be copied: the journal after those that follow it, and
    last what is wanted, which forgets what the journal has.
    """
    found = sorted(one.name for one in folder.glob("*.sqlite3") if one.is_file())
    last = (journal.FILE, wanted.FILE)
    return [name for name in found if name not in last] + [name for name in last if name in found]


def copy_store(source: Path, target: Path) -> StoreFile:
    """A copy of one instant of a store that others may be writing to, durable. Raises OSError, sqlite3.Error."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))  # some hold keys
    with closing(connect_for_reading(source)) as live, closing(sqlite3.connect(target, isolation_level=None)) as copy:
        live.execute("BEGIN").execute("SELECT 1 FROM sqlite_schema").fetchone()  # else a copy waits for ever for a lock
        live.backup(copy)  # all pages in one step: WAL holds the instant, and the writer is not held up
        schema = schema_version(copy)
    settle(target)
    return describe(target, schema)


def settle(file: Path) -> None:
    """Let all of a store be in its one file, on the disk. Nobody else may have it open."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    if mode != "delete":
        raise OSError(f"{file}: in use")
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def describe(file: Path, schema: int) -> StoreFile:
    """The file's size and digest."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while data := stream.read(_READ_BYTES):
            digest.update(data)
    return StoreFile(file.name, file.stat().st_size, digest.hexdigest(), schema)


def check_set(folder: Path) -> int:
    """Bring copies of stores to this program's schema, and see that they are sound; returns the journal's last record.

    Raises BackupError.
    """
    for name in names(folder):
        _check_intact(folder / name)
    try:
        Journal(folder, VerifyConfig()).close()
        wanted.Store(folder).close()
        updates.Store(folder).close()
        if rotation.FILE in names(folder):
            rotation.Store(folder).close()
        for sink in _sinks(folder):
            outbox.Outbox(folder, sink).close()
        with closing(Reader(folder)) as reader:
            for sink in _sinks(folder):
                _check_pair(folder, sink, reader)
            return reader.last_id()
    except NewerSchemaError as error:
        raise BackupError(str(error)) from error
    except (sqlite3.Error, StoreUnavailableError) as error:
        raise BackupError(f"not a set of stores / 不是有效的数据: {error}") from error


def _check_pair(folder: Path, sink: str, reader: Reader) -> None:
    record, placement = outbox.reach(folder, sink)
    if record > reader.last_id() or placement > reader.last_placement():
        raise BackupError(
            f"sink {sink} has gone past the journal ({record} > {reader.last_id()}): what comes next would not be"
            " forwarded / 上报进度超前于日志库"
        )


def _check_intact(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            broken_keys = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{file.name}: damaged / 文件损坏: {error}") from error
    if found != "ok" or broken_keys:
        raise BackupError(f"{file.name}: damaged / 文件损坏: {found}")


def _sinks(folder: Path) -> Iterator[str]:
    prefix, suffix = outbox.file_of(folder, "\0").name.split("\0")
    for name in names(folder):
        if name.startswith(prefix):
            yield name.removeprefix(prefix).removesuffix(suffix)
