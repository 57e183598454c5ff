"""P-432: a soak tells what grows, and keeps still about what does not."""

from hypothesis import given
from hypothesis import strategies as st

from hil.soak.growth import BOUNDS, SAMPLES_MIN, Sample, grown
from hil.soak.watcher import Watcher

EVERY_S = 10.0


def series(count: int, start: float, an_hour: float, noise: list[float]) -> list[Sample]:
    return [Sample(EVERY_S * n, start + an_hour * EVERY_S * n / 3600 + noise[n % len(noise)]) for n in range(count)]


@given(
    unit=st.sampled_from(sorted(BOUNDS)),
    start=st.floats(1, 500),
    noise=st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=50),
)
def test_what_leaks_is_told_and_noise_is_not(unit: str, start: float, noise: list[float]) -> None:
    """P-432: an hour with a leak of twice what is allowed between the medians of its thirds; or none."""
    bound = BOUNDS[unit]
    an_hour = 3 * max(bound.at_least, bound.an_hour) + 2
    assert grown("x", unit, series(360, start, an_hour, noise)).is_bad is True
    assert grown("x", unit, series(360, start, 0.0, noise)).is_bad is False


def test_growth_while_it_warms_up_is_none_of_it() -> None:
    """P-432: the first two minutes of a process."""
    warm = [Sample(EVERY_S * n, 40.0 + 10 * n) for n in range(12)]
    steady = [Sample(120.0 + EVERY_S * n, 160.0) for n in range(60)]
    assert grown("x", "memory_mib", [*warm, *steady]).is_bad is False


def test_a_life_that_was_too_short_is_said_to_be() -> None:
    """P-432: it is no "no"."""
    assert grown("x", "threads", []).is_bad is None
    assert grown("x", "threads", [Sample(EVERY_S * n, 1.0) for n in range(SAMPLES_MIN)]).is_bad is None


def test_a_start_near_the_end_hides_no_leak() -> None:
    """P-432: a process is judged by its longest life; a second that is shorter is none of it."""
    watcher = Watcher()
    for n in range(360):
        pid = 1 if n < 300 else 2
        watcher.note("broker", pid, EVERY_S * n, {"memory_mib": 20.0 + (0.1 * n if pid == 1 else 0.0)})
    (found,) = watcher.judged()
    assert (found.samples > 200, found.is_bad) == (True, True)


def test_a_leak_in_many_hours_is_held_against_what_an_hour_may_bring() -> None:
    """P-432: a little more each hour than that, between the middles of the thirds."""
    (unit, bound), noise = ("memory_mib", BOUNDS["memory_mib"]), [0.0]
    assert grown("x", unit, series(4_000, 50.0, 1.1 * bound.an_hour, noise)).is_bad is True
    assert grown("x", unit, series(4_000, 50.0, 0.9 * bound.an_hour, noise)).is_bad is False
