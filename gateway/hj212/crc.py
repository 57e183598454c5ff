"""The check value of HJ 212-2017, Appendix A. It is not the CRC of Modbus."""

from __future__ import annotations

from cext import hj212

_POLYNOMIAL = 0xA001
_START = 0xFFFF


def _shifted(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
    return value


# The step keeps the high byte of the register only, so its whole state is one byte and one table of
# 256 entries is the whole algorithm. For the same reason the result takes only 256 values: it finds
# 255 of 256 damaged packets and proves nothing; integrity and deduplication never rest on it.
_TABLE = tuple(_shifted(value) for value in range(256))


def crc(data: bytes) -> int:
    """The check value (0..0xFFFF) of a data segment: the bytes from `QN=` to the last `&`.

    This is the definition; what is sent and received is checked by `cext.hj212`: the same at a hundredth of the cost.
    """
    value = _START
    table = _TABLE
    for byte in data:
        value = table[(value >> 8) ^ byte]
    return value


def crc_text(data: bytes) -> str:
    """The check value as it is sent: four hex digits, high byte first, upper case, zero padded."""
    return f"{hj212.crc(data):04X}"
