"""Each cause by an example: what a terminal's log says of a cell that has no window."""

from typing import Any

import pytest

from gateway.gaps.causes import Evidence, Milepost, Said
from gateway.gaps.source import note_event
from gateway.gaps.words import CELL_S, CLOCK, LINK_DOWN, LOG_LOST, PROMISE_S, REFUSED, TERMINAL_OFF, UNKNOWN
from gateway.journal.spans import Entry
from protocol import record
from tests.gateway.support import NOW_S

SOON_S = 600
LONG_S = PROMISE_S + 1


def post(cell: int, seq: int, **values: Any) -> Milepost:
    """The end of the window of this cell, counted from NOW_S."""
    time_s = NOW_S + (cell + 1) * CELL_S
    usual = {"time_s": time_s, "epoch": 7, "seq": seq, "boot": 1, "uptime_s": 10**6, "received_s": NOW_S + 10**6}
    return Milepost(**{**usual, **values})


def causes(
    posts: list[Milepost], cells: range, *, after_s: int = SOON_S, there: tuple[int, ...] = (), **said: Any
) -> Any:
    """The causes of these cells, so long after everything was received."""
    have = sorted({one.seq for one in posts} | set(there))

    def numbers(_epoch: int, first: int, last: int) -> list[int]:
        return [number for number in have if first <= number <= last]

    evidence = Evidence(posts, Said(**said), numbers, lambda _: None)
    return [evidence.cause(NOW_S + cell * CELL_S, NOW_S + 10**6 + after_s) for cell in cells]


def test_nothing_from_it_since() -> None:
    assert causes([post(0, 1)], range(1, 3)) == [LINK_DOWN] * 2
    assert causes([], range(2)) == [LINK_DOWN] * 2


def test_numbers_that_have_not_come_are_on_their_way_and_after_a_day_without_a_cause() -> None:
    posts = [post(0, 1), post(3, 4)]
    assert causes(posts, range(1, 3)) == [LINK_DOWN] * 2
    assert causes(posts, range(1, 3), after_s=LONG_S) == [UNKNOWN] * 2


def test_it_was_off_between_two_starts() -> None:
    posts = [post(0, 1), post(9, 2, boot=2, uptime_s=CELL_S)]
    assert causes(posts, range(1, 9)) == [TERMINAL_OFF] * 8


def test_it_was_off_for_as_long_as_no_number_can_account_for() -> None:
    """Two numbers are missing, of the last windows before the cut: those behind them are surely of no record."""
    posts = [post(0, 1), post(9, 4, boot=2, uptime_s=CELL_S)]
    assert causes(posts, range(1, 9)) == [LINK_DOWN] * 2 + [TERMINAL_OFF] * 6
    far = [post(0, 1), post(9, 4, boot=3, uptime_s=CELL_S)]  # a start in between may have made them
    assert causes(far, range(1, 9)) == [LINK_DOWN] * 8


def test_it_was_not_switched_on_yet() -> None:
    assert causes([post(5, 1, uptime_s=CELL_S)], range(3, 5)) == [TERMINAL_OFF] * 2
    assert causes([post(5, 3, uptime_s=CELL_S)], range(3, 5)) == [LINK_DOWN] * 2  # numbers 1 and 2 may be of them


def test_it_ran_and_numbered_on_and_made_no_window() -> None:
    assert causes([post(0, 1), post(3, 2)], range(1, 3)) == [UNKNOWN] * 2


def test_its_log_was_full() -> None:
    posts = [post(0, 1), post(5, 6)]
    assert causes(posts, range(1, 5), dropped={7: [(2, 5)]}) == [LOG_LOST] * 4
    assert causes(posts, range(1, 5), dropped={7: [(2, 4)]}) == [LINK_DOWN] * 4
    assert causes(posts, range(1, 5), dropped={8: [(2, 5)]}) == [LINK_DOWN] * 4


def test_its_log_was_damaged_and_what_is_missing_never_came() -> None:
    posts, damaged = [post(0, 1), post(3, 4)], {7: [9]}
    assert causes(posts, range(1, 3), damaged=damaged) == [LINK_DOWN] * 2
    assert causes(posts, range(1, 3), damaged=damaged, after_s=LONG_S) == [LOG_LOST] * 2


def test_its_log_began_anew() -> None:
    assert causes([post(0, 90), post(3, 1, epoch=8)], range(1, 3)) == [LOG_LOST] * 2


def test_its_clock_was_set_forward_or_not_set() -> None:
    posts = [post(0, 1), post(5, 2)]
    steps = [(NOW_S + CELL_S, NOW_S + 3 * CELL_S)]
    assert causes(posts, range(1, 5), steps=steps) == [CLOCK, CLOCK, UNKNOWN, UNKNOWN]
    untimed = {7: [2, 3, 4]}
    assert causes([post(0, 1), post(5, 5)], range(1, 5), there=(2, 3, 4), untimed=untimed) == [CLOCK] * 4
    assert causes([post(0, 1)], range(1, 3), there=(2, 3, 4), untimed=untimed) == [CLOCK] * 2


def test_quarantine_has_it() -> None:
    posts = [post(0, 1), post(4, 4)]
    cell_s = NOW_S + CELL_S
    assert causes(posts, range(1, 4), refused_cells={cell_s}, placed={7: {2}}) == [REFUSED, LINK_DOWN, LINK_DOWN]
    assert causes(posts, range(1, 4), refused={7: {2, 3}}) == [REFUSED] * 3


@pytest.mark.parametrize("last", [3, 4294967295])
def test_a_hole_of_any_size_costs_no_more_than_what_is_known_of_it(last: int) -> None:
    posts = [post(0, 1), post(4, last)]
    assert causes(posts, range(1, 2), dropped={7: [(2, last - 1)]}) == [LOG_LOST]


def test_the_record_before_is_asked_for_when_the_span_does_not_hold_it() -> None:
    later, earlier = post(9, 10, boot=2, uptime_s=CELL_S), post(0, 9)
    evidence = Evidence([later], Said(), lambda _epoch, _first, _last: [9], lambda _: earlier)
    assert evidence.cause(NOW_S + CELL_S, NOW_S + 10**6) == TERMINAL_OFF  # 1 to 8 are missing, long before


def test_a_number_that_no_record_has_is_no_loss() -> None:
    """P-82"""
    posts = [post(0, 1), post(9, 3, boot=2, uptime_s=CELL_S)]
    assert causes(posts, range(1, 9)) == [LINK_DOWN] + [TERMINAL_OFF] * 7
    assert causes(posts, range(1, 9), skipped={7: [(2, 2)]}) == [TERMINAL_OFF] * 8
    assert causes(posts, range(1, 9), skipped={8: [(2, 2)]})[0] == LINK_DOWN
    assert causes([post(0, 1), post(4, 9)], range(1, 4), skipped={7: [(3, 8)]}) == [LINK_DOWN] * 3
    assert causes([post(0, 1), post(4, 9)], range(1, 4), skipped={7: [(8, 2)]}) == [LINK_DOWN] * 3


def test_an_older_image_of_its_flash_is_back() -> None:
    """P-82: what the put-back log had sent is there; the rest is lost, and the terminal says so."""
    posts = [post(0, 1), post(2, 3), post(9, 7, boot=2, uptime_s=CELL_S)]  # 2 and 3 had come before
    assert causes(posts, range(1, 9), there=(2, 3), dropped={7: [(2, 6)]})[2:] == [LOG_LOST] * 3 + [TERMINAL_OFF] * 3


def test_its_numbers_go_on_in_another_epoch() -> None:
    """P-82: the epoch's numbers begin where the older one's end; both are one log."""
    posts = [post(0, 90), post(3, 93, epoch=8, boot=2, uptime_s=CELL_S)]
    assert causes(posts, range(1, 3)) == [LINK_DOWN] * 2, "1 to 92 of epoch 8 are missing"
    follows = {8: (7, 92)}
    assert causes(posts, range(1, 3), follows=follows) == [LINK_DOWN] * 2, "so is 91 of epoch 7"
    assert causes(posts, range(1, 3), follows=follows, there=(91, 92)) == [TERMINAL_OFF] * 2
    assert causes(posts, range(1, 3), follows=follows, there=(92,), dropped={8: [(80, 91)]}) == [LOG_LOST] * 2
    assert causes(posts, range(1, 3), follows={8: (8, 92)}, there=(91, 92)) == [LOG_LOST] * 2, "a log of its own"


@pytest.mark.parametrize(
    ("code", "values", "cause"),
    [
        (record.LOG_FULL, [2, 4], LOG_LOST),
        (record.LOG_PUT_BACK, [2, 4], LOG_LOST),
        (record.REQUEST_UNMET, [2, 4], LOG_LOST),
        (record.NUMBERS_SKIPPED, [2, 4], TERMINAL_OFF),
        (record.LOG_FULL, [4, 2], LINK_DOWN),
        (record.LOG_FULL, [], LINK_DOWN),
        (record.NUMBERS_SKIPPED, [5, 8], LINK_DOWN),
    ],
)
def test_what_events_say_of_numbers(code: int, values: list[int], cause: str) -> None:
    said = Said()
    body = record.Event(NOW_S, 1, 9, 3, 1, code, None, values)
    note_event(said, Entry(1, 7, 5, record.EVENT, NOW_S, 0, 1, 9, 0, []), body)
    posts = [post(0, 1), post(4, 5, boot=2, uptime_s=CELL_S)]
    assert set(causes(posts, range(1, 3), **vars(said))) == {cause}
