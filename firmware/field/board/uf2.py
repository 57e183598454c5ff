"""UF2 files (Microsoft's UF2 specification): read and checked whole before a byte goes anywhere."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware.field.board.errors import BoardRefusedError

BLOCK_BYTES = 512
FAMILIES = {0xE48BFF56: "RP2040", 0xE48BFF59: "RP2350", 0xE48BFF5A: "RP2350", 0xC47E5767: "ESP32S3"}
_ABSOLUTE = 0xE48BFF57  # no chip's own: the block before an RP2350's image that its erratum E10 needs
_START, _START_2, _END = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_HAS_FAMILY, _NOT_FOR_FLASH = 0x2000, 0x0001
_PAYLOAD_MAX = 476
_BLOCKS_MAX = 32 * 1024 * 1024 // 256  # the largest flash of these boards, 256 bytes a block


@dataclass(frozen=True)
class Uf2:
    """family: the chip's name, by which a boot loader takes blocks or ignores them. size: bytes of flash written."""

    family: str
    size: int


def read(data: bytes, name: str) -> Uf2:
    """What a file is for. Raises BoardRefusedError with the block that is wrong."""
    if not data or len(data) % BLOCK_BYTES or len(data) // BLOCK_BYTES > _BLOCKS_MAX:
        raise BoardRefusedError(f"{name}: {len(data)} bytes are no UF2 file of whole blocks / 不是完整的 UF2 文件")
    counted: dict[int, list[int]] = {}
    size = 0
    for number in range(len(data) // BLOCK_BYTES):
        family, block, payload = _block(data[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES], f"{name}, {number}")
        if family != _ABSOLUTE:
            counted.setdefault(family, []).append(block)
            size += payload
    if len(counted) != 1:
        raise BoardRefusedError(f"{name}: for {len(counted)} kinds of chip at once, or for none / 应恰好对应一种芯片")
    family, blocks = counted.popitem()
    if blocks != list(range(len(blocks))):
        raise BoardRefusedError(f"{name}: blocks are missing or out of order / 数据块缺失或顺序错误")
    if family not in FAMILIES:
        raise BoardRefusedError(f"{name}: for an unknown chip, family {family:08x} / 未知芯片系列")
    return Uf2(FAMILIES[family], size)


def _block(data: bytes, where: str) -> tuple[int, int, int]:
    """(family, number, bytes) of a block."""
    start, start_2, flags, _at, payload, number, count, family = struct.unpack_from("<8I", data)
    (end,) = struct.unpack_from("<I", data, BLOCK_BYTES - 4)
    if (start, start_2, end) != (_START, _START_2, _END) or payload > _PAYLOAD_MAX or number >= count:
        raise BoardRefusedError(f"{where}: a block that is damaged / 数据块损坏")
    if not flags & _HAS_FAMILY or flags & _NOT_FOR_FLASH:
        raise BoardRefusedError(f"{where}: a block that names no chip / 数据块未标明芯片系列")
    return family, number, payload
