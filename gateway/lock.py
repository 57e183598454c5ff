"""Who holds a data_dir: one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.files import give_to_owner_of

LOCK = "gateway.lock"


class AlreadyRunningError(Exception):
    """Another gateway writes to this data_dir."""


def take_lock(folder: Path) -> int:
    """Hold the data_dir: two gateways on one journal would acknowledge each other's frames away. Raises OSError, also
    where the lock is a link: the folder is the service's, and root, who empties what is there, might be led elsewhere.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise AlreadyRunningError(f"{folder}: another gateway uses it / 另一个网关正在使用该目录") from error
    give_to_owner_of(folder, folder / LOCK)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
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
