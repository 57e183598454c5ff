"""Opens the buses of a terminal as a command's options say: which is at which port, and whether what goes over is kept.

A port is that of an RS-485 adapter (COM3, /dev/ttyUSB0), or of a terminal's console, which then asks the meters itself:
board:COM4 all of its buses, board:COM4#1 its second. 1=COM3: the bus of the terminal's RS-485 port 1 is at COM3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from firmware.field.bus.adapter import Adapter
from firmware.field.bus.reach import Buses, Reach, Watched
from firmware.field.bus.traffic import Capture

BOARD = "board:"


class PlaceError(ValueError):
    """Ports that do not say which bus is where: what is to be said, in both languages."""


def places(ports: Sequence[str], uarts: Collection[int]) -> dict[int, str]:
    """At which port each bus is that is named, by the terminal's RS-485 port. uarts: of the plan; none: any will do.

    Raises PlaceError.
    """
    found: dict[int, str] = {}
    for text in ports:
        for uart, port in _places(text, uarts):
            if uart in found or (uarts and uart not in uarts):
                known = ", ".join(map(str, sorted(uarts)))
                raise PlaceError(
                    f"{text}: bus {uart} stands twice, or is not in the plan / 总线重复或不在计划中: {known}"
                )
            found[uart] = port
    if len(set(found.values())) != len(found) and not all(port.startswith(BOARD) for port in found.values()):
        raise PlaceError("one adapter is on one bus / 一个适配器只能接一条总线")
    return found


def _places(text: str, uarts: Collection[int]) -> Iterator[tuple[int, str]]:
    name, is_named, port = text.partition("=")
    if is_named and name.isdecimal():
        yield int(name), port
    elif text.startswith(BOARD):
        console, is_one, uart = text.partition("#")
        if is_one and not uart.isdecimal():
            raise PlaceError(f"{text}: board:PORT#0, the number of its RS-485 port / 例如 board:COM4#0")
        yield from ((one, console) for one in ([int(uart)] if is_one else sorted(uarts) or [0]))
    elif len(uarts) > 1:
        each = " ".join(f"--bus-port {uart}=COM{uart + 3}" for uart in sorted(uarts))
        raise PlaceError(f"{text}: which bus is it? such as {each} / 该终端有多条总线，请指明，例如 {each}")
    else:
        yield next(iter(uarts), 0), text


@contextlib.contextmanager
def opened(found: Mapping[int, str], capture: Path | None = None) -> Iterator[Reach]:
    """The buses at these `places` until the end of the `with`. Raises ReachError; OSError of the capture's file."""
    with contextlib.ExitStack() as closing:
        reaches: dict[str, Reach] = {}
        for uart, port in found.items():
            if port not in reaches:  # a board has one console
                reaches[port] = _reach(port, uart)
                closing.callback(reaches[port].close)
        reach = next(iter(reaches.values())) if len(reaches) == 1 else Buses({u: reaches[p] for u, p in found.items()})
        if capture is not None:
            file = closing.enter_context(capture.open("w", encoding="utf-8"))
            reach = Watched(reach, Capture(file).heard)
        yield reach


def _reach(port: str, uart: int) -> Reach:
    if not port.startswith(BOARD):
        return Adapter(port)
    from firmware.field.bus.through_terminal import ThroughTerminal  # noqa: PLC0415  a board is reached for this alone

    return ThroughTerminal(port.removeprefix(BOARD), uart)
