"""Which process holds a serial port (/proc), so that "busy" comes with a name."""

import os
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hil.process import BenchError

PROC = Path("/proc")


class Holder(NamedTuple):
    """A process that has a port open."""

    pid: int
    name: str
    user: str


def holders(port: Path) -> list[Holder]:
    """Who has it open, this process apart. Of other users' processes only root sees all."""
    try:
        device = port.stat().st_rdev
    except OSError:
        return []
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]
    return [_holder(pid) for pid in sorted(pids) if device in _open_devices(pid)]


def check(ports: Sequence[Path]) -> None:
    """Raise BenchError unless all ports are there and nobody holds one."""
    for port in ports:
        if not port.exists():
            raise BenchError(f"{port} is not there: is it plugged in? / 端口不存在，请检查连接")
        if found := holders(port):
            names = ", ".join(f"process / 进程 {one.pid} ({one.name}, {one.user})" for one in found)
            raise BenchError(f"{port} is held by / 端口被占用: {names}")


def _open_devices(pid: int) -> Iterator[int]:
    try:
        files = list((PROC / str(pid) / "fd").iterdir())
    except OSError:  # it has ended, or is somebody else's
        return
    for file in files:
        try:
            yield file.stat().st_rdev
        except OSError:
            continue


def _holder(pid: int) -> Holder:
    folder = PROC / str(pid)
    try:
        name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
        user = pwd.getpwuid(folder.stat().st_uid).pw_name
    except (OSError, KeyError):
        return Holder(pid, "?", "?")
    return Holder(pid, name, user)
