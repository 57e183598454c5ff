"""Damages a log's files in every way and opens it, on the VM: micropython log_damage.py SEED COUNT

One log is made on a LittleFS in RAM; each damage begins with a copy of it. Prints a JSON object a damage: {"seed",
"damage", "lost", "told", "wrong"}; `wrong` says what does not hold, and is empty. What holds:

- it opens, and every record that was not damaged is there as it was written
- what is lost was damaged; at least so many records are told as lost or passed over, and no more than were damaged
- no number is used twice, and every number is of the epoch that it was of
"""

import gc
import json
import os
import sys

import vfs
from boards import base
from log_work import Draw
from plain_events import log_event, named
from terminal import counters, log, segment

from protocol import record

BLOCKS = 96
BLOCK_BYTES = 4096
SEGMENTS = 8
RECORDS = 70  # of 10 to 3,900 bytes: three segments and some of a fourth
FOLDER = "/flash/log"
FREED = ((10, 14), (40, 41))
MOVED = (60, 61)


class RamFlash:
    """A flash in RAM."""

    def __init__(self, blocks: int) -> None:
        self.data = bytearray(b"\xff" * (blocks * BLOCK_BYTES))

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Read."""
        at = block * BLOCK_BYTES + offset
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Program."""
        at = block * BLOCK_BYTES + offset
        self.data[at : at + len(buffer)] = buffer

    def ioctl(self, operation: int, argument: int) -> "int | None":
        """Size, erase."""
        if operation == 6:
            self.data[argument * BLOCK_BYTES : (argument + 1) * BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return {4: len(self.data) // BLOCK_BYTES, 5: BLOCK_BYTES}.get(operation, 0)


class Bench:
    """The log as it was made, and what was in it."""

    def __init__(self) -> None:
        self._flash = RamFlash(BLOCKS)
        self._beside = RamFlash(counters.BLOCKS)
        base.mount(self._flash)
        store = self.opened(1)
        for number in range(RECORDS):
            store.append(lambda seq, number=number: named(seq, "1-%d" % number))
        store.acknowledge(FREED)
        store.renumber([MOVED], store.epoch)
        store.append(lambda seq: named(seq, "1-%d" % RECORDS))
        self.records = {seq: store.peek(seq) or b"" for seq in range(1, store.next_seq)}
        self.epochs = {seq: store.epoch_of(seq)[0] for seq in self.records}
        self.pending = set(_pending(store))
        store.close()
        self.segments = os.listdir(FOLDER + "/records")
        self._image, self._counters = bytes(self._flash.data), bytes(self._beside.data)
        erased = b"\xff" * BLOCK_BYTES
        self._used = [at for at in range(BLOCKS) if self._image[at * BLOCK_BYTES : (at + 1) * BLOCK_BYTES] != erased]

    def opened(self, seed: int) -> log.Log:
        """The log that is mounted."""
        reserved = counters.Counters(self._beside)
        return log.Log(FOLDER, log_event, Draw(seed).bytes, SEGMENTS, reserved)

    def reset(self) -> None:
        """As it was made."""
        vfs.umount("/flash")
        gc.collect()
        self._flash.data[:] = self._image
        self._beside.data[:] = self._counters
        base.mount(self._flash)

    def flip(self, draw: Draw) -> "tuple[int, int]":
        """One bit of the flash, and mount it. Returns (byte, bit)."""
        vfs.umount("/flash")
        at = self._used[draw.below(len(self._used))] * BLOCK_BYTES + draw.below(BLOCK_BYTES)
        bit = draw.below(8)
        self._flash.data[at] ^= 1 << bit
        base.mount(self._flash)
        return at, bit


def _contents() -> "dict[str, bytes]":
    """All files of the log."""
    paths = [FOLDER + "/acked", FOLDER + "/epochs"] + [
        FOLDER + "/records/" + name for name in os.listdir(FOLDER + "/records")
    ]
    found = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                found[path] = file.read()
        except OSError:
            found[path] = b""
    return found


def _pending(store: log.Log) -> "list[int]":
    found = []
    seq = store.next_pending(0)
    while seq is not None:
        found.append(seq)
        seq = store.next_pending(seq)
    return found


class Damage:
    """One damage: `text` says which, `hit` the numbers whose bytes it may have changed."""

    def __init__(self, bench: Bench, draw: Draw) -> None:
        self._bench = bench
        self._draw = draw
        self.hit: "set[int]" = set()
        self.acked_lost = False
        ways = (
            self._tear, self._flip, self._flip, self._lose, self._lose_folder, self._scribble, self._lengthen,
            self._flip_flash, self._flip_flash,
        )  # fmt: skip
        self.text = ways[draw.below(len(ways))]()

    def _segment(self) -> "tuple[str, int, int]":
        """(path, first, last number) of a segment."""
        names = sorted(os.listdir(FOLDER + "/records"))
        at = self._draw.below(len(names))
        last = int(names[at + 1], 16) - 1 if at + 1 < len(names) else len(self._bench.records)
        return FOLDER + "/records/" + names[at], int(names[at], 16), last

    def _places(self, first: int, last: int) -> "list[tuple[int, int, int]]":
        """(number, begin, end) of the records of a segment, in its bytes."""
        found, at = [], segment.HEAD_BYTES
        for seq in range(first, last + 1):
            end = at + segment.HEADER_BYTES + len(self._bench.records[seq])
            found.append((seq, at, end))
            at = end
        return found

    def _touch(self, first: int, last: int, begin: int, end: int) -> None:
        for seq, at, behind in self._places(first, last):
            if at < end and behind > begin:
                self.hit.add(seq)

    def _tear(self) -> str:
        path, first, last = self._segment()
        size = os.stat(path)[6]
        left = size - 1 - self._draw.below(min(size, 9000))
        with open(path, "rb") as file:
            data = file.read(left)
        with open(path, "wb") as file:
            file.write(data)
        self._touch(first, last, left, size)
        return "torn %s at %d of %d" % (path, left, size)

    def _flip(self) -> str:
        files = ["/acked", "/epochs"]
        which = self._draw.below(8)
        path, first, last = self._segment()
        if which < len(files):
            path, self.acked_lost = FOLDER + files[which], which == 0
        at = self._draw.below(os.stat(path)[6])
        bit = self._draw.below(8)
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes((byte ^ 1 << bit,)))
        if which >= len(files):
            self._touch(first, last, at, at + 1)
        return "bit %d of byte %d of %s" % (bit, at, path)

    def _flip_flash(self) -> str:
        """One bit anywhere in the flash that LittleFS has used. If it is of the file system's own, it may give an older
        state of a folder, or another block for a file's.
        """
        before = _contents()
        at, bit = self._bench.flip(self._draw)
        try:
            after = _contents()
        except OSError:  # a file's chain of blocks is broken
            after = {}
        for path, data in before.items():
            now = after.get(path, b"")
            if now == data:
                continue
            self.acked_lost = self.acked_lost or path.endswith("/acked")
            differs = [number for number in range(len(data)) if now[number : number + 1] != data[number : number + 1]]
            self._hit_by(path, differs)
        return "flash bit %d of byte %d of block %d" % (bit, at % BLOCK_BYTES, at // BLOCK_BYTES)

    def _hit_by(self, path: str, differs: "list[int]") -> None:
        """The records of which these bytes of a segment differ."""
        firsts = sorted(int(name, 16) for name in self._bench.segments)
        name = path.rsplit("/", 1)[-1]
        if name not in self._bench.segments:
            return
        first = int(name, 16)
        last = min([one - 1 for one in firsts if one > first] + [len(self._bench.records)])
        for seq, begin, end in self._places(first, last):
            if any(begin <= at < end for at in differs):
                self.hit.add(seq)

    def _lose(self) -> str:
        which = self._draw.below(6)
        path, first, last = self._segment()
        if which == 0:
            path, self.acked_lost = FOLDER + "/acked", True
        elif which == 1:
            path = FOLDER + "/epochs"
        else:
            self.hit = set(range(first, last + 1))
        os.remove(path)
        return "lost " + path

    def _lose_folder(self) -> str:
        for name in os.listdir(FOLDER + "/records"):
            os.remove(FOLDER + "/records/" + name)
        os.rmdir(FOLDER + "/records")
        self.hit = set(self._bench.records)
        return "lost the folder of the segments"

    def _scribble(self) -> str:
        name = ("/acked", "/epochs")[self._draw.below(2)]
        self.acked_lost = name == "/acked"
        with open(FOLDER + name, "wb") as file:
            file.write(self._draw.bytes(self._draw.below(40)))
        return "random bytes in " + name

    def _lengthen(self) -> str:
        path, _, _ = self._segment()
        count = 1 + self._draw.below(5000)
        with open(path, "ab") as file:
            file.write(self._draw.bytes(count))
        return "%d random bytes behind %s" % (count, path)


def judge(bench: Bench, damage: Damage, store: log.Log) -> "tuple[list[int], int, list[str]]":
    """(numbers that are lost, how many are told, what does not hold)."""
    wrong: "list[str]" = []
    there: "set[int]" = set()
    told = 0
    seq = store.next_pending(0)
    while seq is not None:
        data = store.read(seq)
        if seq in bench.records:
            if data is not None:
                there.add(seq)
                if data != bench.records[seq]:
                    wrong.append("%d is altered" % seq)
                if store.epoch_of(seq)[0] != bench.epochs[seq]:
                    wrong.append("%d is of another epoch" % seq)
        elif data is not None:
            told += told_by(data)
        seq = store.next_pending(seq)
    lost = sorted(bench.pending - there)
    wrong += ["%d is lost, and was not damaged" % seq for seq in lost if seq not in damage.hit]
    if not len(lost) <= told <= max(len(damage.hit), 1):
        wrong.append("%d are lost, %d are told, %d are damaged" % (len(lost), told, len(damage.hit)))
    if not damage.acked_lost and there - bench.pending:
        wrong.append("freed and back: %s" % sorted(there - bench.pending))
    number = store.append(lambda seq: named(seq, "2-1"))
    if number <= max(bench.records) or store.peek(number) != named(number, "2-1"):
        wrong.append("number %d is given out again" % number)
    return lost, told, wrong


def told_by(data: bytes) -> int:
    """How many records an event of the log tells as lost."""
    body = record.decode_record(data).body
    if body.code == record.LOG_DAMAGED:
        count: int = body.values[0]
        return count
    return body.values[1] - body.values[0] + 1 if body.code in (record.LOG_PUT_BACK, record.NUMBERS_SKIPPED) else 0


def main(seed: int, count: int) -> None:
    """Do it."""
    bench = Bench()
    for number in range(seed, seed + count):
        bench.reset()
        damage = Damage(bench, Draw(number))
        lost: "list[int]" = []
        wrong: "list[str]" = []
        told = 0
        try:
            store = bench.opened(number)
            lost, told, wrong = judge(bench, damage, store)
            store.close()
        except Exception as error:  # noqa: BLE001  whatever it is, it does not hold
            sys.print_exception(error)  # type: ignore[attr-defined]
            wrong = ["%s: %s" % (type(error).__name__, error)]
        print(json.dumps({"seed": number, "damage": damage.text, "lost": len(lost), "told": told, "wrong": wrong}))


main(int(sys.argv[1]), int(sys.argv[2]))
