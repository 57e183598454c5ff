# What the status LED says. Runs on both interpreters.
from terminal import led

from protocol import record


def blinks(said: int, start_ms: int) -> "list[int]":
    """How often it lights up in each of five cycles, looked at as the task does."""
    was, count, found = False, 0, []
    for ms in range(start_ms, start_ms + 20000, led.POLL_MS):
        on = led.is_lit(said, ms)
        count += on and not was
        was = on
        if ms % 4000 >= 4000 - led.POLL_MS:
            assert not on, "a pause between the groups"
            found.append(count)
            count = 0
    return found


def test_each_state_has_its_number_of_blinks_whenever_it_is_looked_at() -> None:
    # P-169
    for said in (led.FINE, led.NO_METER, led.NO_LINK, led.NO_TIME):
        for shift_ms in (0, 1, 37, 99):
            assert blinks(said, shift_ms) == [said] * 5


def test_the_trouble_that_can_be_seen_to_first_is_told() -> None:
    # P-169
    none, gateway, now_ms = record.CLOCK_NONE, record.CLOCK_GATEWAY, 10 * led.HEARD_MS
    assert led.state(gateway, now_ms, now_ms, silent=False) == led.FINE
    assert led.state(record.CLOCK_SNTP, now_ms - led.HEARD_MS, now_ms, silent=False) == led.FINE
    assert led.state(none, now_ms, now_ms, silent=False) == led.NO_TIME
    for source in (none, gateway):
        assert led.state(source, None, now_ms, silent=False) == led.NO_LINK
        assert led.state(source, now_ms - led.HEARD_MS - 1, now_ms, silent=False) == led.NO_LINK
        for heard_ms in (None, now_ms):
            assert led.state(source, heard_ms, now_ms, silent=True) == led.NO_METER


class Board:
    def __init__(self) -> None:
        self.real = 0
        self.switched: list[bool] = []

    def real_ms(self) -> int:
        return self.real

    def led(self, on: bool) -> None:
        self.switched.append(on)


def test_the_board_is_told_changes_only() -> None:
    # P-169
    board = Board()
    lamp = led.Led(board, lambda: led.NO_LINK)
    for _ in range(80):
        lamp.look()
        board.real += led.POLL_MS
    assert board.switched == [True, False] * 6
