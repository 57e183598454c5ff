"""The chain over all that was accepted: each block's link covers the link before it, so that no row can be edited,
deleted or inserted unseen (S-23).

The chain has no secret: who can write the file can also compute it anew from the change on. What holds it is its head,
noted somewhere else: `audit` prints it, and checks one that was noted earlier.
"""

import hashlib
import sqlite3
import struct
from collections.abc import Sequence
from typing import NamedTuple

_HEAD = struct.Struct("<QQQQQQ")  # first, records, received_ms, bytes of marks and frames, remarks
_REMARK = struct.Struct("<QQQ")  # record, point, check

START = bytes(32)


class Head(NamedTuple):
    """The link behind a block, and the last record that it covers. As text: RECORD:HEX."""

    record: int
    link: bytes

    def __str__(self) -> str:
        return f"{self.record}:{self.link.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Raises ValueError where the text is none."""
        record, _, link = text.strip().partition(":")
        if not (record.isascii() and record.isdigit() and len(link) == 2 * len(START)):
            raise ValueError(f"{text!r}: allowed / 允许: RECORD:HEX, as `audit` and the log print it")
        return cls(int(record), bytes.fromhex(link))


def link_of(
    before: bytes,
    block: tuple[int, int, int],
    marks: bytes,
    frames: bytes,
    remarks: Sequence[tuple[int, int, int]] = (),
) -> bytes:
    """The link of a block (first, records, received_ms) with its marks, frames and the remarks of its commit."""
    state = hashlib.sha256(before)
    state.update(_HEAD.pack(*block, len(marks), len(frames), len(remarks)))
    state.update(marks)
    state.update(frames)
    for remark in remarks:
        state.update(_REMARK.pack(*remark))
    return state.digest()


def head(connection: sqlite3.Connection) -> bytes:
    """The newest link, which the next block's is to cover."""
    row = connection.execute("SELECT link FROM blocks ORDER BY first DESC LIMIT 1").fetchone()
    return bytes(row[0]) if row else start(connection).link


def start(connection: sqlite3.Connection) -> Head:
    """Where the chain begins that is still here: behind what was retired."""
    record, link = connection.execute("SELECT retired, link FROM progress").fetchone()
    return Head(int(record), bytes(link))
