"""The terminal's own modules under CPython: its flash, its console and its heap are the bench's.

Installed once a process, into the globals of the terminal's modules and of the protocol's: `open` and `os` find a
terminal's flash by the path, and go on to the real ones for every other path. Nothing of the firmware is changed but
how often its supervisor looks and which version it says that it is, and nothing of it is left out but `main.py`, what
imports an application and `boards/`.
"""

import builtins
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import protocol
from firmware import DEVICE
from hil.sim.flash import Mount

TICK_MS = 5000  # the supervisor looks so often, not each second: that alone was a third of a run
ROOT = "/@"  # a terminal's flash is mounted at /@NAME

mounts: dict[str, Mount] = {}  # by terminal


class Hooks:
    """What the console's lines and faults of the terminal's program go to; what says which application runs."""

    say: Callable[[str], None] = staticmethod(lambda _line: None)
    crashed: Callable[[BaseException], None] = staticmethod(lambda _error: None)
    firmware: Callable[[], int] = staticmethod(lambda: 0)  # its version, as terminal.image has it


def install() -> None:
    """Bring the modules under the bench. A second call does nothing."""
    if hasattr(sys, "print_exception"):
        return
    for folder, package in ((DEVICE / "terminal", "terminal"), (Path(protocol.__file__).parent, "protocol")):
        for path in sorted(folder.glob("*.py")):
            _take_over(importlib.import_module(f"{package}.{path.stem}" if path.stem != "__init__" else package))
    _take_over(importlib.import_module("loader.slots"))
    vars(importlib.import_module("terminal.image"))["number"] = _firmware
    sys.print_exception = _print_exception  # type: ignore[attr-defined]  # MicroPython's
    # the one number of the firmware that is another here
    importlib.import_module("terminal.supervisor")._TICK_MS = TICK_MS  # type: ignore[attr-defined]  # noqa: SLF001


def _take_over(module: ModuleType) -> None:
    own = vars(module)
    own["open"] = _open
    if "os" in own:
        own["os"] = _Os()
    if module.__name__.startswith("terminal"):
        own["print"] = _print
        if "gc" in own:
            own["gc"] = _Gc()


def _mount_of(path: str) -> tuple[Mount, str] | None:
    """The flash that a path lies on, and the path there; None: it is a path of this machine."""
    if not str(path).startswith(ROOT):  # the host's own calls may be by other kinds of path
        return None
    name, _, rest = path.removeprefix(ROOT).partition("/")
    return mounts[name], rest


def _open(path: str, mode: str = "r", *more: Any, **named: Any) -> Any:
    found = _mount_of(path)
    return builtins.open(path, mode, *more, **named) if found is None else found[0].open(found[1], mode)  # noqa: PTH123


def _print_exception(error: BaseException) -> None:
    Hooks.crashed(error)


def _firmware() -> int:
    return Hooks.firmware()


def _print(*parts: object) -> None:
    Hooks.say(" ".join(str(part) for part in parts))


class _Os:
    """`os`, with the terminals' flashes in it."""

    def __getattr__(self, name: str) -> Any:
        own = getattr(os, name)
        if name not in {"stat", "statvfs", "listdir", "mkdir", "rmdir", "remove", "rename"}:
            return own

        def act(path: str, *paths: str) -> Any:
            found = _mount_of(path)
            if found is None:
                return own(path, *paths)
            mount, rest = found
            return getattr(mount, name)(rest, *((_mount_of(one) or ("", one))[1] for one in paths))

        return act


class _Gc:
    """A collection that costs nothing: the bench's heap is not the terminal's."""

    def collect(self) -> None:
        pass
