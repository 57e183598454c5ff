# The log: what the terminal has to tell, kept until the gateway has it, and on while there is room, so that the gateway
# can ask for it again. Append-only, on LittleFS. Files in its folder:
#   epochs         which epoch each number belongs to (epochs.py)
#   acked          the acknowledged numbers: ranges of 8 bytes (ranges.py, small_file.py)
#   moving         only while records are stored under new numbers (renumber.py)
#   records/%08x   a segment, named by the number of its first record (segment.py); the highest name is the open one
# and outside the file system two counters, of which one bounds the numbers that may have been used (counters.py).
#
# What always holds
#   1. `append` returns after the record is committed: flush() is LittleFS's commit, atomic under power cuts.
#   2. Numbers rise by one, over epochs too. None is used twice: each is reserved in the counters before it is written.
#   3. A number is freed only by `acknowledge`, and pending again only by `recall`.
#   4. When the log is full, its oldest segment of which all is acknowledged goes; if there is none, its oldest, after a
#      LOG_FULL event that says from and to which number.
#   5. RAM does not grow with what is kept: one number per segment, and at most ACKED_RANGES ranges.
#
# Recovery, when it is opened: the names give the segments, and each holds the numbers up to the next one's first (less
# those acknowledged: segments between two others may be gone). Only the open segment is read through, records checked
# by CRC. What comes next by the log is held against what the counters reserved; numbers between are passed over, and
# told by one event:
#   LOG_DAMAGED      there are damaged bytes: so many records and bytes are lost
#   NUMBERS_SKIPPED  one number: a cut between reserving and writing, as a rule
#   LOG_PUT_BACK     more: an older image of the file system is back, or files are gone
# Damage in other segments is found when their records are read to be sent, and told by LOG_DAMAGED. A flipped bit of
# LittleFS's own may put a folder back to an older state: files are gone, and told by one of these. An ack that needs
# more than ACKED_RANGES is not remembered: the record is sent again. Damaged small files lose nothing: the heads of the
# segments know the epochs, and what was acknowledged is sent again.
#
# Put back (S-08). The file system alone, to any older state: no number is used twice, and LOG_PUT_BACK says from where;
# a log that is one record behind looks like a cut: safe, but told as NUMBERS_SKIPPED. The counters alone, or if they
# fail: nothing happens, the log knows its numbers. Both, as by an image of the whole chip: numbers are used again, and
# only the gateway can see that. It refuses the records as conflicts, and they are stored again under an epoch of their
# own (`renumber`): nothing of this life is lost, and what the gateway refused is its evidence. A number that the other
# life used, but never sent, is no conflict. An ack of the other life frees nothing: it answers another start (FR-36).
# Everything erased: another epoch, and numbers from 1.
from protocol import record
from protocol.errors import FrameError
from terminal import recovery, renumber, segment, small_file
from terminal.epochs import Epochs
from terminal.ranges import RangeSet, runs
from terminal.segments import Segments

SEGMENT_BYTES = 32724  # what 8 flash blocks hold beside LittleFS's own pointers
SEGMENT_BLOCKS = 8
RESERVED_BLOCKS = 32  # superblock, folders, small files and their successors, the copy of a file's last block
SEGMENTS_MIN = 3  # one to write, one to drop, one between
_ENOSPC = 28  # MicroPython's errno module does not name it
ACKED_RANGES = 256  # a hole per lost frame: far above what is in flight; 2 KiB
_FULL_BYTES_MAX = 48  # a LOG_FULL event has 40 at most; a window with a reading has more, and is not read to know it
RECALL_MAX = 1024  # numbers that one `recall` looks for: some seconds of reading on a board


class Log:
    """The log in a folder. `encode_event(seq, code, values) -> bytes` makes the records of its own; `counters` is a
    counters.Counters."""

    def __init__(self, folder: str, encode_event, random_bytes, segments_max: int, counters) -> None:  # type: ignore[no-untyped-def]
        self._folder = folder
        self._encode_event = encode_event
        self._random_bytes = random_bytes
        self._counters = counters
        self._acked = RangeSet(ACKED_RANGES)
        self.failures = 0  # writes that the flash refused
        self.damaged_records = 0
        self.dropped_records = 0
        self.next_seq = 1
        small_file.make_folder(folder)
        self._segments = Segments(folder + "/records", max(segments_max, SEGMENTS_MIN))
        self._epochs = Epochs(folder + "/epochs")
        self._recover()

    @property
    def epoch(self) -> int:
        """The epoch of what is appended."""
        return self._epochs.newest

    @property
    def oldest_seq(self) -> int:
        """The lowest number that may still be here."""
        return self._segments.first(0) if self._segments.count else self.next_seq

    def epoch_of(self, seq: int) -> "tuple[int, int, int]":
        """(epoch, first, last): the epoch that a number belongs to, and its numbers."""
        return self._epochs.of(seq)

    def knows(self, epoch: int) -> bool:
        """True if it is one of this log's epochs of which records may be here."""
        return self._epochs.span(epoch) is not None

    def append(self, encode) -> int:  # type: ignore[no-untyped-def]
        """Write the record `encode(seq) -> bytes`; it is durable on return. Returns seq.

        Raises ValueError if the record is too long for a frame, OSError if the flash fails. `encode` is called at least
        once."""
        try:
            return self._append(encode)
        except OSError as error:
            if error.errno != _ENOSPC or self._segments.count < SEGMENTS_MIN:
                raise
        # The flash holds less than it was said to: a segment must go before there is room to say so.
        at = self._victim()
        values, span = self._going(at), self._span(at)
        self._segments.delete(at)
        if values:
            self._append(lambda seq: self._encode_event(seq, record.LOG_FULL, values))
            self._let_go(span)
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

    def pending_from(self, first: int) -> int:
        """How many numbers from `first` on are not acknowledged."""
        first = max(first, self.oldest_seq)
        return self.next_seq - first - self._acked.overlap(first, self.next_seq - 1) if first < self.next_seq else 0

    def acknowledged(self, first: int, last: int) -> bool:
        """True if nothing of first..last is pending."""
        first = max(first, self.oldest_seq)
        return first > last or self._acked.covers(first, last)

    def read(self, seq: int) -> "bytes | None":
        """The record's bytes. None: it is damaged; this was told by an event, and it is not pending any more."""
        at = self._segments.index_of(seq)
        found_in = self._segments.opened(at)
        found, walker = found_in.walk_to(seq)
        if found and walker.seq == seq:
            data = walker.data()
            if data is not None:
                return data
            self._give_up(seq, seq, walker.length)
        elif found:
            self._give_up(seq, walker.seq - 1, walker.skipped)
        else:
            self._give_up(seq, self._span(at)[1], found_in.size - walker.at)
        return None

    def peek(self, seq: int, most: int = segment.RECORD_BYTES_MAX) -> "bytes | None":
        """The bytes of a record, acknowledged or not. None: it is not here, damaged, or has more than `most`."""
        if not self.oldest_seq <= seq < self.next_seq:
            return None
        found, walker = self._segments.opened(self._segments.index_of(seq)).walk_to(seq)
        return walker.data() if found and walker.seq == seq and walker.length <= most else None

    def acknowledge(self, ranges, epoch: "int | None" = None) -> int:  # type: ignore[no-untyped-def]
        """Free the numbers of `ranges` ((first, last, ...) each), durably; of those of one epoch if it is given.
        Returns how many were pending until now."""
        freed = 0
        for first, last in self._clipped(ranges, epoch):
            new = last - first + 1 - self._acked.overlap(first, last)
            if new and self._acked.add(first, last):
                freed += new
        if freed:
            self._keep_acked()
        return freed

    def recall(self, ranges, epoch: int) -> "tuple[list[tuple[int, int]], list[tuple[int, int]]]":  # type: ignore[no-untyped-def]
        """Make numbers of an epoch pending again, durably. Returns (ranges that are here, ranges that are not, or not
        any more). What is in neither was not looked for, because of RECALL_MAX or ACKED_RANGES: ask for it again."""
        here: "list[tuple[int, int]]" = []
        gone: "list[tuple[int, int]]" = []
        left = RECALL_MAX
        for one in ranges:
            inside = self._clipped((one,), epoch)
            low, high = inside[0] if inside else (one[1] + 1, one[1])
            low = min(max(low, self.oldest_seq), high + 1)
            if one[0] < low:
                gone.append((one[0], low - 1))
            if high < one[1]:
                gone.append((high + 1, one[1]))
            high = min(high, low + left - 1)
            left -= high - low + 1
            for first, last, intact in runs(low, high, lambda seq: self.peek(seq) is not None):
                if not intact:
                    gone.append((first, last))
                elif self._acked.remove(first, last):
                    here.append((first, last))
        if here:
            self._keep_acked()
        return here, gone

    def renumber(self, ranges, epoch: int) -> int:  # type: ignore[no-untyped-def]
        """Store pending records of an epoch again, durably, under new numbers of an epoch in which the gateway has no
        others. Returns how many: those of `ranges`, or as many as can be done in one go. If there are too many epochs,
        they are given up."""
        wanted = [one for one in self._clipped(ranges, epoch) if not self._acked.covers(*one)]
        if not wanted:
            return 0
        if epoch == self.epoch and not self._begin_epoch():
            self.dropped_records += self.acknowledge(wanted)
            return 0
        return renumber.move(self, self._folder + "/moving", wanted)

    def close(self) -> None:
        """Close the files; the log is not used any more."""
        self._segments.close()

    # --- writing

    def _append(self, encode) -> int:  # type: ignore[no-untyped-def]
        data = encode(self.next_seq)
        if len(data) > segment.RECORD_BYTES_MAX:
            raise ValueError("a record of %d bytes: at most %d" % (len(data), segment.RECORD_BYTES_MAX))
        target = self._segments.open
        if target is None or target.size + segment.HEADER_BYTES + len(data) > SEGMENT_BYTES:
            target = self._roll()
            data = encode(self.next_seq)
        return self._write(target, data)

    def _write(self, target: segment.Segment, data: bytes) -> int:
        seq = self.next_seq
        try:
            self._counters.raise_seq(seq + 1)
        except OSError:
            self.failures += 1  # the record matters more: the gateway would see a number that is used twice
        try:
            target.append(seq, data)
        except OSError:
            self._abandon()
            raise
        self.next_seq = seq + 1
        return seq

    def _abandon(self) -> None:
        """A write failed: the file holds what was committed before; the next append begins a new segment."""
        self.failures += 1
        try:
            self._segments.leave()
        except OSError:
            self.failures += 1

    def _roll(self) -> segment.Segment:
        """Begin a new segment; if there are too many then, say which numbers go, and let them go."""
        try:
            target = self._segments.begin(self.next_seq, self.epoch)
        except OSError:
            self._abandon()
            raise
        while self._segments.count > self._segments.most:
            at = self._victim()
            values = self._going(at)
            if values:
                self._write(target, self._encode_event(self.next_seq, record.LOG_FULL, values))
                self._let_go(self._span(at))
            self._segments.delete(at)
        return target

    def _victim(self) -> int:
        """The segment that goes first: the oldest of which all is acknowledged, else the oldest."""
        for at in range(self._segments.count - 1):
            if self._acked.covers(*self._span(at)):
                return at
        return 0

    def _let_go(self, span: "tuple[int, int]") -> None:
        """Free the numbers of a segment that goes: its loss was told."""
        self.dropped_records += self.acknowledge((span,))

    def _going(self, at: int) -> "tuple[int, int] | None":
        """(first, last) to tell when a segment goes: what is pending in it, and what pending LOG_FULL events that go
        with it told, wherever they stand: a renumbered one is not at its segment's head."""
        pending = self._unacknowledged(at)
        if pending is None:
            return None
        first, last = pending
        seq = self.next_pending(first - 1)
        while seq is not None and seq <= last:
            data = self.peek(seq, _FULL_BYTES_MAX)
            told = _told_full(data) if data else None
            if told is not None:
                first = min(first, told)
            seq = self.next_pending(seq)
        return first, last

    def _unacknowledged(self, at: int) -> "tuple[int, int] | None":
        """(first, last) pending number of a segment that is not the open one."""
        first, last = self._span(at)
        first, last = self._acked.next_free(first), self._acked.previous_free(last)
        return (first, last) if first <= last else None

    def _keep_acked(self) -> None:
        small_file.write(self._folder + "/acked", self._acked.pack())

    def _begin_epoch(self) -> bool:
        """Append to a new epoch from now on, and say so."""
        epoch = int.from_bytes(self._random_bytes(4), "big")
        if self.knows(epoch) or not self._epochs.begin(epoch, self.next_seq, self.oldest_seq):
            return False
        self._segments.leave()
        self._tell_epoch()
        return True

    def _tell_epoch(self) -> None:
        values = (self._epochs.older, self._epochs.newest_first)
        self.append(lambda seq: self._encode_event(seq, record.LOG_RENUMBERED, values))

    # --- reading

    def _clipped(self, ranges, epoch: "int | None") -> "list[tuple[int, int]]":  # type: ignore[no-untyped-def]
        """The part of each range that was given out, and is of the epoch if one is given."""
        lowest, highest = (1, 0xFFFFFFFF) if epoch is None else self._epochs.span(epoch) or (1, 0)
        highest = min(highest, self.next_seq - 1)
        clipped = [(max(one[0], lowest), min(one[1], highest)) for one in ranges]
        return [one for one in clipped if one[0] <= one[1]]

    def _span(self, at: int) -> "tuple[int, int]":
        """The lowest and the highest number that a segment can hold."""
        last = (self._segments.first(at + 1) if at + 1 < self._segments.count else self.next_seq) - 1
        return self._segments.first(at), last

    def _give_up(self, first: int, last: int, size: int) -> None:
        """Tell that these records are damaged, then let them go."""
        lost = last - first + 1 - self._acked.overlap(first, last)
        if not lost:
            return
        self.damaged_records += lost
        self.append(lambda seq: self._encode_event(seq, record.LOG_DAMAGED, (lost, size)))
        self.acknowledge(((first, last),))

    # --- opening

    def _recover(self) -> None:
        """Find the next number, tell what is lost, and finish what was begun."""
        repaired_bytes = self._load_files()
        found = recovery.look(self._segments, self._counters.seq, self._acked.highest())
        self.next_seq = found.next_seq
        untold = self._epochs.newest_first >= found.following  # no record is of it
        if untold:
            self._segments.leave()
        self._tell_found(found)
        below = self.oldest_seq - 1
        missing = below - self._acked.overlap(1, below)
        if missing or repaired_bytes is not None:
            self.damaged_records += missing
            self.append(lambda seq: self._encode_event(seq, record.LOG_DAMAGED, (missing, repaired_bytes or 0)))
            self.acknowledge(((1, below),))
        if untold and self._epochs.older is not None:
            self._tell_epoch()
        renumber.resume(self, self._folder + "/moving")

    def _tell_found(self, found: recovery.Found) -> None:
        """What was passed over is freed before it is told, what is damaged after: a cut between leads here again."""
        lost = sum(last - first + 1 - self._acked.overlap(first, last) for first, last in found.bad)
        if found.next_seq > found.following:
            self.acknowledge(((found.following, found.next_seq - 1),))
        event = recovery.event(found, lost)
        if event is None:
            return
        code, values = event
        if code == record.LOG_DAMAGED:
            self.damaged_records += values[0]
        self.append(lambda seq: self._encode_event(seq, code, values))
        self.acknowledge(found.bad)

    def _load_files(self) -> "int | None":
        """Read the small files, and make what is not there or damaged. Returns the bytes that were damaged; None: none
        was, or the log is new."""
        acked, epochs = self._folder + "/acked", self._folder + "/epochs"
        damaged_bytes = small_file.damaged_bytes(acked) + small_file.damaged_bytes(epochs)
        whole = True
        data = small_file.read(acked)
        if data is None:
            whole = False
            if self.oldest_seq > 1:
                self._acked.add(1, self.oldest_seq - 1)  # these were freed, or their loss was told
            self._keep_acked()
        else:
            self._acked.unpack(data)
        if not self._epochs.load():
            whole = False
            random = int.from_bytes(self._random_bytes(4), "big")
            self._epochs.replace(recovery.epochs(self._segments) or [(random, 1)])
        return None if whole or not self._segments.count else damaged_bytes


def _told_full(data: bytes) -> "int | None":
    """The first number that a LOG_FULL event tells; None if the record is none."""
    try:
        body = record.decode_record(data).body if record.kind_of(data) == record.EVENT else None
    except FrameError:
        return None
    return body.values[0] if body is not None and body.code == record.LOG_FULL else None


def segments_for(flash_bytes: int, block_bytes: int = 4096) -> int:
    """How many segments a flash of this size holds."""
    return (flash_bytes // block_bytes - RESERVED_BLOCKS) // SEGMENT_BLOCKS
