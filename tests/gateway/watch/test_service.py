"""How a terminal serves: silences and why, what is late, what its events tell."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.watch import service
from gateway.watch.came import NO_TIME, Came
from gateway.watch.rules import Clock, Late, LogFilling, Silent
from gateway.watch.slots import SLOT_S
from protocol import record

BEGIN_S = 1_772_323_200
LIMIT_S = Silent().after_min * 60


def window(number: int, late_s: int = 30, error_s: int = 1) -> Came:
    from_s = BEGIN_S + SLOT_S * number
    return Came("T1", from_s + SLOT_S + late_s, from_s, from_s + SLOT_S, error_s)


def event(number: int, code: int, values: Sequence[int] = (), received_s: int = 0) -> Came:
    at_s = BEGIN_S + SLOT_S * number + 100
    return Came("T1", received_s or at_s, at_s, at_s, 1, code, 2, tuple(values))


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=30), st.integers(0, 30_000))
def test_each_gap_longer_than_the_rule_allows_is_a_silence_and_no_other(heard: list[int], later_s: int) -> None:
    """P-251."""
    until_s = max(heard) + later_s
    came = [Came("T1", at_s, at_s, at_s, 0, NO_TIME) for at_s in heard]
    times = [*sorted(heard), until_s]
    expected = [(before, after) for before, after in pairwise(times) if after - before > LIMIT_S]
    assert [(one.from_s, one.to_s) for one in service.silences(came, Silent(), until_s)] == expected


@pytest.mark.parametrize(
    ("backlog", "start", "kind"),
    [
        (range(2, 8), [], service.LINK_LOST),
        ((), [event(8, record.BOOT, (1, 1000))], service.POWER_LOST),
        ((), [event(3, record.MAINS_LOST), event(8, record.MAINS_BACK, (4000,))], service.POWER_LOST),
        (range(2, 8), [event(8, record.BOOT, (1, 1000))], service.LINK_LOST),
        ((), [event(8, record.BOOT, (2, 1000))], service.SILENT),
        ((), [], service.SILENT),
    ],
)
def test_power_and_link_are_told_apart_afterwards(backlog: Sequence[int], start: list[Came], kind: str) -> None:
    """P-251: six windows long nothing came; what came after tells why."""
    back_s = window(8).received_s
    after = [window(8), *(window(number)._replace(received_s=back_s + 60) for number in backlog)]
    after += [one._replace(received_s=back_s) for one in start]
    (found,) = service.silences([window(0), window(1), *after], Silent(), back_s + 100)
    assert (found.kind, found.from_s, found.to_s) == (kind, window(1).received_s, back_s)


def test_windows_are_late_only_where_their_terminal_was_heard() -> None:
    """P-251: what a silence explains is no finding of its own."""
    late_s = Late().after_min * 60
    came = [window(0), window(1, late_s), window(2, late_s + 1), window(3, late_s + 1), window(4)]
    (found,) = service.late(came, Late(), [])
    assert (found.from_s, found.to_s) == (BEGIN_S + 2 * SLOT_S, BEGIN_S + 4 * SLOT_S)
    silent = list(service.silences([window(1), window(2, 9 * SLOT_S), window(10)], Silent(), window(10).received_s))
    assert list(service.late([window(1), window(2, 9 * SLOT_S), window(10)], Late(), silent)) == []


def test_what_events_tell_is_found_in_their_quarter_of_an_hour() -> None:
    """P-251."""
    came = [
        event(1, record.CLOCK_SET, (-301,)),
        event(2, record.CLOCK_SET, (300,)),
        event(3, record.HEALTH, (0, 0, 2001, 0)),
        event(4, record.HEALTH, (0, 0, 2000, 0)),
        event(5, record.LOG_FULL, (7, 9)),
        event(6, record.LOW_VOLTAGE, (3210,)),
        window(7, error_s=61),
        window(8, error_s=60),
    ]
    found = [*service.clock(came, Clock()), *service.log_filling(came, LogFilling())]
    found += [*service.log_full(came), *service.supply(came)]
    assert [(one.kind, (one.from_s - BEGIN_S) // SLOT_S, dict(one.facts)) for one in found] == [
        (service.CLOCK_WRONG, 7, {}),
        (service.CLOCK_STEPPED, 1, {"step_s": -301}),
        (service.LOG_FILLING, 3, {"pending": 2001}),
        (service.LOG_FULL, 5, {"dropped": 3}),
        (service.SUPPLY_LOW, 6, {"supply_mv": 3210}),
    ]
    ((point, swapped),) = service.meter([event(9, record.METER_SWAPPED)], [])
    assert (point, swapped.kind, swapped.from_s) == (2, service.METER_SWAPPED, BEGIN_S + 9 * SLOT_S)


def test_marked_registers_are_found_by_point_neighbours_as_one() -> None:
    """P-251, S-17: a load that steps makes one window's energy another than its power; that is none."""
    stepped = [window(number)._replace(marks=(("energy_not_power", 3),)) for number in (4, 6, 9, 10)]
    found = [(point, one.from_s, one.to_s) for point, one in service.register(stepped)]
    assert found == [(3, BEGIN_S + 9 * SLOT_S, BEGIN_S + 11 * SLOT_S)]
    marked = [window(number)._replace(marks=(("energy_fell", 3), ("few_samples", 1))) for number in (4, 5, 8)]
    found = [(point, one.from_s, one.to_s) for point, one in service.register(marked)]
    assert found == [(3, BEGIN_S + a * SLOT_S, BEGIN_S + b * SLOT_S) for a, b in [(4, 6), (8, 9)]]
