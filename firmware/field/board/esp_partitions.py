"""The partition table of an ESP firmware file, and the one by which our board divides its flash (esp32s3.py).

MicroPython's own downloads have a root and no place for records. Format: ESP-IDF, "Partition Tables".
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from firmware.field.board.errors import BoardRefusedError

TABLE_AT, TABLE_BYTES = 0x8000, 0xC00
ROOT, LOG, COUNTERS = "vfs", "wattline", "counters"  # the labels by which MicroPython and the terminal find them
APPLICATION, DATA = 0, 1
_OURS = {ROOT, LOG, COUNTERS}
_ROOT_BYTES = 1536 * 1024  # three applications, as on the RP2 (docs/updates.md)
_LOG_BYTES_MIN = 1024 * 1024  # some weeks of a few points
_COUNTERS_BYTES = 2 * 4096
_ROW, _ROW_BYTES, _MAGIC, _MD5_MAGIC = "<HBBII16sI", 32, 0x50AA, b"\xeb\xeb".ljust(16, b"\xff")
_FAT, _LITTLEFS, _UNDEFINED = 0x81, 0x83, 0x06  # subtypes; MicroPython's own `vfs` has the first
_SIZE_AT, _MIB = 3, 1024 * 1024  # the image's header: the flash is so many times doubled 1 MiB
_ALIGN = 0x10000


class Partition(NamedTuple):
    """kind: APPLICATION or DATA. slot: its subtype. at, size: on the flash, in bytes."""

    kind: int
    slot: int
    at: int
    size: int
    label: str


def rows(table: bytes) -> list[Partition]:
    """A partition table's rows, as they stand; none where there is no table."""
    found = []
    for at in range(0, len(table) - _ROW_BYTES + 1, _ROW_BYTES):
        magic, kind, slot, start, size, label, _flags = struct.unpack_from(_ROW, table, at)
        if magic != _MAGIC:
            break
        found.append(Partition(kind, slot, start, size, label.split(b"\0")[0].decode("ascii", "replace")))
    return found


def read(data: bytes, name: str) -> list[Partition]:
    """A firmware file's partitions. Raises BoardRefusedError if there is no table."""
    found = rows(data[TABLE_AT : TABLE_AT + TABLE_BYTES])
    if not any(one.kind == APPLICATION for one in found):
        raise BoardRefusedError(f"{name}: its partition table has no application / 分区表中没有应用分区")
    return found


def divided(data: bytes, name: str) -> bytes:
    """The firmware with a partition table that has the terminal's root, log and counters behind its last application.

    One that has these three already stays as it is. Raises BoardRefusedError if its flash is too small.
    """
    found = read(data, name)
    if {one.label for one in found} >= _OURS:
        return data
    root_at = max(one.at + one.size for one in found if one.kind == APPLICATION)
    counters_at = (_MIB << (data[_SIZE_AT] >> 4)) - _COUNTERS_BYTES
    log_at = root_at + _ROOT_BYTES
    if root_at % _ALIGN or counters_at - log_at < _LOG_BYTES_MIN:
        raise BoardRefusedError(f"{name}: it is for a flash too small for a terminal / 固件对应的闪存容量不足")
    kept = [one for one in found if one.at < root_at and one.label not in _OURS]
    ours = [
        Partition(DATA, _FAT, root_at, _ROOT_BYTES, ROOT),
        Partition(DATA, _LITTLEFS, log_at, counters_at - log_at, LOG),
        Partition(DATA, _UNDEFINED, counters_at, _COUNTERS_BYTES, COUNTERS),
    ]
    made = b"".join(_row(one) for one in (*kept, *ours))
    table = made + _MD5_MAGIC + hashlib.md5(made, usedforsecurity=False).digest()
    if len(table) > TABLE_BYTES:
        raise BoardRefusedError(f"{name}: its partition table is full / 分区表已满")
    return data[:TABLE_AT] + table.ljust(TABLE_BYTES, b"\xff") + data[TABLE_AT + TABLE_BYTES :]


def root_of(data: bytes, name: str) -> Partition:
    """Where the root's file system is, of a firmware that is laid out. Raises BoardRefusedError."""
    found = next((one for one in read(data, name) if one.label == ROOT), None)
    if found is None:
        raise BoardRefusedError(f"{name}: its partition table has no {ROOT} / 分区表中没有 {ROOT} 分区")
    return found


def end_of(data: bytes, name: str) -> int:
    """Where the last partition of a firmware ends, in bytes from 0. Raises BoardRefusedError."""
    return max(one.at + one.size for one in read(data, name))


def _row(one: Partition) -> bytes:
    return struct.pack(_ROW, _MAGIC, one.kind, one.slot, one.at, one.size, one.label.encode(), 0)
