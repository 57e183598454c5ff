"""Frames in a file, as a technician pulled them off a terminal whose uplink is dead: a JSON object a line.

{"terminal": "T0042", "frame": "base64"}. The gateway authenticates them: anybody can write such a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from protocol.host.tables import is_terminal_id

LINE_BYTES_MAX = 8192  # a frame of 4,096 bytes is 5,464 of base64


class PulledError(Exception):
    """A line that is none: which, and why."""


class Pulled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frame, and which terminal it says it is of."""

    terminal: str
    frame: bytes

    def __post_init__(self) -> None:
        """What is read may be anybody's: where it is none, msgspec says so with its own error."""
        if not is_terminal_id(self.terminal):
            raise ValueError("terminal: no terminal's id")


def line(one: Pulled) -> bytes:
    """A frame as a line of the file."""
    return msgspec.json.encode(one) + b"\n"


def read(file: Path) -> Iterator[Pulled]:
    """The frames of a file, one by one. Raises PulledError, OSError."""
    with file.open("rb") as lines:
        number = 0
        while text := lines.readline(LINE_BYTES_MAX):
            number += 1
            try:
                yield msgspec.json.decode(text, type=Pulled)
            except msgspec.DecodeError as error:
                raise PulledError(f"{file.name}, line {number}: {error} / 不是终端数据帧") from error
