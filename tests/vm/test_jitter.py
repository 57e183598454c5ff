# How late things happen: counts that take no more memory in a year. Runs on both interpreters.
from terminal.jitter import Jitter


def test_nothing_yet() -> None:
    assert Jitter().figures() == [0, 0, 0, 0]


def test_figures_are_bounds_of_what_was() -> None:
    one = Jitter()
    for late_ms in range(100):
        one.add(late_ms)
    assert one.figures() == [100, 64, 99, 99]
    one = Jitter()
    for _ in range(99):
        one.add(3)
    one.add(5000)
    assert one.figures() == [100, 4, 4, 5000]
    assert one.within_ms(1000) == 5000


def test_what_is_far_too_late_is_counted_too() -> None:
    one = Jitter()
    one.add(86400000)
    one.add(0)
    assert one.figures() == [2, 1, 86400000, 86400000]
