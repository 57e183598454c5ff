"""Which points of a stored window have a reading, without decoding one: the journal's records are checked already."""

from typing import NamedTuple


class Slots(NamedTuple):
    """Points as bits, point 1 the lowest. reasons[i]: why point i + 1 has none, 0 where there is no such reason."""

    readings: int
    silent: int
    reasons: bytes


def _sizes() -> bytes:
    """An item's bytes by its first one, for all that stands in a window: integers, null, booleans."""
    tails = {24: 2, 25: 3, 26: 5, 27: 9}
    return bytes(tails.get(first & 0x1F, 1) if first >> 5 in (0, 1) else 1 for first in range(256))


_SIZE = _sizes()
_ARRAY = 0x80
_NULL = 0xF6
_BEFORE_READINGS = 8  # items of a window's body before its readings (SPEC.md, section 4)


def slots_of(raw: bytes) -> Slots:
    """Of a window record's bytes, as `protocol.record` wrote and checked them."""
    at = 1
    for _ in range(2):  # seq, type
        at += _SIZE[raw[at]]
    at += 1
    for _ in range(_BEFORE_READINGS):
        at += _SIZE[raw[at]]
    count = raw[at] & 0x1F
    at += 1
    if count == 24:
        count = raw[at]
        at += 1
    readings = silent = 0
    reasons = bytearray(count)
    for point in range(count):
        first = raw[at]
        if first >> 5 == _ARRAY >> 5:
            readings |= 1 << point
            at += 1
            for _ in range(first & 0x1F):
                at += _SIZE[raw[at]]
            continue
        if first != _NULL:
            silent |= 1 << point
            reasons[point] = first if first < 24 else raw[at + 1]
        at += _SIZE[first]
    return Slots(readings, silent, bytes(reasons))
