# How late things happen after their instant: counted by size, so that a year of it takes no more memory than a minute.
from array import array

_SIZES = 17  # up to 1 ms, 2 ms, 4 ms ... 32.768 s, and more


class Jitter:
    def __init__(self) -> None:
        self._counts = array("I", [0] * _SIZES)
        self.count = 0
        self.max_ms = 0

    def add(self, late_ms: int) -> None:
        size = 0
        while size < _SIZES - 1 and late_ms > 1 << size:
            size += 1
        self._counts[size] += 1
        self.count += 1
        self.max_ms = max(self.max_ms, late_ms)

    def within_ms(self, permille: int) -> int:
        # At least so many of a thousand were at most so late: 1, 2, 4 ... ms, or the most there was.
        seen = 0
        for size in range(_SIZES - 1):
            seen += self._counts[size]
            if 1000 * seen >= permille * self.count:
                return min(1 << size, self.max_ms)
        return self.max_ms

    def figures(self) -> "list[int]":
        # For a status: how many, within how many ms half of them, 99 % of them and all of them were.
        return [self.count, self.within_ms(500), self.within_ms(990), self.max_ms]
