"""Blocks: the rows in which the journal keeps frames as they came (schema/0002.sql).

Packed by `cext.verify.Taken.blocks`.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cext.decoder import Columns, decode_payloads
from cext.verify import NAMES

FRAMES_MAX = 64  # a block: 30 KiB of one-window frames, so that one record is found with few pages read

HEAD = struct.Struct("<QHB")  # mask, size of the frame, size of the terminal's name
MARK = struct.Struct("<HBB")  # record - first, check's number, point

_PAYLOAD_AT = 10  # the byte string's head; before it tag, array, protected and unprotected header (SPEC.md, section 2)
_TAIL_BYTES = 34  # behind the payload: 58 20 and the MAC
_FRAME_BYTES_MIN = _PAYLOAD_AT + 1 + _TAIL_BYTES


class DamagedError(ValueError):
    """The journal's file is not what was written: `wattline gateway audit` says where."""


class Kept(NamedTuple):
    """A frame of a block. mask: bit i says that its record i was new here."""

    mask: int
    terminal: str
    data: bytes


def frames_of(packed: bytes) -> list[Kept]:
    """The frames of a block, in order. Raises DamagedError where the bytes are no block, as the others here."""
    _check(packed)
    return [_kept(packed, *head) for head in _heads(packed)]


def holding(packed: bytes, numbers: Iterable[int]) -> Iterator[tuple[Kept, list[int]]]:
    """The frames that brought these of a block's records (0 is its first; ascending), with the places of those in each.

    The others are passed over unread: a block has 64 terminals' frames.
    """
    _check(packed)
    asked, first = iter(numbers), 0
    number = next(asked, None)
    for head in _heads(packed):
        mask = head[0]
        last = first + mask.bit_count()
        if number is not None and number < last:
            taken = [place for place in range(mask.bit_length()) if mask >> place & 1]
            places = []
            while number is not None and number < last:
                places.append(taken[number - first])
                number = next(asked, None)
            yield _kept(packed, *head), places
        if number is None:
            return
        first = last


def of_terminal(packed: bytes, terminal: str) -> Iterator[tuple[Kept, int]]:
    """A terminal's frames, each with the number of its first new record in the block; the others are passed over."""
    _check(packed)
    name, first = terminal.encode("ascii"), 0
    if name not in packed:
        return
    for mask, name_at, data_at, end in _heads(packed):
        if packed[name_at:data_at] == name:
            yield _kept(packed, mask, name_at, data_at, end), first
        first += mask.bit_count()


def _check(packed: object) -> None:
    """SQLite gives what it finds in the file, whatever the column is declared as."""
    if not isinstance(packed, bytes):
        raise DamagedError(f"block is {type(packed).__name__}, not bytes")


def _heads(packed: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(mask, where the name begins, the frame, what follows) of each frame."""
    at, size = 0, len(packed)
    while at < size:
        name_at = at + HEAD.size
        if name_at > size:
            raise DamagedError(f"block ends within a head at byte {at}")
        mask, frame_size, name_size = HEAD.unpack_from(packed, at)
        data_at = name_at + name_size
        at = data_at + frame_size
        if at > size:
            raise DamagedError(f"block ends within a frame at byte {data_at}")
        yield mask, name_at, data_at, at


def _kept(packed: bytes, mask: int, name_at: int, data_at: int, end: int) -> Kept:
    name = packed[name_at:data_at]
    if not name.isascii() or end - data_at < _FRAME_BYTES_MIN:
        raise DamagedError(f"block has no frame at byte {data_at}")
    return Kept(mask, name.decode("ascii"), packed[data_at:end])


def marks_of(packed: bytes, first: int) -> list[tuple[int, str, int | None]]:
    """(record, check, point or None for all) of a block that begins with record `first`. Raises DamagedError."""
    try:
        return [(first + place, NAMES[check], point or None) for place, check, point in MARK.iter_unpack(packed)]
    except (struct.error, IndexError, TypeError) as error:
        raise DamagedError(f"the marks of block {first} are none") from error


def payload_of(data: bytes) -> bytes:
    """The payload of a frame that was authenticated when it came."""
    head = data[_PAYLOAD_AT]
    begin = _PAYLOAD_AT + (1 if head < 0x58 else 2 if head == 0x58 else 3)
    return data[begin:-_TAIL_BYTES]


def columns_of(kept: Sequence[Kept], *, digests: bool = False) -> Columns:
    """What the frames say, as it was decoded when they came; positions are those in the payload.

    Raises DamagedError where they are not what came.
    """
    columns = decode_payloads([payload_of(one.data) for one in kept], digests=digests)
    counts = columns.frames.record_count
    if any(columns.frames.reason) or any(one.mask >> count for one, count in zip(kept, counts, strict=True)):
        raise DamagedError("a frame of the journal is not what came")
    return columns
