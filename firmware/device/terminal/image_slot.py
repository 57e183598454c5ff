# A whole image on its way into a partition: written block by block, read back, and gone on with after a start.
# What takes long is an iterator, as in update_slot.py.
import hashlib

from protocol import update
from protocol.update import UpdateError
from terminal import small_file

BLOCK_BYTES = 4096  # of each port's partitions
_ERASE, _BLOCKS = 6, 4  # ioctl
_KEPT_EVERY = 16  # blocks between two notes of how far it has come: a start costs 64 KiB of it at most


class ImageWriter:
    """Writes an image into a partition, in order; `stored` bytes of it came. `note`: path of the small file that says
    how far it is on the flash. As update_slot.SlotWriter for who brings it."""

    def __init__(self, partition, manifest: update.Manifest, signed: bytes, note: str) -> None:  # type: ignore[no-untyped-def]
        self.manifest = manifest
        self.signed = signed
        self.stored = 0
        self._partition = partition
        self._note = note
        self._hash = hashlib.sha256()
        self._block = bytearray(BLOCK_BYTES)  # the one that comes

    @property
    def is_whole(self) -> bool:
        return self.stored == self.manifest.payload_bytes

    def resume_steps(self):  # type: ignore[no-untyped-def]
        """Go on where an earlier start was with the same image; an iterator. What is there is hashed again."""
        data = small_file.read(self._note)
        if not data:
            return
        if data[: update.DIGEST_BYTES] != self.manifest.application:
            self._forget()  # of another image, over which this one is written
            return
        stored = int.from_bytes(data[update.DIGEST_BYTES :], "little")
        if stored % BLOCK_BYTES or stored > self.manifest.payload_bytes:
            return
        for block in range(stored // BLOCK_BYTES):
            self._partition.readblocks(block, self._block)
            self._hash.update(self._block)
            yield
        self.stored = stored

    def write(self, content: bytes) -> None:
        """The next bytes. Raises UpdateError for what was not signed, OSError for a flash that does not take it."""
        self._hash.update(content)
        at = 0
        while at < len(content):
            begin = self.stored % BLOCK_BYTES
            part = content[at : at + BLOCK_BYTES - begin]
            self._block[begin : begin + len(part)] = part
            at += len(part)
            self.stored += len(part)
            if self.is_whole or not self.stored % BLOCK_BYTES:
                self._program()
        if self.is_whole and self._hash.digest() != self.manifest.application:
            self._forget()  # or the next start would go on with it
            raise UpdateError(update.FILE, "image")

    def close(self) -> None:
        """Write no more: nothing is open."""

    def check_steps(self):  # type: ignore[no-untyped-def]
        """Read the image back; an iterator. Raises UpdateError unless it is what was signed."""
        found = hashlib.sha256()
        left = self.manifest.payload_bytes
        for block in range(-(-left // BLOCK_BYTES)):
            self._partition.readblocks(block, self._block)
            found.update(memoryview(self._block)[: min(left, BLOCK_BYTES)])
            left -= BLOCK_BYTES
            yield
        self._forget()
        if found.digest() != self.manifest.application:
            raise UpdateError(update.CHANGED, "image")

    # --- inside

    def _program(self) -> None:
        """Write the block that has come."""
        block = (self.stored - 1) // BLOCK_BYTES
        end = self.stored - block * BLOCK_BYTES
        self._block[end:] = b"\xff" * (BLOCK_BYTES - end)
        self._partition.ioctl(_ERASE, block)
        self._partition.writeblocks(block, self._block, 0)
        if not self.is_whole and (block + 1) % _KEPT_EVERY == 0:
            small_file.write(self._note, self.manifest.application + self.stored.to_bytes(4, "little"))

    def _forget(self) -> None:
        small_file.write(self._note, b"")


def room_bytes(partition) -> int:  # type: ignore[no-untyped-def]
    """How large an image may be there."""
    count: int = partition.ioctl(_BLOCKS, 0)
    return count * BLOCK_BYTES
