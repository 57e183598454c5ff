"""Ranges of numbers against sets of them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gateway.wanted.ranges import Range, both, joined, minus, newest, size

ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda one: (one[0], sum(one))), max_size=8)


def numbers(some: list[Range]) -> set[int]:
    return {number for first, last in some for number in range(first, last + 1)}


@given(ranges, ranges)
def test_they_are_sets_of_numbers(some: list[Range], others: list[Range]) -> None:
    for found, expected in (
        (joined(some), numbers(some)),
        (minus(some, others), numbers(some) - numbers(others)),
        (both(some, others), numbers(some) & numbers(others)),
    ):
        assert numbers(found) == expected
        assert size(found) == len(expected)
        assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(found))


@given(ranges, st.integers(1, 5), st.integers(1, 30))
def test_the_newest_are_the_highest_numbers_that_fit(some: list[Range], ranges_most: int, numbers_most: int) -> None:
    found = newest(some, ranges_most, numbers_most)
    chosen, whole = numbers(found), numbers(some)
    assert chosen <= whole
    assert len(found) <= ranges_most
    assert len(chosen) == size(found) <= numbers_most
    assert not chosen or whole - chosen == {number for number in whole if number < min(chosen)}
    full = len(found) == ranges_most or len(chosen) == numbers_most
    assert chosen == whole or full
