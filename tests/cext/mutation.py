"""Bytes that are almost right: what tests and fuzzer change in frames and payloads. Needs nothing but the codec."""

import random
from collections.abc import Iterator

from protocol import cbor, limits


def texts(*groups: str) -> list[bytes]:
    return [bytes.fromhex(one) for group in groups for one in group.split()]


# What stands at limits of the encoding: heads of every width, simple values, huge lengths, breaks.
MORSELS = texts(
    "00 01 17 1800 1818 18ff 190100 19ffff 1a00010000 1affffffff 1b0000000100000000 1b001fffffffffffff",
    "1bffffffffffffffff 20 37 3818 38ff 3903e7 3affffffff 3b7fffffffffffffff 3bffffffffffffffff",
    "40 4101 5820 5affffffff 60 6161 80 81 83 85 88 89 91 92 93 94 9818 9affffffff 9bffffffffffffffff 9f a0 a1 bf c0",
    "d1 f4 f5 f6 f7 f820 f93c00 fa3f800000 fb ff",
)
BOUNDS = (
    limits.POINTS_MAX, limits.RECORDS_MAX, limits.WINDOW_S, limits.PF_MILLI_MAX, 2 * limits.PF_MILLI_MAX,
    limits.NONE_REASON_MAX, limits.FLAGS_MAX, limits.VOLTAGE_DV_MAX, limits.POWER_W_MAX, limits.UINT32_MAX,
    limits.ENERGY_WH_MAX,
)  # fmt: skip
# Integers at each bound, one beside it, and their negatives.
EDGES = [cbor.integer(sign * (bound + step)) for bound in BOUNDS for step in (-1, 0, 1) for sign in (1, -1)]


def flip(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def items(data: bytes) -> Iterator[tuple[int, int]]:
    """(begin, end) of each item's head, with a string's content, one after the other, as far as they make sense."""
    at = 0
    while at < len(data):
        info = data[at] & 0x1F
        size = 1 + (1 << (info - 24) if 24 <= info <= 27 else 0)
        if data[at] >> 5 in (cbor.BSTR, cbor.TSTR):
            size += info if info < 24 else int.from_bytes(data[at + 1 : at + size], "big")
        if at + size > len(data):
            return
        yield at, at + size
        at += size


def mutated(rnd: random.Random, payload: bytes) -> bytes:
    """One to three changes: of bytes anywhere, or of whole items."""
    data = bytearray(payload)
    for _ in range(rnd.randrange(1, 4)):
        places = list(items(bytes(data)))
        if places and rnd.random() < 0.5:
            begin, end = rnd.choice(places)
            data[begin:end] = rnd.choice(rnd.choice((MORSELS, EDGES)))
        else:
            change_bytes(rnd, data)
    return bytes(data[: limits.FRAME_BYTES_MAX - 60])


def change_bytes(rnd: random.Random, data: bytearray) -> None:
    """A byte, a bit, a piece taken out, put in twice, or a morsel put in or over."""
    at = rnd.randrange(len(data) + 1)
    size = rnd.randrange(1, 6)
    kind = rnd.randrange(6)
    if kind == 0:
        data[at : at + 1] = bytes([rnd.randrange(256)])
    elif kind == 1 and at < len(data):
        data[at] ^= 1 << rnd.randrange(8)
    elif kind == 2:
        del data[at : at + size]
    elif kind == 3:
        data[at:at] = data[at : at + size]
    else:
        data[at : at + (kind - 4)] = rnd.choice(MORSELS)
