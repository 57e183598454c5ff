# Which epoch a number of the log belongs to. A log has one; another begins when the gateway holds other records under
# the numbers of this one (log.py says when). Numbers go on over that: each names one record of this log, whatever its
# epoch.
#
# File: 8 bytes an epoch, ascending: epoch u32, its first number u32, little endian (small_file.py).
import struct

from terminal import small_file

# Each but the newest is kept while records of it are. To have eight, a terminal's whole flash was put back seven times
# within the months that a log holds.
EPOCHS_MAX = 8


class Epochs:
    """The epochs of a log, in a file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._all: "list[tuple[int, int]]" = []  # (epoch, first number)

    def load(self) -> bool:
        """False: there is no file, or none that can be read."""
        data = small_file.read(self._path)
        if not data or len(data) % 8:
            return False
        self._all = [struct.unpack_from("<II", data, at) for at in range(0, len(data), 8)]
        return True

    @property
    def newest(self) -> int:
        return self._all[-1][0]

    @property
    def newest_first(self) -> int:
        """The number that the newest epoch begins with."""
        return self._all[-1][1]

    @property
    def older(self) -> "int | None":
        """The epoch before the newest; None: there is none."""
        return self._all[-2][0] if len(self._all) > 1 else None

    def begin(self, epoch: int, first: int, oldest: int) -> bool:
        """A new epoch from the number `first` on, durable on return; those that end below `oldest` are forgotten.
        False: there are too many."""
        kept = [
            self._all[at] for at in range(len(self._all)) if at + 1 == len(self._all) or self._all[at + 1][1] > oldest
        ]
        if len(kept) >= EPOCHS_MAX:
            return False
        self.replace(kept + [(epoch, first)])
        return True

    def replace(self, all_of_them: "list[tuple[int, int]]") -> None:
        """Take these (epoch, first number), ascending; durable on return."""
        small_file.write(self._path, b"".join([struct.pack("<II", *one) for one in all_of_them]))
        self._all = all_of_them

    def span(self, epoch: int) -> "tuple[int, int] | None":
        """(first, last) number of an epoch; last of the newest is above all. None: not an epoch of this log."""
        for at in range(len(self._all)):
            if self._all[at][0] == epoch:
                return self._all[at][1], self._last(at)
        return None

    def of(self, seq: int) -> "tuple[int, int, int]":
        """(epoch, first, last): the epoch that a number belongs to, and its numbers."""
        at = len(self._all) - 1
        while at and self._all[at][1] > seq:
            at -= 1
        return self._all[at][0], self._all[at][1], self._last(at)

    def _last(self, at: int) -> int:
        return self._all[at + 1][1] - 1 if at + 1 < len(self._all) else 0xFFFFFFFF
