"""What a board says on its serial console, line by line. A port by USB may go away with a reset, and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import serial

from firmware.field.board.link import BAUD

_READ_S = 0.1
_AGAIN_S = 0.1
_LINE_BYTES_MAX = 1024  # a terminal's lines have 200; what is longer is no text


def lines(port: str, timeout_s: float, baud: int = BAUD) -> Iterator[str | None]:
    """Each line as it comes, and None whenever a while passed without one; ends after so long."""
    deadline = time.monotonic() + timeout_s
    rest = b""
    while time.monotonic() < deadline:
        try:
            with serial.serial_for_url(port, baud, timeout=_READ_S) as line:
                while time.monotonic() < deadline:
                    rest += line.read(max(1, line.in_waiting))
                    *whole, rest = rest.split(b"\n")
                    rest = rest[-_LINE_BYTES_MAX:]
                    yield from (one.decode(errors="replace").strip() for one in whole)
                    if not whole:
                        yield None
        except (serial.SerialException, OSError):
            yield None
            time.sleep(_AGAIN_S)
