"""Asks a DL/T 645-2007 meter that is alone on a bus for its address: a technician's request, which no terminal makes.

The wildcard address is answered by every meter on the line at once; so this is for one meter on a laptop's adapter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

REQUEST = bytes.fromhex("FE FE FE FE 68 AA AA AA AA AA AA 68 13 00 DF 16")  # 7.1: read the address
BAUDS = (2400, 9600, 4800, 1200, 19200)  # the usual factory setting first
WAIT_S = 2.0  # a meter answers within 0.5 s; adapters and 22 bytes at 1200 baud take the rest
_ANSWER = 0x93
_HEAD_BYTES = 10
_ADDRESS_BYTES = 6
_FRAME_BYTES = _HEAD_BYTES + _ADDRESS_BYTES + 2


class Port(Protocol):
    """A serial port, as pyserial has it."""

    baudrate: int

    def write(self, data: bytes, /) -> int | None:
        """Send."""
        ...

    def read(self, size: int = ..., /) -> bytes:
        """What has come within the port's time-out."""
        ...


def address_in(data: bytes) -> str | None:
    """The address in the answer, if an intact one is in what came; behind noise and an echo too."""
    for at in range(len(data) - _FRAME_BYTES + 1):
        frame = data[at : at + _FRAME_BYTES]
        told = bytes((byte - 0x33) & 0xFF for byte in frame[_HEAD_BYTES:-2])[::-1].hex()
        head = (frame[0], frame[7], frame[8], frame[9], frame[-1])
        if head == (0x68, 0x68, _ANSWER, _ADDRESS_BYTES, 0x16) and sum(frame[:-2]) & 0xFF == frame[-2]:
            return told if told.isdigit() else None
    return None


def find(port: Port, tried: Callable[[int], None], bauds: tuple[int, ...] = BAUDS) -> tuple[str, int] | None:
    """(address, baud) of the meter on the port; None: none answered. `tried` is told each baud."""
    for baud in bauds:
        tried(baud)
        port.baudrate = baud
        port.write(REQUEST)
        heard = b""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            heard += port.read(64)
            address = address_in(heard)
            if address is not None:
                return address, baud
    return None
