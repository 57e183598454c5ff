"""Who holds a data_dir: one gateway at a time; and whether a watch looks at it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.files import give_to_owner_of

LOCK, WATCH = "gateway.lock", "watch.lock"


class AlreadyRunningError(Exception):
    """Another process is at work in this data_dir."""


def take_lock(folder: Path) -> int:
    """Hold the data_dir: two gateways on one journal would acknowledge each other's frames away.

    Raises AlreadyRunningError, OSError.
    """
    descriptor = _take(folder / LOCK, fcntl.LOCK_EX, "another gateway uses it / 另一个网关正在使用该目录")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def watch_lock(folder: Path, *, alone: bool) -> BinaryIO:
    """Held until it is closed, by each watch; alone, by a restore: a watch would go on with the files that it replaces.

    Raises AlreadyRunningError, OSError.
    """
    said = "a watch runs here: stop it first / 监视进程正在运行，请先停止" if alone else "is being restored / 正在恢复"
    how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    return os.fdopen(_take(folder / WATCH, how, said), "rb")


def _take(file: Path, how: int, said: str) -> int:
    """Raises OSError, also where it is a link, hard or soft, by which the service might lead root elsewhere."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EMLINK, "is another file's second name; remove it / 是其他文件的硬链接，请删除", str(file))
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise AlreadyRunningError(f"{file.parent}: {said}") from error
    give_to_owner_of(file.parent, file)
    return descriptor


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """No gateway runs on this data_dir meanwhile. Raises AlreadyRunningError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = take_lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def running_pid(folder: Path) -> int | None:
    """The process id of the gateway that holds this data_dir; None if none does."""
    try:
        with (folder / LOCK).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        text = (folder / LOCK).read_text("ascii").strip()
        return int(text) if text.isdigit() else None
