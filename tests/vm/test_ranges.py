# The bounded set of numbers, against Python's own set. Runs on both interpreters.
from terminal.ranges import RangeSet, runs


class Random:
    """The same numbers on both interpreters."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, bound: int) -> int:
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % bound


def numbers(ranges: RangeSet) -> "set[int]":
    found: set[int] = set()
    for at in range(ranges.count):
        first, last = ranges.range(at)
        found.update(range(first, last + 1))
    return found


def test_it_is_a_set() -> None:
    for seed in range(60):
        random = Random(seed)
        ranges = RangeSet(40)
        model: set[int] = set()
        for _ in range(40):
            first = random.below(100)
            last = first + random.below(8)
            if random.below(3):
                assert ranges.add(first, last)
                model.update(range(first, last + 1))
            else:
                assert ranges.remove(first, last)
                model.difference_update(range(first, last + 1))
            check(ranges, model)


def check(ranges: RangeSet, model: "set[int]") -> None:
    assert numbers(ranges) == model
    assert ranges.highest() == (max(model) if model else -1)
    firsts = [ranges.range(at)[0] for at in range(ranges.count)]
    lasts = [ranges.range(at)[1] for at in range(ranges.count)]
    assert all(lasts[at] + 1 < firsts[at + 1] for at in range(ranges.count - 1)), "ranges do not touch"
    for number in range(0, 110, 7):
        assert ranges.next_free(number) == next(n for n in range(number, 300) if n not in model)
        free = [n for n in range(number + 1) if n not in model]
        assert ranges.previous_free(number) == (free[-1] if free else -1)
        for last in (number, number + 3, number + 11):
            span = set(range(number, last + 1))
            assert ranges.covers(number, last) == (span <= model)
            assert ranges.overlap(number, last) == len(span & model)


def test_a_full_set_takes_what_joins_and_refuses_the_rest_unchanged() -> None:
    ranges = RangeSet(3)
    for first in (10, 20, 30):
        assert ranges.add(first, first + 1)
    assert not ranges.add(40, 40)
    assert not ranges.add(15, 15)
    assert numbers(ranges) == {10, 11, 20, 21, 30, 31}
    assert ranges.add(12, 19)
    assert ranges.add(40, 40)
    assert numbers(ranges) == set(range(10, 22)) | {30, 31, 40}
    assert not ranges.remove(15, 16)
    assert ranges.remove(9, 16)
    assert ranges.remove(31, 50)
    assert numbers(ranges) == set(range(17, 22)) | {30}
    assert ranges.remove(18, 19)
    assert numbers(ranges) == {17, 20, 21, 30}


def test_stretches_are_told_apart() -> None:
    assert list(runs(3, 9, lambda number: number in (3, 4, 7))) == [
        (3, 4, True),
        (5, 6, False),
        (7, 7, True),
        (8, 9, False),
    ]
    assert not list(runs(3, 2, lambda _: True))


def test_it_survives_being_packed() -> None:
    ranges = RangeSet(4)
    for first, last in ((0, 0), (5, 9), (0x7FFFFFFF, 0x80000001), (0xFFFFFFFE, 0xFFFFFFFF)):
        ranges.add(first, last)
    other = RangeSet(4)
    other.unpack(ranges.pack())
    assert [other.range(at) for at in range(other.count)] == [ranges.range(at) for at in range(ranges.count)]
    assert other.covers(0x7FFFFFFF, 0x80000001)
    assert not other.covers(9, 10)
