"""The application onto a new ESP32-S3 as one LittleFS: which pieces of its flash, and whether they may be written.

A root that has files already is left alone: there the raw REPL writes what differs (install.py). The head is the last
piece, so that what was cut off is no file system, and is written again.
"""

from __future__ import annotations

from firmware.field.board import flash_esp
from firmware.field.board.flash_esp import Loader, Piece
from firmware.root_image import BLOCK_BYTES, HEAD_BYTES, is_file_system

_LOOK_BYTES = 64  # of each block of the head


def pieces(image: bytes, at: int) -> list[Piece]:
    """What of a file system (root_image.make) is not erased flash, its head last; at: its partition's place."""
    body = flash_esp.pieces(image[HEAD_BYTES:], at + HEAD_BYTES)
    return [*(one for one in body if one.data.strip(b"\xff")), Piece(at, image[:HEAD_BYTES])]


def has_files(chip: Loader, at: int) -> bool:
    """Whether a file system is there. Raises BoardSilentError, BoardRefusedError."""
    heads = (flash_esp.content(chip, at + block, _LOOK_BYTES) for block in range(0, HEAD_BYTES, BLOCK_BYTES))
    return any(is_file_system(head) for head in heads)
