"""Bytes that are almost right: what tests and fuzzer change in frames and payloads. Needs nothing but the codec."""

import random

from protocol import limits

# What stands at limits of the encoding: heads of every width, simple values, huge lengths, breaks.
MORSELS = [
    *map(bytes.fromhex, ("00", "01", "17", "1800", "1818", "18ff", "190100", "19ffff", "1a00010000", "1affffffff")),
    *map(bytes.fromhex, ("1b0000000100000000", "1b001fffffffffffff", "1bffffffffffffffff", "20", "37", "3818", "38ff")),
    *map(bytes.fromhex, ("3903e7", "3affffffff", "3b7fffffffffffffff", "3bffffffffffffffff", "40", "4101", "5820")),
    *map(
        bytes.fromhex, ("5affffffff", "60", "6161", "80", "81", "83", "85", "88", "89", "91", "92", "93", "94", "9818")
    ),
    *map(
        bytes.fromhex, ("9affffffff", "9bffffffffffffffff", "9f", "a0", "a1", "bf", "c0", "d1", "f4", "f5", "f6", "f7")
    ),
    *map(bytes.fromhex, ("f820", "f93c00", "fa3f800000", "fb", "ff")),
]


def flip(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def mutated(rnd: random.Random, payload: bytes) -> bytes:
    """One to three changes: a byte, a bit, a piece taken out, put in twice, or a morsel put in or over."""
    data = bytearray(payload)
    for _ in range(rnd.randrange(1, 4)):
        at = rnd.randrange(len(data) + 1)
        size = rnd.randrange(1, 6)
        morsel = rnd.choice(MORSELS)
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
            data[at : at + (kind - 4)] = morsel
    return bytes(data[: limits.FRAME_BYTES_MAX - 60])
