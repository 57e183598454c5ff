# One segment file of the log: its bytes, and the walk over them. log.py says what it is for.
#
#   head     "WLG1"  epoch u32  first_seq u32  crc32 of these 12 bytes                                  16 bytes
#   record   length u16  ~length u16  seq u32  crc32 of these 8 bytes and of the data   data            12 bytes + data
#
# All little endian. seq rises by one from record to record. The doubled length lets a walk pass a record whose data is
# damaged; where a header itself is damaged, the walk looks byte by byte for the next record whose CRC is right. Where
# the file system finds its own chain of blocks broken, there is nothing to be read: damaged too.
import binascii
import struct

HEAD_BYTES = 16
HEADER_BYTES = 12
RECORD_BYTES_MAX = 4000  # with a frame's own 96 bytes it still fits protocol.limits.FRAME_BYTES_MAX
RECORD_BYTES_MIN = 16  # an event without numbers has more: how many records damaged bytes can have held, at most

_MAGIC = b"WLG1"
_CORRUPT = 84  # LittleFS's LFS_ERR_CORRUPT, as MicroPython gives it
_LEAP = 128  # over what can't be read: the flash is read so many bytes at a time
_AHEAD_MAX = 2048  # a segment holds fewer records: a number further on is no header


def head(epoch: int, first: int) -> bytes:
    data = _MAGIC + struct.pack("<II", epoch, first)
    return data + struct.pack("<I", binascii.crc32(data))


def head_epoch(data: bytes) -> "int | None":
    """The epoch in a segment's head, or None if the head is damaged."""
    if len(data) < HEAD_BYTES or data[:4] != _MAGIC:
        return None
    epoch, _, crc = struct.unpack_from("<III", data, 4)
    return epoch if binascii.crc32(data[:12]) == crc else None


class Segment:
    """A segment file that is open: its records can be found, and more be added."""

    def __init__(self, file, first: int, size: int) -> None:  # type: ignore[no-untyped-def]
        self.first = first
        self.size = size
        self._file = file
        self._header = bytearray(HEADER_BYTES)
        self._walker = Walker(file, first)

    def begin(self, epoch: int) -> None:
        """Write the head; it is committed with the first record."""
        self._file.write(head(epoch, self.first))
        self.size = HEAD_BYTES

    def append(self, seq: int, data: bytes) -> None:
        """Add a record; it is committed on return. Raises OSError; then the file must be closed."""
        struct.pack_into("<HHI", self._header, 0, len(data), len(data) ^ 0xFFFF, seq)
        struct.pack_into("<I", self._header, 8, binascii.crc32(data, binascii.crc32(self._header[:8])))
        self._file.seek(self.size)
        self._file.write(self._header)
        self._file.write(data)
        self._file.flush()
        self.size += HEADER_BYTES + len(data)

    def walk_to(self, seq: int) -> "tuple[bool, Walker]":
        """(found, walker): where `Walker.to` ends for this number."""
        if self._walker.passed(seq):
            self._walker = Walker(self._file, self.first)
        return self._walker.to(seq, self.size), self._walker

    def scan(self) -> "tuple[int, list[tuple[int, int]], int, int]":
        """Read it through: (the number behind its last record, the ranges that are damaged before, how many damaged
        bytes there are, how many numbers those behind the last record can have held)."""
        walker = Walker(self._file, self.first)
        following = self.first
        bad: "list[tuple[int, int]]" = []
        bad_bytes = 0
        if self.size < HEAD_BYTES:
            return following, bad, self.size, 0
        while walker.next(self.size):
            if walker.seq > following:  # a damaged header: the walk found the next record behind it
                bad.append((following, walker.seq - 1))
                bad_bytes += walker.skipped
            if walker.data() is None:
                bad.append((walker.seq, walker.seq))
                bad_bytes += walker.length
            following = walker.seq + 1
        left = self.size - walker.at
        behind = max(left // (HEADER_BYTES + RECORD_BYTES_MIN), 1) if left and not walker.torn(self.size) else 0
        return following, bad, bad_bytes + left, behind

    def close(self) -> None:
        self._file.close()


class Walker:
    """Goes through the records of an open segment file, in order. `seq`, `length` are of the one it stepped to."""

    def __init__(self, file, first: int) -> None:  # type: ignore[no-untyped-def]
        self._file = file
        self._buffer = bytearray(HEADER_BYTES)
        self._at = HEAD_BYTES  # of the next header
        self._expected = first
        self._crc = 0
        self._readable = True
        self.seq = -1
        self.length = 0
        self.skipped = 0  # damaged bytes passed by the last step

    @property
    def at(self) -> int:
        """Where the record read next begins."""
        return self._at

    def next(self, size: int) -> bool:
        """Step to the next record with an intact header, in a file of `size` bytes. False: none; `at` stays."""
        self.skipped = 0
        if self._header(self._at, size) and self.seq == self._expected:
            self._step(self._at)
            return True
        at = self._at + 1
        while at < size - HEADER_BYTES:
            if self._header(at, size) and self._plausible() and self._data(at) is not None:
                self.skipped = at - self._at
                self._step(at)
                return True
            leap = not self._readable and at + _LEAP + HEADER_BYTES <= size and not self._fill(at + _LEAP)
            at += _LEAP if leap else 1
        return False

    def to(self, seq: int, size: int) -> bool:
        """Step to the record `seq`, or to the first after it if it is not there (`self.seq` tells). False: end."""
        while self.next(size):
            if self.seq >= seq:
                return True
        return False

    def data(self) -> "bytes | None":
        """The data of the record stepped to; None if it is damaged."""
        return self._data(self._at - self.length - HEADER_BYTES)

    def torn(self, size: int) -> bool:
        """True if what follows the last record is one that was never written to its end: `append` did not return."""
        left = size - self._at
        if left < HEADER_BYTES:
            return True
        self._load(self._at)
        return self._sane_length() and self._at + HEADER_BYTES + self.length > size and self.seq == self._expected

    def passed(self, seq: int) -> bool:
        """True if the walk is beyond `seq`, so that only a new one will find it."""
        return self._expected > seq

    def _step(self, at: int) -> None:
        self._at = at + HEADER_BYTES + self.length
        self._expected = self.seq + 1

    def _plausible(self) -> bool:
        return self._expected <= self.seq < self._expected + _AHEAD_MAX

    def _sane_length(self) -> bool:
        return self.length ^ self._twin == 0xFFFF and 0 < self.length <= RECORD_BYTES_MAX

    def _load(self, at: int) -> None:
        self._readable = self._fill(at)
        self.length, self._twin, self.seq, self._crc = struct.unpack_from("<HHII", self._buffer)
        if not self._readable:
            self.length = self._twin = 0  # no header

    def _fill(self, at: int) -> bool:
        """Read a header's bytes; False: they can't be read."""
        try:
            self._file.seek(at)
            self._file.readinto(self._buffer)
        except OSError as error:
            if error.errno != _CORRUPT:
                raise
            return False
        return True

    def _header(self, at: int, size: int) -> bool:
        if at + HEADER_BYTES > size:
            return False
        self._load(at)
        return self._sane_length() and at + HEADER_BYTES + self.length <= size

    def _data(self, at: int) -> "bytes | None":
        if not self._fill(at):
            return None
        try:
            data = self._file.read(self.length)
        except OSError as error:
            if error.errno != _CORRUPT:
                raise
            return None
        crc = binascii.crc32(data, binascii.crc32(self._buffer[:8]))
        return data if len(data) == self.length and crc == self._crc else None
