# Two numbers that never fall, kept outside the file system: the log's numbers below `seq` may have been used, `boot`
# starts have been counted. Whoever puts back an older image of the file system does not put these back with it (S-08).
#
# They are in two flash blocks of their own (`board.counters_flash()`), in pages of 256 bytes, the least that each board
# programs:
#
#   "WLC1"  seq u32  boot u32  crc32 of these 12 bytes, little endian; the rest of the page stays erased
#
# Each change is a page more; when a block is full the other one, which holds only what is older, is erased. So a power
# cut costs at most the change that had not returned. A page that does not read back as it was written is passed over.
#
# Why the log reserves one number at a time (RFC 8613, appendix B.1.1, has K of them): what is reserved and not used is
# passed over at the next start, and a log that was put back by fewer than K records looks like a log that was cut. With
# 1, a cut costs no number unless it falls into the append itself, and a log that is 2 records behind is known to be. It
# costs a page, 1 ms, beside an append of 50 ms or more. 110 records a day are 402,000 in ten years; a block is erased
# every 32 of them: 12,600 times of 100,000.
import binascii
import errno
import struct

PAGE_BYTES = 256
BLOCKS = 2

_MAGIC = b"WLC1"
_SLOT_BYTES = 16


class Counters:
    """`flash` is a block device of two blocks or more: readblocks, writeblocks and ioctl as vfs.VfsLfs2 wants them."""

    def __init__(self, flash) -> None:  # type: ignore[no-untyped-def]
        self._flash = flash
        self._pages = flash.ioctl(5, 0) // PAGE_BYTES
        self._erased = b"\xff" * PAGE_BYTES
        self._buffer = bytearray(PAGE_BYTES)
        self.seq = 0
        self.boot = 0
        self._block = 0
        self._page = self._pages  # where the next change goes: here, into a block erased before
        self._load()

    def raise_seq(self, seq: int) -> None:
        """Numbers below `seq` may be used from now on; durable on return. Raises OSError."""
        if seq > self.seq:
            self._write(seq, self.boot)

    def raise_boot(self, boot: int) -> None:
        """`boot` starts are counted; durable on return. Raises OSError."""
        if boot > self.boot:
            self._write(self.seq, boot)

    def _load(self) -> None:
        """Find the newest page, and the first erased one behind it."""
        for block in range(BLOCKS):
            newest, free = False, self._pages
            for page in range(self._pages):
                self._flash.readblocks(block, self._buffer, page * PAGE_BYTES)
                if self._buffer == self._erased:
                    free = min(free, page)
                else:
                    free = self._pages
                    newest = self._take() or newest
            if newest:
                self._block, self._page = block, free

    def _take(self) -> bool:
        """True if the page in the buffer is intact and newer than what is known."""
        magic, seq, boot, crc = struct.unpack_from("<4sIII", self._buffer)
        if magic != _MAGIC or crc != binascii.crc32(self._buffer[:12]) or (seq, boot) <= (self.seq, self.boot):
            return False
        self.seq, self.boot = seq, boot
        return True

    def _write(self, seq: int, boot: int) -> None:
        slot = _MAGIC + struct.pack("<II", seq, boot)
        slot += struct.pack("<I", binascii.crc32(slot))
        for _ in range(self._pages):  # a block's worth of bad pages: this flash is worn out
            if self._page == self._pages:
                self._block ^= 1
                self._flash.ioctl(6, self._block)
                self._page = 0
            self._buffer[:] = self._erased
            self._buffer[:_SLOT_BYTES] = slot
            at = self._page * PAGE_BYTES
            self._flash.writeblocks(self._block, self._buffer, at)
            self._flash.ioctl(3, 0)
            self._page += 1
            self._flash.readblocks(self._block, self._buffer, at)
            if self._buffer[:_SLOT_BYTES] == slot:
                self.seq, self.boot = seq, boot
                return
        raise OSError(errno.EIO)
