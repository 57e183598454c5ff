"""All processes of a run have one virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.clock import VARIABLE, ScaledClock

NS = st.integers(0, 2**62)


@given(NS, st.integers(0, 2**42), st.integers(1, 3600), st.integers(-(10**12), 10**12))
def test_two_processes_with_one_anchor_show_the_same_time(anchor: int, start: int, factor: int, after_ns: int) -> None:
    one = ScaledClock(anchor, start, factor, lambda: anchor + after_ns)
    other = ScaledClock.from_env(one.env())
    assert (other.anchor_ns, other.start_ms, other.factor) == (anchor, start, factor)
    assert one.now_ms() == start + after_ns * factor // 10**6


@given(st.integers(1, 3600), st.integers(0, 10**10))
def test_a_virtual_instant_is_reached_at_its_real_one(factor: int, virtual_ms: int) -> None:
    clock = ScaledClock(0, 0, factor, lambda: 0)
    at_s = clock.real_s_until(virtual_ms)
    later = ScaledClock(0, 0, factor, lambda: int(at_s * 1e9))
    assert abs(later.now_ms() - virtual_ms) <= factor


@pytest.mark.parametrize("text", ["", "1:2", "a:b:c", "1:2:3:4", "1:2:0", "1:2:99999"])
def test_a_clock_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"factor|anchor_ns"):
        ScaledClock.from_env({VARIABLE: text})
