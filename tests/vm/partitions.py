# What a board with two partitions for images has, in RAM: esp32.Partition's methods, ESP-IDF's data about which of them
# is to boot, and what its boot loader does with that. The power may fail at any operation of the flash.
import binascii
import struct

BLOCK_BYTES = 4096
_DATA = 2  # blocks that say what is to boot, one entry in each: the higher number counts
_NEW, _PENDING, _VALID, _INVALID = 0, 1, 2, 3  # of an entry, as ESP-IDF has them
_FORM = "<II"


class Cut(BaseException):
    """The power fails."""


class Chip:
    """The flash of two images of so many blocks, and what boots. `cut_at`: the operation that is left in part; 0: none
    is."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.operations = self.cut_at = 0
        self.flash = [bytearray(b"\xff" * BLOCK_BYTES) for _ in range(_DATA + 2 * blocks)]
        self.runs = 0

    def change(self, block: int, offset: int, data: bytes) -> None:
        """An operation: done, or some of it, each time another part, and the power is gone."""
        done = len(data) * (self.operations * 37 % 100) // 100 if self.spent() else len(data)
        self.flash[block][offset : offset + done] = bytes(memoryview(data)[:done])
        if done < len(data):
            raise Cut

    def spent(self) -> bool:
        """Count an operation; whether the power fails in it."""
        self.operations += 1
        return self.operations == self.cut_at

    def content(self, which: int, count: int) -> bytes:
        """The first bytes of a partition."""
        first = _DATA + which * self.blocks
        return b"".join([bytes(one) for one in self.flash[first : first + self.blocks]])[:count]

    # --- which is to boot

    def entries(self) -> "list[tuple[int, int, int]]":
        """(number, state, block) of those that are whole, the one that counts first."""
        found = []
        for block in range(_DATA):
            data = bytes(self.flash[block][:8])
            number, state = struct.unpack(_FORM, data)
            if self.flash[block][8:12] == binascii.crc32(data).to_bytes(4, "little"):
                found.append((number, state, block))
        return sorted(found, reverse=True)

    def active(self) -> "tuple[int, int, int] | None":
        """The one that counts of those that may boot; what is written next takes the place of the other."""
        for one in self.entries():
            if one[1] != _INVALID:
                return one
        return None

    def put_entry(self, number: int, state: int, block: int) -> None:
        """Erase, and write: two operations."""
        data = struct.pack(_FORM, number, state)
        self.change(block, 0, b"\xff" * BLOCK_BYTES)
        self.change(block, 0, data + binascii.crc32(data).to_bytes(4, "little"))

    def start(self) -> "type[Partition]":
        """What the boot loader does; then what the program sees as esp32.Partition."""
        for number, state, block in self.entries():
            if state == _PENDING:  # it ran once, and nothing marked it valid
                self.put_entry(number, _INVALID, block)
        chosen = self.active()
        self.runs = (chosen[0] - 1) % 2 if chosen else 0
        if chosen and chosen[1] == _NEW:
            self.put_entry(chosen[0], _PENDING, chosen[2])
        return type("Partition", (Partition,), {"chip": self})


class Partition:
    """esp32.Partition as the program sees it in one start; `chip` is the subclass's."""

    RUNNING = -1
    chip: Chip

    def __init__(self, which: int) -> None:
        self._which = self.chip.runs if which == self.RUNNING else which
        self._first = _DATA + self._which * self.chip.blocks

    def info(self) -> "tuple[int, int, int, int, str, bool]":
        place, size = self._first * BLOCK_BYTES, self.chip.blocks * BLOCK_BYTES
        return 0, 16 + self._which, place, size, f"ota_{self._which}", False

    def get_next_update(self) -> "Partition":
        return type(self)(1 - self._which)

    def ioctl(self, operation: int, block: int) -> int:
        if operation == 4:
            return self.chip.blocks
        if operation == 6:
            self.chip.change(self._first + block, 0, b"\xff" * BLOCK_BYTES)
        return 0

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        buffer[:] = self.chip.flash[self._first + block][offset : offset + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int) -> None:
        there = self.chip.flash[self._first + block][offset : offset + len(buffer)]
        assert there == b"\xff" * len(buffer), "programmed without erasing"
        assert self._which != self.chip.runs, "what runs is written over"
        self.chip.change(self._first + block, offset, bytes(buffer))

    def set_boot(self) -> None:
        newest, _, block = self.chip.active() or (0, _VALID, 1)
        number = newest + (1 if newest % 2 == self._which else 2)
        self.chip.put_entry(number, _NEW, 1 - block)

    @classmethod
    def mark_app_valid_cancel_rollback(cls) -> None:
        active = cls.chip.active()
        if not active:
            raise OSError(-1)
        number, state, block = active
        if state in (_NEW, _PENDING):
            cls.chip.put_entry(number, _VALID, block)
