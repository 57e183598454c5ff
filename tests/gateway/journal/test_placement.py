"""The choice of an anchor does not depend on the order in which anchors come."""

import functools

from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.placement import Anchor, better, start_s

anchors = st.builds(
    Anchor,
    st.integers(0, 65535),
    st.integers(0, 10**6),
    st.integers(0, 1000),
    st.integers(1_700_000_000, 1_800_000_000),
)


@given(st.lists(anchors, min_size=1), st.randoms())
def test_any_order_of_anchors_ends_at_the_same_one(found: list[Anchor], shuffled_by: "object") -> None:
    shuffled = list(found)
    shuffled_by.shuffle(shuffled)  # type: ignore[attr-defined]
    assert functools.reduce(better, found, None) == functools.reduce(better, shuffled, None) == min(found)


def test_the_least_error_wins_over_the_nearest() -> None:
    vague, exact = Anchor(65535, 900, 1, 1_700_000_000), Anchor(1, 9000, 9, 1_700_000_500)
    assert better(vague, exact) == exact
    assert better(exact, None) == exact


def test_a_window_ends_as_long_before_the_anchor_as_its_uptime_says() -> None:
    """FR-26: end = time - (uptime - end_uptime_s)."""
    assert start_s(Anchor(1, 5000, 3, 1_772_323_200), 1800, 900) == 1_772_323_200 - 3200 - 900
