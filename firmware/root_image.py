"""An image's folder as one LittleFS, as MicroPython mounts it for a board's root: the same files give the same bytes.

What was not used of it is erased flash, 0xff, and need not be written.
"""

from __future__ import annotations

from pathlib import Path

from littlefs import LittleFS, LittleFSError

from firmware.image import AS_IT_IS, ImageError, files_of

BLOCK_BYTES = 4096  # a flash's sector, on each of our boards
HEAD_BYTES = 2 * BLOCK_BYTES  # the two blocks without which no file system is there
_MAGIC, _MAGIC_AT, _COUNT_AT = b"littlefs", 8, 28  # its SPEC.md: superblock
_PROG_BYTES = 32  # as the ESP32's port mounts it; the file system itself does not depend on it
_LOOKAHEAD_BYTES = 32


def make(folder: Path, blocks: int) -> bytes:
    """The file system with a folder's files, `blocks` blocks of BLOCK_BYTES. Raises ImageError, OSError.

    The program's first file is its last commit: what is cut off anywhere begins no application.
    """
    made = LittleFS(
        block_size=BLOCK_BYTES,
        block_count=blocks,
        read_size=_PROG_BYTES,
        prog_size=_PROG_BYTES,
        lookahead_size=_LOOKAHEAD_BYTES,
    )
    files = files_of(folder)
    try:
        for path in sorted(files, key=lambda path: (path == AS_IT_IS, path)):
            made.makedirs(f"/{Path(path).parent.as_posix()}", exist_ok=True)
            with made.open(f"/{path}", "wb") as file:
                file.write(files[path])
    except LittleFSError as error:
        raise ImageError(f"{folder}: no room for it in {blocks} blocks ({error}) / 分区空间不足") from error
    return bytes(made.context.buffer)


def blocks_of(head: bytes) -> int | None:
    """How many blocks the LittleFS has of which a block begins so; None: it is not one of the two that tell."""
    if len(head) < _COUNT_AT + 4 or head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
        return None
    return int.from_bytes(head[_COUNT_AT : _COUNT_AT + 4], "little")
