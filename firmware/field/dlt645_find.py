"""Asks a DL/T 645-2007 meter that is alone on a bus for its address: a technician's request, which no terminal makes.

The wildcard address is answered by every meter on the line at once; so this is for one meter on a laptop's adapter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from firmware.field.bus import who

BAUDS = (2400, 9600, 4800, 1200, 19200)  # the usual factory setting first
WAIT_S = 2.0  # a meter answers within 0.5 s; adapters and 22 bytes at 1200 baud take the rest


class Port(Protocol):
    """A serial port, as pyserial has it."""

    baudrate: int

    def write(self, data: bytes, /) -> int | None:
        """Send."""
        ...

    def read(self, size: int = ..., /) -> bytes:
        """What has come within the port's time-out."""
        ...


def find(port: Port, tried: Callable[[int], None], bauds: tuple[int, ...] = BAUDS) -> tuple[str, int] | None:
    """(address, baud) of the meter on the port; None: none answered. `tried` is told each baud."""
    for baud in bauds:
        tried(baud)
        port.baudrate = baud
        port.write(who.REQUEST)
        heard = b""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            heard += port.read(64)
            addresses = who.addresses_in(heard)
            if addresses:
                return addresses[0], baud
    return None
