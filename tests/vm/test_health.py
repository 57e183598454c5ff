# The event that says how the terminal is. Runs on both interpreters.
from terminal import health


def test_it_is_told_ten_minutes_after_the_start_and_then_each_six_hours() -> None:
    # P-95
    made = health.Health(lambda: [1, 2, 3, 4, 5, 6])
    told = [ms for ms in range(0, 86400000, 1000) if made.due(ms) is not None]
    assert told == [600000 + at * health.EVERY_MS for at in range(4)]


def test_it_has_eight_numbers_with_the_heap_first() -> None:
    # P-95
    made = health.Health(lambda: [1, 2, 3, 4, 5, 6])
    values = made.due(health.FIRST_MS)
    assert values is not None
    assert values[2:] == [1, 2, 3, 4, 5, 6]
    before = values[0]
    kept = bytearray(20000)
    values = made.due(health.FIRST_MS + health.EVERY_MS)
    assert values is not None
    assert before == 0 or 19000 < values[0] - before < 25000, "on MicroPython it is the heap"
    assert len(kept) == 20000
