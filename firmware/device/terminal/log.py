# The log: what the terminal has to tell, kept until the gateway has it. Append-only, on LittleFS.
#
# Files in its folder
#   epoch          4 bytes, random, made when the folder is: names this life of the log (small_file.py)
#   acked          the acknowledged numbers: ranges of 8 bytes (ranges.py, small_file.py)
#   records/%08x   a segment, named by the number of its first record (segment.py); the highest name is the open one
#
# What always holds
#   1. `append` returns after the record is committed: flush() is LittleFS's commit, atomic under power cuts.
#   2. Numbers rise by one. None is used twice: the next one is found behind the last record of the open segment, which
#      is never deleted, and numbers that damaged bytes may have held are passed over.
#   3. A number is freed only by `acknowledge`. A segment is deleted when all its numbers are acknowledged; the set is
#      saved first, and it forgets a number only when everything below the oldest segment is gone.
#   4. When the log is full, its oldest segment goes, after a LOG_FULL event that says from and to which number.
#   5. RAM does not grow with what is kept: one number per segment, and at most ACKED_RANGES ranges.
#
# Recovery, when it is opened: the names give the segments, and each holds the numbers up to the next one's first (less
# those acknowledged: segments between two others may be gone). Only the open segment is read through, records checked
# by CRC. A torn record at its end was never returned for and is passed over; damaged records are given up. Either is
# told by a LOG_DAMAGED event, and a new segment is begun. Damage in other segments is found when their records are
# read to be sent, and told likewise. An ack that would need more ranges than ACKED_RANGES is not remembered: the
# record is sent again.
import array
import errno
import os

from protocol import record
from protocol.errors import FrameError
from terminal import segment, small_file
from terminal.ranges import RangeSet

SEGMENT_BYTES = 32724  # what 8 flash blocks hold beside LittleFS's own pointers
SEGMENT_BLOCKS = 8
RESERVED_BLOCKS = 32  # superblock, folders, small files and their successors, the copy of a file's last block
SEGMENTS_MIN = 3  # one to write, one to drop, one between
_ENOSPC = 28  # MicroPython's errno module does not name it
ACKED_RANGES = 256  # a hole per lost frame: far above what is in flight; 2 KiB


class Log:
    """The log in a folder. `encode_event(seq, code, values) -> bytes` makes the records of its own."""

    def __init__(self, folder: str, encode_event, random_bytes, segments_max: int) -> None:  # type: ignore[no-untyped-def]
        self._folder = folder
        self._encode_event = encode_event
        self._segments_max = max(segments_max, SEGMENTS_MIN)
        self._acked = RangeSet(ACKED_RANGES)
        self._open: "segment.Segment | None" = None  # the segment to which records are added
        self._old: "segment.Segment | None" = None  # the other one that was read last
        self.failures = 0  # writes that the flash refused
        self.damaged_records = 0
        self.dropped_records = 0
        names = _names(folder)
        self._count = len(names)
        self._firsts = array.array("I", bytes(4 * (max(self._segments_max, self._count) + 1)))
        for at in range(self._count):
            self._firsts[at] = names[at]
        self.epoch = self._open_epoch(random_bytes)
        self.next_seq = 1
        self._acked.unpack(small_file.read(folder + "/acked") or b"")
        self._recover()

    @property
    def oldest_seq(self) -> int:
        """The lowest number that may still be here."""
        return self._firsts[0] if self._count else self.next_seq

    def append(self, encode) -> int:  # type: ignore[no-untyped-def]
        """Write the record `encode(seq) -> bytes`; it is durable on return. Returns seq.

        Raises ValueError if the record is too long for a frame, OSError if the flash fails. `encode` is called at least
        once."""
        try:
            return self._append(encode)
        except OSError as error:
            if error.errno != _ENOSPC or self._count < SEGMENTS_MIN:
                raise
        # The flash holds less than it was said to: the oldest segment must go before there is room to say so.
        values = self._drop_oldest()
        if values:
            self._append(lambda seq: self._encode_event(seq, record.LOG_FULL, values))
        return self._append(encode)

    def next_pending(self, after: int) -> "int | None":
        """The lowest number above `after` that is not acknowledged."""
        seq = self._acked.next_free(max(after + 1, self.oldest_seq))
        return seq if seq < self.next_seq else None

    def previous_pending(self, before: int) -> "int | None":
        """The highest number below `before` that is not acknowledged."""
        seq = self._acked.previous_free(min(before, self.next_seq) - 1)
        return seq if seq >= self.oldest_seq else None

    def pending_count(self) -> int:
        """How many numbers are not acknowledged."""
        oldest = self.oldest_seq
        return self.next_seq - oldest - self._acked.overlap(oldest, self.next_seq - 1)

    def acknowledged(self, first: int, last: int) -> bool:
        """True if nothing of first..last is pending."""
        first = max(first, self.oldest_seq)
        return first > last or self._acked.covers(first, last)

    def read(self, seq: int) -> "bytes | None":
        """The record's bytes. None: it is damaged; this was told by an event, and it is not pending any more."""
        at = self._segment_of(seq)
        found_in = self._opened(at)
        found, walker = found_in.walk_to(seq)
        if found and walker.seq == seq:
            data = walker.data()
            if data is not None:
                return data
            self._give_up(seq, seq, walker.length)
        elif found:
            self._give_up(seq, walker.seq - 1, walker.skipped)
        else:
            self._give_up(seq, self._last(at), found_in.size - walker.at)
        return None

    def acknowledge(self, ranges) -> int:  # type: ignore[no-untyped-def]
        """Free the numbers of `ranges` ((first, last, ...) each), durably. Returns how many were pending until now."""
        freed = 0
        low, high = self.next_seq, 0
        for one in ranges:
            first = max(one[0], self.oldest_seq)
            last = min(one[1], self.next_seq - 1)
            new = last - first + 1 - self._acked.overlap(first, last) if first <= last else 0
            if new and self._acked.add(first, last):
                freed += new
                low, high = min(low, first), max(high, last)
        if freed:
            small_file.write(self._folder + "/acked", self._acked.pack())
            self._delete_acknowledged(low, high)
        return freed

    def close(self) -> None:
        """Close the files; the log is not used any more."""
        for one in (self._open, self._old):
            if one is not None:
                one.close()
        self._open = self._old = None

    # --- writing

    def _append(self, encode) -> int:  # type: ignore[no-untyped-def]
        data = encode(self.next_seq)
        if len(data) > segment.RECORD_BYTES_MAX:
            raise ValueError("a record of %d bytes: at most %d" % (len(data), segment.RECORD_BYTES_MAX))
        target = self._open
        if target is None or target.size + segment.HEADER_BYTES + len(data) > SEGMENT_BYTES:
            target = self._roll()
            data = encode(self.next_seq)
        return self._write(target, data)

    def _write(self, target: segment.Segment, data: bytes) -> int:
        seq = self.next_seq
        try:
            target.append(seq, data)
        except OSError:
            self._abandon(target)
            raise
        self.next_seq = seq + 1
        return seq

    def _abandon(self, target: segment.Segment) -> None:
        """A write failed: the file holds what was committed before; the next append begins a new segment."""
        self._open = None
        self.failures += 1
        try:
            target.close()
        except OSError:
            self.failures += 1

    def _roll(self) -> segment.Segment:
        """Begin a new segment; if there are too many then, say which numbers go, and let them go."""
        if self._open is not None:
            self._open.close()
            self._open = None
        first = self.next_seq
        target = segment.Segment(open(self._path(first), "w+b"), first, 0)  # noqa: SIM115  it stays open
        if not self._count or self._firsts[self._count - 1] != first:  # else it is there, empty
            self._firsts[self._count] = first
            self._count += 1
        try:
            target.begin(self.epoch)
        except OSError:
            self._abandon(target)
            raise
        self._open = target
        while self._count > self._segments_max:
            values = self._going(0)
            if values:
                self._write(target, self._encode_event(self.next_seq, record.LOG_FULL, values))
            self._drop_oldest()
        return target

    def _drop_oldest(self) -> "tuple[int, int] | None":
        """Delete the oldest segment; what to tell about it."""
        values = self._going(0)
        pending = self._unacknowledged(0)
        if pending:
            self.dropped_records += pending[1] - pending[0] + 1 - self._acked.overlap(pending[0], pending[1])
        self._delete(0)
        return values

    def _going(self, at: int) -> "tuple[int, int] | None":
        """(first, last) to tell when a segment goes: what is pending in it, and what LOG_FULL events that go with it
        told. Such events are the first records of their segment (`_roll`)."""
        pending = self._unacknowledged(at)
        if pending is None:
            return None
        first, last = pending
        for seq in range(self._firsts[at], last + 1):
            found, walker = self._opened(at).walk_to(seq)
            data = walker.data() if found and walker.seq == seq else None
            told = _told_full(data) if data else None
            if told is None:
                break
            if not self._acked.covers(seq, seq):
                first = min(first, told)
        return first, last

    def _unacknowledged(self, at: int) -> "tuple[int, int] | None":
        """(first, last) pending number of a segment that is not the open one."""
        first = self._acked.next_free(self._firsts[at])
        last = self._acked.previous_free(self._last(at))
        return (first, last) if first <= last else None

    def _delete_acknowledged(self, low: int, high: int) -> None:
        """Delete the segments between these numbers in which nothing is pending, the open one excepted."""
        at = self._segment_of(low)
        while at + 1 < self._count and self._firsts[at] <= high:
            if self._acked.covers(self._firsts[at], self._last(at)):
                self._delete(at)
            else:
                at += 1

    def _delete(self, at: int) -> None:
        if self._old is not None and self._old.first == self._firsts[at]:
            self._old.close()
            self._old = None
        os.remove(self._path(self._firsts[at]))
        for after in range(at, self._count - 1):
            self._firsts[after] = self._firsts[after + 1]
        self._count -= 1
        self._acked.remove_below(self.oldest_seq)

    # --- reading

    def _segment_of(self, seq: int) -> int:
        """The index of the segment that holds `seq`."""
        low, high = 0, self._count
        while high - low > 1:
            middle = (low + high) // 2
            if self._firsts[middle] <= seq:
                low = middle
            else:
                high = middle
        return low

    def _last(self, at: int) -> int:
        """The highest number that a segment can hold."""
        return (self._firsts[at + 1] if at + 1 < self._count else self.next_seq) - 1

    def _opened(self, at: int) -> segment.Segment:
        """The segment, open. One that is not written to stays open until another is wanted."""
        first = self._firsts[at]
        for one in (self._open, self._old):
            if one is not None and one.first == first:
                return one
        if self._old is not None:
            self._old.close()
            self._old = None
        path = self._path(first)
        self._old = segment.Segment(open(path, "rb"), first, os.stat(path)[6])  # noqa: SIM115  it stays open
        return self._old

    def _give_up(self, first: int, last: int, size: int) -> None:
        """Tell that these records are damaged, then let them go."""
        lost = last - first + 1 - self._acked.overlap(first, last)
        self.damaged_records += lost
        self.append(lambda seq: self._encode_event(seq, record.LOG_DAMAGED, (lost, size)))
        self.acknowledge(((first, last),))

    # --- opening

    def _open_epoch(self, random_bytes) -> int:  # type: ignore[no-untyped-def]
        data = small_file.read(self._folder + "/epoch")
        if data is None or len(data) != 4:
            data = self._epoch_of_segments() or random_bytes(4)
            small_file.write(self._folder + "/epoch", data)
        return int.from_bytes(data, "big")

    def _epoch_of_segments(self) -> "bytes | None":
        for at in range(self._count - 1, -1, -1):
            with open(self._path(self._firsts[at]), "rb") as file:
                epoch = segment.head_epoch(file.read(segment.HEAD_BYTES))
            if epoch is not None:
                return epoch.to_bytes(4, "big")
        return None

    def _recover(self) -> None:
        """Find the next number; open the last segment for more, or begin a new one behind damage."""
        if self._count:
            self.next_seq = self._firsts[self._count - 1]
            size = os.stat(self._path(self.next_seq))[6]
            if size >= segment.HEAD_BYTES:
                self._scan(size)
            elif size:
                self._damaged_tail([], size)
        if self._acked.highest() >= self.next_seq:  # the last segment is gone: its numbers were used
            self.next_seq = self._acked.highest() + 1
            self.close()
        self._delete_acknowledged(0, self.next_seq)

    def _scan(self, size: int) -> None:
        """Read the last segment through."""
        file = open(self._path(self.next_seq), "r+b")  # noqa: SIM115  it stays open
        walker = segment.Walker(file, self.next_seq)
        bad: "list[tuple[int, int]]" = []
        bad_bytes = 0
        while walker.next(size):
            if walker.seq > self.next_seq:  # a damaged header: the walk found the next record behind it
                bad.append((self.next_seq, walker.seq - 1))
                bad_bytes += walker.skipped
            if walker.data() is None:
                bad.append((walker.seq, walker.seq))
                bad_bytes += walker.length
            self.next_seq = walker.seq + 1
        left = size - walker.at
        if left and not walker.torn(size):
            lost = max(left // (segment.HEADER_BYTES + segment.RECORD_BYTES_MIN), 1)
            bad.append((self.next_seq, self.next_seq + lost - 1))
            self.next_seq += lost
        if left or bad:
            file.close()
            self._damaged_tail(bad, bad_bytes + left)
        else:
            self._open = segment.Segment(file, self._firsts[self._count - 1], size)

    def _damaged_tail(self, bad: "list[tuple[int, int]]", size: int) -> None:
        """Tell what is lost of the open segment, in a new one."""
        lost = sum(last - first + 1 for first, last in bad)
        self.damaged_records += lost
        self.append(lambda seq: self._encode_event(seq, record.LOG_DAMAGED, (lost, size)))
        self.acknowledge(bad)

    def _path(self, first: int) -> str:
        return "%s/records/%08x" % (self._folder, first)


def _told_full(data: bytes) -> "int | None":
    """The first number that a LOG_FULL event tells; None if the record is none."""
    try:
        found = record.decode_record(data)
    except FrameError:
        return None
    if found.type != record.EVENT or found.body.code != record.LOG_FULL:
        return None
    first: int = found.body.values[0]
    return first


def segments_for(flash_bytes: int, block_bytes: int = 4096) -> int:
    """How many segments a flash of this size holds."""
    return (flash_bytes // block_bytes - RESERVED_BLOCKS) // SEGMENT_BLOCKS


def _names(folder: str) -> "list[int]":
    """The first numbers of the log's segments, ascending; makes the folders."""
    for path in (folder, folder + "/records"):
        try:
            os.mkdir(path)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
    return sorted(int(name, 16) for name in os.listdir(folder + "/records") if len(name) == 8 and _is_hex(name))


def _is_hex(name: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in name)
