"""A terminal's log as its flash has it: which records it has made, and which it has let go."""

import struct
from collections.abc import Callable
from typing import NamedTuple

from hil.sim.checks.violation import ViolationError
from protocol.errors import FrameError
from protocol.record import LOG_FULL, Event, decode_record

RECORDS, ACKED = "log/records/", "log/acked"
_HEAD = struct.Struct("<4sIII")  # firmware/device/terminal/segment.py: magic, epoch, first number, CRC
_HEADER = struct.Struct("<HHII")  # length, its complement, number, CRC
_RANGE = struct.Struct("<II")
_CRC_BYTES = 4

Name = tuple[int, int]  # epoch, number


class Made(NamedTuple):
    """A record that a terminal has committed."""

    epoch: int
    raw: bytes
    at_ms: int  # virtual Unix


class FlashLog:
    """Follows what one terminal commits to its flash. `may_free(epoch, number, record)`: whether the journal has it.

    `refused` is for numbers that the gateway has refused for good: those may go too.
    """

    def __init__(self, now_ms: Callable[[], int], may_free: Callable[[int, int, bytes], bool]) -> None:
        self.made: dict[int, Made] = {}  # by number: numbers go on over epochs
        self.freed: set[int] = set()
        self.refused: set[Name] = set()
        self._now_ms = now_ms
        self._may_free = may_free
        self._read_to: dict[str, int] = {}  # by segment, how many bytes of it are known

    @property
    def newest(self) -> int:
        """The highest number that was made; 0: none."""
        return max(self.made, default=0)

    def has(self, epoch: int, seq: int, raw: bytes) -> bool:
        """Whether the terminal made this record under this name."""
        made = self.made.get(seq)
        return made is not None and made.epoch == epoch and made.raw == raw

    def committed(self, path: str, data: bytes) -> None:
        """A file has this content from now on. Raises ViolationError."""
        if path.startswith(RECORDS):
            self._take_segment(path, data)
        elif path == ACKED:
            self._take_acked(data[:-_CRC_BYTES])

    def _take_segment(self, path: str, data: bytes) -> None:
        at = self._read_to.get(path, _HEAD.size)
        if len(data) < at:
            at = _HEAD.size  # begun anew
        while at + _HEADER.size <= len(data):
            length, twin, seq, _crc = _HEADER.unpack_from(data, at)
            end = at + _HEADER.size + length
            if length ^ twin != 0xFFFF or end > len(data):
                break
            self._take(seq, Made(_HEAD.unpack_from(data)[1], data[at + _HEADER.size : end], self._now_ms()))
            at = end
        self._read_to[path] = at

    def _take(self, seq: int, made: Made) -> None:
        before = self.made.setdefault(seq, made)
        if (before.epoch, before.raw) != (made.epoch, made.raw):
            raise ViolationError(2, "number_reused", f"number {seq} names another record than it did")

    def _take_acked(self, data: bytes) -> None:
        ranges = [_RANGE.unpack_from(data, at) for at in range(0, len(data), _RANGE.size)]
        freed = {seq for first, last in ranges for seq in range(first, last + 1) if seq in self.made}
        for seq in sorted(freed - self.freed):
            made = self.made[seq]
            if not self._may_free(made.epoch, seq, made.raw) and not self._may_go(seq, made):
                text = f"record {seq} of epoch {made.epoch:#x} is freed, and the journal does not have it"
                raise ViolationError(1, "freed_too_early", text)
        self.freed = freed

    def _may_go(self, seq: int, made: Made) -> bool:
        """Refused for good, stored again under another number, or lost and said to be."""
        if (made.epoch, seq) in self.refused:
            return True
        return any(_tells_loss(one.raw, seq) for number, one in self.made.items() if number > seq)


def _tells_loss(raw: bytes, seq: int) -> bool:
    """Whether a record is the event that this number had to go for want of room. One of damage (LOG_DAMAGED) excuses
    nothing: nothing in the simulation damages what a flash has committed.
    """
    try:
        body = decode_record(raw).body
    except FrameError:
        return False
    if not isinstance(body, Event) or body.code != LOG_FULL:
        return False
    first, last = body.values
    return bool(first <= seq <= last)
