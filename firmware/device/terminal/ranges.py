# A bounded set of numbers below 2**32, kept as ascending ranges that do not touch. Allocates nothing after it is made:
# months of acknowledgements in a fragmented heap.
import array
import struct


class RangeSet:
    """Holds at most `capacity` ranges; what would need one more is not taken, and `add` says so."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0  # ranges
        self._first = array.array("I", bytes(4 * capacity))
        self._last = array.array("I", bytes(4 * capacity))

    def add(self, first: int, last: int) -> bool:
        """Take first..last in. False: the set is full and stays as it was."""
        low = self._index(first - 1 if first else 0)  # the first range that ends at first - 1 or later
        high = low  # the first range that begins after last + 1
        while high < self.count and self._first[high] <= last + 1:
            high += 1
        if high > low:  # joins low .. high - 1
            first = min(first, self._first[low])
            last = max(last, self._last[high - 1])
        elif self.count == self.capacity:
            return False
        self._move(high, low + 1)
        self._first[low] = first
        self._last[low] = last
        return True

    def remove(self, first: int, last: int) -> bool:
        """Take first..last out. False: that would leave one range too many, and the set stays as it was."""
        low = self._index(first)
        if low < self.count and self._first[low] < first:
            if self._last[low] > last:  # what is left of it on both sides
                if self.count == self.capacity:
                    return False
                self._move(low, low + 1)
                self._last[low] = first - 1
                self._first[low + 1] = last + 1
                return True
            self._last[low] = first - 1
            low += 1
        high = low  # the first range of which something is left
        while high < self.count and self._last[high] <= last:
            high += 1
        if high < self.count and self._first[high] <= last:
            self._first[high] = last + 1
        self._move(high, low)
        return True

    def covers(self, first: int, last: int) -> bool:
        """True if every number of first..last is in the set."""
        at = self._index(first)
        return at < self.count and self._first[at] <= first and self._last[at] >= last

    def next_free(self, number: int) -> int:
        """The lowest number >= `number` that is not in the set."""
        at = self._index(number)
        return self._last[at] + 1 if at < self.count and self._first[at] <= number else number

    def previous_free(self, number: int) -> int:
        """The highest number <= `number` that is not in the set; -1 if there is none."""
        at = self._index(number)
        return self._first[at] - 1 if at < self.count and self._first[at] <= number else number

    def overlap(self, first: int, last: int) -> int:
        """How many numbers of first..last are in the set."""
        found = 0
        at = self._index(first)
        while at < self.count and self._first[at] <= last:
            found += min(last, self._last[at]) - max(first, self._first[at]) + 1
            at += 1
        return found

    def highest(self) -> int:
        """The highest number in the set; -1 if it is empty."""
        return self._last[self.count - 1] if self.count else -1

    def range(self, index: int) -> "tuple[int, int]":
        """(first, last) of one range, 0 <= index < count."""
        return self._first[index], self._last[index]

    def pack(self) -> bytes:
        """All ranges, 8 bytes each, little endian."""
        data = bytearray(8 * self.count)
        for at in range(self.count):
            struct.pack_into("<II", data, 8 * at, self._first[at], self._last[at])
        return bytes(data)

    def unpack(self, data: bytes) -> None:
        """Add the ranges of `pack`."""
        for at in range(0, len(data) - 7, 8):
            self.add(*struct.unpack_from("<II", data, at))

    def _index(self, number: int) -> int:
        """The index of the first range that ends at `number` or later; `count` if there is none."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._last[middle] < number:
                low = middle + 1
            else:
                high = middle
        return low

    def _move(self, source: int, target: int) -> None:
        """Move the ranges from `source` on to `target`."""
        count = self.count - source
        if target > source:
            for at in range(count - 1, -1, -1):
                self._first[target + at] = self._first[source + at]
                self._last[target + at] = self._last[source + at]
        elif target < source:
            for at in range(count):
                self._first[target + at] = self._first[source + at]
                self._last[target + at] = self._last[source + at]
        self.count = target + count


def runs(first: int, last: int, test):  # type: ignore[no-untyped-def]
    """(first, last, what `test(number)` says) of each stretch of first..last on which it says the same."""
    while first <= last:
        said = test(first)
        end = first
        while end < last and test(end + 1) == said:
            end += 1
        yield first, end, said
        first = end + 1
