"""Ranges of record numbers, both ends included; where more than one: ascending, and none touches another."""

from collections.abc import Iterable

Range = tuple[int, int]


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers, in the fewest ranges."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def minus(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """The numbers of `ranges` that are not in `taken`."""
    found: list[Range] = []
    gone = joined(taken)
    for first, last in joined(ranges):
        begin = first
        for low, high in gone:
            if high < begin or low > last:
                continue
            if low > begin:
                found.append((begin, low - 1))
            begin = high + 1
        if begin <= last:
            found.append((begin, last))
    return found


def both(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """The numbers that are in both."""
    ranges = joined(ranges)
    return minus(ranges, minus(ranges, others))


def size(ranges: Iterable[Range]) -> int:
    """How many numbers; of ranges that do not overlap."""
    return sum(last - first + 1 for first, last in ranges)


def newest(ranges: Iterable[Range], ranges_most: int, numbers_most: int) -> list[Range]:
    """The highest numbers, at most so many, in at most so many ranges; ascending."""
    found: list[Range] = []
    left = numbers_most
    for first, last in reversed(joined(ranges)):
        if left == 0 or len(found) == ranges_most:
            break
        begin = max(first, last - left + 1)
        found.append((begin, last))
        left -= last - begin + 1
    return found[::-1]
