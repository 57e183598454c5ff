"""What of an ESP32-S3's file systems goes with its first flash: the application as one LittleFS, room for the records.

What a terminal has on it is left alone: a root with files gets what differs by the raw REPL (install.py), and records
are never erased. The head of an image is its last piece: what was cut off is no file system, and is written again.
"""

from __future__ import annotations

from firmware.field.board import esp_partitions, flash_esp
from firmware.field.board.errors import BoardRefusedError
from firmware.field.board.esp_partitions import COUNTERS, LOG, TABLE_AT, TABLE_BYTES, Partition
from firmware.field.board.flash_esp import Loader, Piece
from firmware.root_image import BLOCK_BYTES, HEAD_BYTES, blocks_of

_LOOK_BYTES = 64  # of each block of the head


def pieces(image: bytes, at: int) -> list[Piece]:
    """What of a file system (root_image.make) is not erased flash, its head last; at: its partition's place."""
    body = flash_esp.pieces(image[HEAD_BYTES:], at + HEAD_BYTES)
    return [*(one for one in body if one.data.strip(b"\xff")), Piece(at, image[:HEAD_BYTES])]


def has_files(chip: Loader, place: Partition) -> bool:
    """Whether a file system of just this size is there; MicroPython mounts no other. Raises BoardError."""
    return place.size // BLOCK_BYTES in _blocks_at(chip, place)


def to_erase(chip: Loader, firmware: bytes, name: str) -> list[Piece]:
    """What is not erased where a terminal's records are to be, and are not: a board formats nothing else.

    Raises BoardError; BoardRefusedError where the board keeps records elsewhere.
    """
    wanted = {one.label: one for one in esp_partitions.read(firmware, name)}
    there = flash_esp.content(chip, TABLE_AT, TABLE_BYTES)
    for one in esp_partitions.rows(there):
        if one.label == LOG and one[:4] != wanted[LOG][:4]:
            raise _kept_elsewhere(chip, f"{one.at:#x}, this firmware's are at {wanted[LOG].at:#x}")
    if has_files(chip, wanted[LOG]):
        return []
    if found := _blocks_at(chip, wanted[LOG]):  # under a table that another firmware wrote over
        raise _kept_elsewhere(chip, f"{wanted[LOG].at:#x}, in {max(found)} blocks of another division")
    blank = (flash_esp.pieces(b"\xff" * wanted[label].size, wanted[label].at) for label in (LOG, COUNTERS))
    return flash_esp.differing(chip, [one for each in blank for one in each])


def _blocks_at(chip: Loader, place: Partition) -> set[int]:
    """How many blocks the file system has that begins there, of whatever size; none: there is none."""
    heads = (flash_esp.content(chip, place.at + block, _LOOK_BYTES) for block in range(0, HEAD_BYTES, BLOCK_BYTES))
    return {blocks for blocks in map(blocks_of, heads) if blocks is not None}


def _kept_elsewhere(chip: Loader, where: str) -> BoardRefusedError:
    return BoardRefusedError(
        f"{chip.port}: this board keeps records at {where}: `wattline field pull` first, then erase it by esptool / "
        "板上记录位于其他分区：请先执行 wattline field pull，再用 esptool 擦除"
    )
