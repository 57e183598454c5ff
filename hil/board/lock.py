"""The bench is one run's at a time. The lock is the kernel's (flock): it is gone with its process, however that ends.

The file says who holds it, for whoever finds it held.
"""

import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hil.process import BenchError

_HOLDER_BYTES = 4096  # of the file: a pid, a user, a time and a few words


def lock_file(bench: Path) -> Path:
    """Beside the bench's file."""
    return bench.with_name(bench.name + ".lock")


@contextmanager
def held(bench: Path, purpose: str) -> Iterator[None]:
    """Hold the bench. Raises BenchError, naming who does."""
    file = lock_file(bench)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(f"{bench}: {who_holds(bench)}") from None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        mine = {"pid": os.getpid(), "user": getpass.getuser(), "since": since, "purpose": purpose}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(mine).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def who_holds(bench: Path) -> str:
    """In words; also what is left of a holder that was killed, so ask only while the lock is held."""
    try:
        holder = json.loads(lock_file(bench).read_bytes()[:_HOLDER_BYTES])
        who = f"process / 进程 {holder['pid']} ({holder['user']}) since / 自 {holder['since']}: {holder['purpose']}"
    except (OSError, ValueError, KeyError, TypeError):
        who = "a process that has not said who it is / 未知进程"
    return f"the bench is held by / 测试台被占用: {who}"
