"""A terminal's flash whose power fails at the N-th operation: that program or erase is left half done.

The cut ends the process at once (`_exit`): no finaliser runs and nothing is flushed, as on a board. It hits whatever
device the operation is of: the file system's flash, or the counters' beside it.
"""

import os
import random

import ffi
from boards import unix

CUT_STATUS = 77
MISUSED_STATUS = 78  # bytes were programmed that had not been erased
PROGRAM, ERASE = 0, 1
_exit = ffi.open("libc.so.6").func("v", "_exit", "i")


class Power:
    """Counts the operations of all flashes; `cut` is `OPERATION.PERCENT.NOISE.ORDER.SEED`, or empty: it never fails.

    Of that operation PERCENT of the bytes are done, the next NOISE bytes are random. ORDER 1: blocks are written out of
    order, so that the first block that was changed since the last sync is as it was before.
    """

    def __init__(self, cut: str) -> None:
        self.operations = 0
        self._at = self._percent = self._noise = self._disorder = seed = 0
        if cut:
            self._at, self._percent, self._noise, self._disorder, seed = [int(one) for one in cut.split(".")]
        random.seed(seed)

    @property
    def disorder(self) -> bool:
        """Whether blocks may be written in another order than they were given."""
        return bool(self._disorder)

    def spend(self, flash: "CutFlash", at: int, data: bytes) -> None:
        """One operation: do it, or some of it, and be gone."""
        self.operations += 1
        if self.operations != self._at:
            flash.put(at, data)
            return
        done = len(data) * self._percent // 100
        noise = min(self._noise, len(data) - done)
        flash.put(at, bytes(memoryview(data)[:done]) + bytes(random.getrandbits(8) for _ in range(noise)))
        if self._disorder:
            flash.undo_first()
        _exit(CUT_STATUS)


class CutFlash(unix.FileFlash):
    """A flash in a file, with that power. What is programmed must have been erased."""

    def __init__(self, path: str, blocks: int, power: Power) -> None:
        self._power = power
        self._first = -1  # the block that was changed first since the last sync
        self._before = bytearray(unix.BLOCK_BYTES)
        unix.FileFlash.__init__(self, path, blocks)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        """Sync, size, erase."""
        if operation == 3:
            self._first = -1
        return unix.FileFlash.ioctl(self, operation, argument)

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Program."""
        there = bytearray(len(buffer))
        self.readblocks(block, there, offset)
        if any(byte != 0xFF for byte in there):
            print("programmed without erasing: block", block, "offset", offset)
            _exit(MISUSED_STATUS)
        unix.FileFlash.writeblocks(self, block, buffer, offset)

    def put(self, at: int, data: bytes) -> None:
        """Change the file."""
        self._write(at, data)

    def undo_first(self) -> None:
        """The block that was changed first never was."""
        if self._first >= 0:
            self._write(self._first * unix.BLOCK_BYTES, bytes(self._before))

    def _put(self, at: int, data: bytes) -> None:
        if self._first < 0 and self._power.disorder:
            self._first = at // unix.BLOCK_BYTES
            self.readblocks(self._first, self._before)
        self._power.spend(self, at, data)


def opened(image: str, power: Power) -> "tuple[CutFlash, CutFlash]":
    """(the file system's flash, the counters') of an image; new ones have WATTLINE_FLASH_BLOCKS blocks."""
    blocks = int(os.getenv("WATTLINE_FLASH_BLOCKS") or unix.BLOCKS)
    return CutFlash(image, blocks, power), CutFlash(image + ".counters", 2, power)
