"""What a command says that ends at a store: which file, what is wrong with it, and what to do."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from gateway.cli_common import fail, load
from gateway.database import NewerSchemaError, StoreUnavailableError, connect_for_reading
from gateway.journal.blocks import DamagedError
from gateway.journal.journal import FILE
from gateway.journal.rows import OlderSchemaError

F = TypeVar("F", bound=Callable[..., Any])
LOOK_S = 10.0  # for the damaged files of a folder: somebody waits, and gigabytes are not read through meanwhile
LOOK_EVERY = 10_000  # of SQLite's instructions, between looks at the clock
UNREADABLE = (
    sqlite3.DatabaseError,
    DamagedError,
    OlderSchemaError,
    NewerSchemaError,
    StoreUnavailableError,
    UnicodeDecodeError,  # of text in a damaged file, and of what SQLite says of it
)
_OURS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_RESULT = 0xFF  # of an extended result code: the lower byte is the code itself
_LATE = f"not looked through in {LOOK_S:g} s / 未能及时检查完"
_CURE = (
    "run: wattline gateway audit; then: wattline gateway restore, from a backup (runbook: Damaged databases)"
    " / 请运行 audit 查明范围，再用备份恢复（见处置手册“数据库损坏”）"
)


class App(typer.Typer):
    """A group whose commands end with 1, and say why, where a store of `--config` can't be read."""

    def command(self, *args: Any, **named: Any) -> Callable[[F], F]:
        """As typer's."""
        return super().command(*args, cls=_Command, **named)


class _Command(TyperCommand):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _OURS:
            raise
        except UNREADABLE as error:
            fail(*told(error, Path(load(ctx.params["config"]).data_dir)))
        except (TypeError, ValueError, LookupError, OverflowError) as error:  # a value of another type, or ours
            folder = Path(load(ctx.params["config"]).data_dir)
            found = list(_damaged(folder))
            if all(_LATE in one for one in found):
                raise
            fail(f"{folder}: {error} / 数据库文件已损坏", *found, _CURE)


def told(error: Exception, folder: Path) -> list[str]:
    """Lines that say it, of one of UNREADABLE that a store of this data_dir gave."""
    if isinstance(error, OlderSchemaError | NewerSchemaError):
        return [f"{folder}: {error}"]
    if isinstance(error, DamagedError):
        return [f"{folder / FILE}: {error} / 数据库文件已损坏", _CURE]
    if _code(error) in _HELD:
        return [f"{folder}: {error}: another process holds it; try again later / 数据库被其他进程占用，请稍后重试"]
    if is_damage(error):
        return [f"{folder}: {error} / 数据库文件已损坏", *_damaged(folder), _CURE]
    return [
        f"{folder}: {error}; look at the disk, the files' owner, and whether one is empty or of another version",
        "数据库无法使用：请检查磁盘、文件权限，以及文件是否为空或版本不符",
    ]


def is_damage(error: Exception) -> bool:
    """Whether it is of what stands in a file, which another try finds again."""
    return isinstance(error, DamagedError | UnicodeDecodeError) or _code(error) in _DAMAGED


def _code(error: BaseException | None) -> int:
    """SQLite's, of it or of what it came from; 0: none."""
    while error is not None and not hasattr(error, "sqlite_errorcode"):
        error = error.__cause__
    return 0 if error is None else error.sqlite_errorcode & _RESULT


def _damaged(folder: Path) -> Iterator[str]:
    """Which files of the folder are damaged, and where each is first; and which there was no time to look through."""
    until_s = time.monotonic() + LOOK_S
    for file in sorted(folder.glob("*.sqlite3")):
        try:
            with closing(connect_for_reading(file)) as connection:
                connection.set_progress_handler(lambda: time.monotonic() > until_s, LOOK_EVERY)
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            late = _code(error) == sqlite3.SQLITE_INTERRUPT
            found = _LATE if late else str(error)
        if found != "ok":
            yield f"  {file.name}: {' '.join(found.split())}"
