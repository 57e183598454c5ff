"""Firmware files as MicroPython's downloads are built, of bytes that do not matter."""

import struct

from firmware.field.board.uf2 import BLOCK_BYTES

RP2350, ABSOLUTE = 0xE48BFF59, 0xE48BFF57


def esp_file(chip_id: int = 9, version: bytes = b"v1.29.0", size: int = 150_000, filled: bytes = b"") -> bytes:
    """Boot loader, partition table and application in one. ESP-IDF, "App Image Format", "Partition Tables"."""
    data = bytearray((filled or bytes(size))[:size])
    data[0], data[3] = 0xE9, 0x3F  # for a flash of 8 MiB
    data[12:14] = struct.pack("<H", chip_id)
    data[0x8000:0x8020] = struct.pack("<HBBII16sI", 0x50AA, 1, 2, 0x9000, 0x6000, b"nvs", 0)
    data[0x8020:0x8040] = struct.pack("<HBBII16sI", 0x50AA, 0, 0, 0x10000, 0x1F0000, b"factory", 0)
    data[0x8040:0x8060] = b"\xff" * 32
    data[0x10020 : 0x10020 + 80] = struct.pack("<IIII32s32s", 0xABCD5432, 0, 0, 0, version, b"micropython")
    return bytes(data)


def uf2_file(blocks: int = 20, family: int = RP2350, *, with_absolute: bool = True) -> bytes:
    """A file of so many blocks, behind the block that erratum E10 needs."""
    first = [_block(0, 2, 0x10FFFF00, ABSOLUTE)] if with_absolute else []
    return b"".join([*first, *(_block(one, blocks, 0x10000000 + 256 * one, family) for one in range(blocks))])


def _block(number: int, count: int, at: int, family: int) -> bytes:
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, at, 256, number, count, family)
    return (head + bytes(256)).ljust(BLOCK_BYTES - 4, b"\0") + struct.pack("<I", 0x0AB16F30)
