"""The disk of the gateway's machine, under SQLite: it may be full, and the process or the power may end at any commit.

Files are real, in a folder of the run's; what a kill leaves is what the files held in that instant. What a power cut
leaves is that too only where SQLite was told to sync each commit: else all since the last checkpoint is gone.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

from gateway import database
from hil.sim.loop import PowerCutError

RETRY_S = 60.0  # of a disk that refuses: more seldom than the product's second, since each try opens all files anew
FULL_SYNC = 2  # PRAGMA synchronous


class Disk:
    """A folder of SQLite files, whose commits are counted. `on_commit(connection, file)` after each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refusing = False  # there is no room: every commit is an error
        self.failing = False  # likewise, but it is the disk itself
        self.commits = 0
        self.on_commit: Callable[[sqlite3.Connection, str], None] = lambda _connection, _file: None
        self.on_kill: Callable[[], None] = lambda: None
        self._open: WeakSet[Connection] = WeakSet()
        self._kill_in = 0
        self._kill_after = False
        self._kill_file = ""
        self._kept: dict[Path, bytes] = {}

    def kill_in(self, commits: int, *, after: bool, file: str = "") -> None:
        """The process ends at the commit that comes as so-many-th from now (of this file), right before or after it."""
        self._kill_in, self._kill_after, self._kill_file = commits, after, file

    @property
    def armed(self) -> bool:
        """Whether a commit yet to come is the last."""
        return self._kill_in > 0

    def connect(self, *args: Any, **more: Any) -> sqlite3.Connection:
        """As sqlite3.connect."""
        connection = sqlite3.connect(*args, factory=Connection, **more)
        if isinstance(connection, Connection):
            connection.disk = self
            self._open.add(connection)
        return connection

    def commit(self, connection: "Connection", act: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """A commit, at which all of that may happen. Raises sqlite3.OperationalError, PowerCutError."""
        self.commits += 1
        file = connection.file()
        last = False
        if self._kill_in and self._kill_file in {"", file}:
            self._kill_in -= 1
            last = self._kill_in == 0
        if last and not self._kill_after:
            self._kill()
        if self.refusing:
            raise sqlite3.OperationalError("database or disk is full")
        if self.failing:
            raise sqlite3.OperationalError("disk I/O error")
        cursor = act()
        self.on_commit(connection, file)
        if last:
            self._kill()
        return cursor

    def freeze(self, *, power: bool) -> None:
        """The process, or (power) its machine, ends now: this is what is on the disk. `thaw` before the next start."""
        if self._kept:
            return
        unsynced = {one.file() for one in self._open if power and not one.is_synced()}
        for file in self.folder.iterdir():
            if file.name.endswith("-shm"):
                continue
            if not (file.name.endswith("-wal") and file.name.removesuffix("-wal") in unsynced):
                self._kept[file] = file.read_bytes()

    def thaw(self) -> None:
        """Put back what `freeze` found, once nothing of the old process runs any more."""
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        if self._kept:
            for file in list(self.folder.iterdir()):
                file.unlink()
            for file, data in self._kept.items():
                file.write_bytes(data)
        self._kept = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Whatever the gateway's stores open meanwhile is on this disk."""
        names = {name: getattr(sqlite3, name) for name in dir(sqlite3) if not name.startswith("__")}
        mine = SimpleNamespace(**{**names, "connect": self.connect})
        own = vars(database)
        before = own["sqlite3"]
        own["sqlite3"] = mine
        try:
            yield
        finally:
            own["sqlite3"] = before
            self._kept = {}
            self.thaw()

    def _kill(self) -> None:
        self.on_kill()
        raise PowerCutError("killed at a commit")


class Connection(sqlite3.Connection):
    """A connection whose commits are the disk's."""

    disk: Disk
    _file = ""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As sqlite3's."""
        if sql == "COMMIT":
            return self.disk.commit(self, lambda: super(Connection, self).execute(sql))
        return super().execute(sql, *parameters)

    def file(self) -> str:
        """The name of its file."""
        if not self._file:
            (row,) = super().execute("PRAGMA database_list").fetchall()[:1]
            self._file = Path(row[2]).name
        return self._file

    def is_synced(self) -> bool:
        """Whether a commit of it is on the disk when it returns; true of one that can't write."""
        try:
            (level,) = super().execute("PRAGMA synchronous").fetchone()
        except sqlite3.ProgrammingError:
            return True  # closed
        return int(level) >= FULL_SYNC
