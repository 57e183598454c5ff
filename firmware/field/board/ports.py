"""Serial ports: which there are, and why one can't be used: which process holds it (/proc), what is missing."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from serial.tools import list_ports

from firmware.field.board.errors import PortError

PROC = Path("/proc")  # Linux's; elsewhere nobody is named


class Port(NamedTuple):
    """A serial port; `vid` and `pid` are None where it is none of USB."""

    device: str
    description: str
    vid: int | None
    pid: int | None
    serial_number: str | None


class Holder(NamedTuple):
    """A process that has a port open."""

    pid: int
    name: str
    user: str


def found() -> list[Port]:
    """The ports of this machine that something is plugged into: those of USB first."""
    ports = [Port(one.device, one.description, one.vid, one.pid, one.serial_number) for one in list_ports.comports()]
    return sorted(ports, key=lambda one: (one.vid is None, one.device))


def check(port: str) -> None:
    """Raise PortError unless the port is there, nobody holds it, and this user may open it. URLs are not looked at."""
    if "://" in port or os.name != "posix":
        return
    path = Path(port)
    if not path.exists():
        raise PortError(
            f"{port} is not there: is it plugged in? `wattline field ports` lists what is / "
            "端口不存在：请检查连接，`wattline field ports` 可列出现有端口"
        )
    if holding := holders(path):
        names = ", ".join(f"process / 进程 {one.pid} ({one.name}, {one.user})" for one in holding)
        raise PortError(f"{port} is held by {names}: end that program first / 端口被占用，请先关闭该程序")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PortError(_not_allowed(path))


def holders(port: Path) -> list[Holder]:
    """Who has it open, this process apart. Of other users' processes only root sees all."""
    try:
        device = port.stat().st_rdev
    except OSError:
        return []
    if not PROC.is_dir():
        return []
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]
    return [_holder(pid) for pid in sorted(pids) if device in _open_devices(pid)]


def _not_allowed(path: Path) -> str:
    try:
        group = path.group()  # dialout on Debian, uucp on Arch
    except (KeyError, OSError):
        group = str(path.stat().st_gid)
    advice = f"sudo usermod -aG {group} $USER"
    return (
        f"{path} may not be opened by this user: only by the group {group}; `{advice}`, then log in anew / "
        f"当前用户无权打开该端口，只允许用户组 {group}：请执行 `{advice}` 后重新登录"
    )


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
        return Holder(pid, name, folder.owner())
    except (OSError, KeyError):
        return Holder(pid, "?", "?")
