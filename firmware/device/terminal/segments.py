# The segment files of a log: which there are, the one that is written to, and the other one that was read last.
import array
import os

from terminal import segment, small_file


class Segments:
    """Segment files in a folder, ascending by the number of their first record: `first(at)` for 0 <= at < count.
    `most` is how many there may be; while one more is begun, the log lets another go."""

    def __init__(self, folder: str, most: int) -> None:
        self._folder = folder
        self.most = most
        self.open: "segment.Segment | None" = None  # the one to which records are added
        self._old: "segment.Segment | None" = None
        names = _names(folder)
        self.count = len(names)
        self._firsts = array.array("I", bytes(4 * (max(most, self.count) + 1)))
        for at in range(self.count):
            self._firsts[at] = names[at]

    def first(self, at: int) -> int:
        return self._firsts[at]

    def index_of(self, seq: int) -> int:
        """The index of the segment that holds `seq`, if any does."""
        low, high = 0, self.count
        while high - low > 1:
            middle = (low + high) // 2
            if self._firsts[middle] <= seq:
                low = middle
            else:
                high = middle
        return low

    def opened(self, at: int) -> segment.Segment:
        """The segment, open. One that is not written to stays open until another is wanted."""
        first = self._firsts[at]
        for one in (self.open, self._old):
            if one is not None and one.first == first:
                return one
        self._close_old()
        self._old = segment.Segment(open(self._path(first), "rb"), first, self.size(at))  # noqa: SIM115  it stays open
        return self._old

    def size(self, at: int) -> int:
        """Bytes."""
        size: int = os.stat(self._path(self._firsts[at]))[6]
        return size

    def epoch(self, at: int) -> "int | None":
        """What the head of the file says; None: it is damaged."""
        with open(self._path(self._firsts[at]), "rb") as file:
            try:
                return segment.head_epoch(file.read(segment.HEAD_BYTES))
            except OSError:
                return None

    def begin(self, first: int, epoch: int) -> segment.Segment:
        """A new one to write to. Raises OSError."""
        if self.open is not None:
            self.open.close()
            self.open = None
        target = segment.Segment(open(self._path(first), "w+b"), first, 0)  # noqa: SIM115  it stays open
        if not self.count or self._firsts[self.count - 1] != first:  # else it is there, empty
            self._firsts[self.count] = first
            self.count += 1
        self.open = target
        target.begin(epoch)
        return target

    def resume(self) -> segment.Segment:
        """Open the last one to write to."""
        at = self.count - 1
        first = self._firsts[at]
        self.open = segment.Segment(open(self._path(first), "r+b"), first, self.size(at))  # noqa: SIM115  it stays open
        return self.open

    def delete(self, at: int) -> None:
        """Raises OSError."""
        if self._old is not None and self._old.first == self._firsts[at]:
            self._close_old()
        os.remove(self._path(self._firsts[at]))
        for after in range(at, self.count - 1):
            self._firsts[after] = self._firsts[after + 1]
        self.count -= 1

    def leave(self) -> None:
        """Nothing more is written to the open one. Raises OSError if it can't be closed; it is left all the same."""
        left = self.open
        self.open = None
        if left is not None:
            left.close()

    def close(self) -> None:
        self.leave()
        self._close_old()

    def _close_old(self) -> None:
        old = self._old
        self._old = None
        if old is not None:
            old.close()

    def _path(self, first: int) -> str:
        return "%s/%08x" % (self._folder, first)


def _names(folder: str) -> "list[int]":
    """The first numbers of the segments, ascending; makes the folder."""
    small_file.make_folder(folder)
    return sorted(int(name, 16) for name in os.listdir(folder) if len(name) == 8 and _is_hex(name))


def _is_hex(name: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in name)
