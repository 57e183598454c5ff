"""How far into the stream a follower's journal is: a small file beside it, never ahead of what the journal holds.

It names the stream by the time at which it was made, and the journal's newest record when it was written: with another
stream in its place, or a journal that was put back, all is taken from the beginning, and counts once.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.files import write_durably
from gateway.journal.journal import Journal

FILE = "position.json"
WRITE_EVERY_S = 1.0  # what was taken since is taken again after a kill: some thousand repetitions


class Place(msgspec.Struct, frozen=True):
    """created: of the stream; seq: in the stream; record: the journal's newest then."""

    created: str
    seq: int
    record: int


class Position:
    """Of one journal, by its one writer."""

    def __init__(self, folder: Path, journal: Journal, steady_s: Callable[[], float]) -> None:
        self._file, self._journal, self._steady_s = folder / FILE, journal, steady_s
        self._created, self._seq, self._written = "", 0, 0
        self._write_at_s = 0.0

    def after(self, created: str, last_seq: int) -> int:
        """Up to which message of a stream the journal has all; it is this stream's from now on.

        Raises StoreUnavailableError.
        """
        if created != self._created:
            place = self._read()
            is_ours = place.created == created and place.seq <= last_seq and place.record <= self._journal.head().record
            self._created, self._seq = created, place.seq if is_ours else 0
        elif self._seq > last_seq:
            self._seq = 0  # the stream was put back
        self._written = self._seq
        return self._seq

    def reached(self, seq: int) -> None:
        """All up to here is in the journal, durably. Raises OSError, StoreUnavailableError."""
        self._seq = max(self._seq, seq)
        if self._steady_s() >= self._write_at_s:
            self.write()

    def write(self) -> None:
        """Keep it. Raises OSError, StoreUnavailableError."""
        self._write_at_s = self._steady_s() + WRITE_EVERY_S
        if self._seq > self._written:
            place = Place(self._created, self._seq, self._journal.head().record)
            write_durably(self._file, msgspec.json.encode(place))
            self._written = self._seq

    def _read(self) -> Place:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Place)
        except (OSError, msgspec.DecodeError, ValueError):
            return Place("", 0, 0)
