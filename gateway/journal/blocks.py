"""Blocks: the rows in which the journal keeps frames as they came (schema/0002.sql).

Packed by `cext.verify.Taken.blocks`.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cext.decoder import Columns, decode_payloads
from cext.verify import NAMES

FRAMES_MAX = 64  # a block: 30 KiB of one-window frames, so that one record is found with few pages read

HEAD = struct.Struct("<QHB")  # mask, size of the frame, size of the terminal's name
MARK = struct.Struct("<HBB")  # record - first, check's number, point

_PAYLOAD_AT = 10  # the byte string's head; before it tag, array, protected and unprotected header (SPEC.md, section 2)
_TAIL_BYTES = 34  # behind the payload: 58 20 and the MAC


class Kept(NamedTuple):
    """A frame of a block. mask: bit i says that its record i was new here."""

    mask: int
    terminal: str
    data: bytes


def frames_of(packed: bytes) -> list[Kept]:
    """The frames of a block, in order. Raises ValueError where the bytes are no block."""
    return list(_frames(packed))


def _frames(packed: bytes) -> Iterator[Kept]:
    at = 0
    while at < len(packed):
        if at + HEAD.size > len(packed):
            raise ValueError(f"block ends within a head at byte {at}")
        mask, size, name_size = HEAD.unpack_from(packed, at)
        name_at = at + HEAD.size
        data_at = name_at + name_size
        at = data_at + size
        if at > len(packed):
            raise ValueError(f"block ends within a frame at byte {data_at}")
        yield Kept(mask, packed[name_at:data_at].decode("ascii"), packed[data_at:at])


def marks_of(packed: bytes, first: int) -> list[tuple[int, str, int | None]]:
    """(record, check, point or None for all) of a block that begins with record `first`."""
    return [(first + place, NAMES[check], point or None) for place, check, point in MARK.iter_unpack(packed)]


def payload_of(data: bytes) -> bytes:
    """The payload of a frame that was authenticated when it came."""
    head = data[_PAYLOAD_AT]
    begin = _PAYLOAD_AT + (1 if head < 0x58 else 2 if head == 0x58 else 3)
    return data[begin:-_TAIL_BYTES]


def columns_of(kept: Sequence[Kept], *, digests: bool = False) -> Columns:
    """What the frames say, as it was decoded when they came; positions are those in the payload.

    Raises ValueError where they are not what came.
    """
    columns = decode_payloads([payload_of(one.data) for one in kept], digests=digests)
    if any(columns.frames.reason):
        raise ValueError("a frame of the journal can't be decoded: the file is damaged")
    return columns
