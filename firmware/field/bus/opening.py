"""Opens a bus as a command's options say: which wire, and whether what goes over it is kept.

A port is that of an RS-485 adapter (COM3, /dev/ttyUSB0), or of a terminal's console, which then asks the meters itself:
board:COM4, board:/dev/ttyACM0#1 for its second RS-485 port.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from firmware.field.bus.adapter import Adapter
from firmware.field.bus.reach import Reach, ReachError, Watched
from firmware.field.bus.traffic import Capture

BOARD = "board:"


@contextlib.contextmanager
def opened(port: str, capture: Path | None = None) -> Iterator[Reach]:
    """The bus at a port until the end of the `with`. Raises ReachError; OSError of the capture's file."""
    with contextlib.ExitStack() as closing:
        reach: Reach = _reach(port)
        closing.callback(reach.close)
        if capture is not None:
            file = closing.enter_context(capture.open("w", encoding="utf-8"))
            reach = Watched(reach, Capture(file).heard)
        yield reach


def _reach(port: str) -> Reach:
    if not port.startswith(BOARD):
        return Adapter(port)
    from firmware.field.bus.through_terminal import ThroughTerminal  # noqa: PLC0415  a board is reached for this alone

    console, _, uart = port.removeprefix(BOARD).partition("#")
    if uart and not uart.isdigit():
        raise ReachError(f"{port}: board:PORT#0, the number of its RS-485 port / 例如 board:COM4#0")
    return ThroughTerminal(console, int(uart or 0))
