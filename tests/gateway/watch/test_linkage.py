"""The linkage rule: each quarter of an hour that is wrong is told, once, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.watch.enterprises import Linkage, Order, PointId
from gateway.watch.finding import Finding
from gateway.watch.linkage import (
    CONTEXT_SLOTS,
    ORDER_BROKEN,
    STARTED_LATE,
    STOPPED_EARLY,
    TREATMENT_IDLE,
    TREATMENT_OFF,
    TREATMENT_SILENT,
    findings,
)
from gateway.watch.measures import measures
from gateway.watch.slots import SLOT_S, Slot, Slots

START_S = 1_772_323_200  # a midnight, UTC
FURNACE, FILTER, RESERVE = PointId("T1", 1), PointId("T1", 2), PointId("T2", 1)
POWER_W = {"-": 10.0, "i": 600.0, "#": 5000.0}  # stands, idles, works; a space: not measured


def linkage(start_slots: int = 1, run_on_slots: int = 0, *, all_: bool = True, reserve: bool = False) -> Linkage:
    treatment = (FILTER, RESERVE) if reserve else (FILTER,)
    return Linkage("line", (FURNACE,), treatment, 1000, 500, 800, all_, start_slots, run_on_slots)


def slots(**drawn: str) -> Slots:
    """A character a slot of each point."""
    points = {"furnace": FURNACE, "filter_": FILTER, "reserve": RESERVE}
    return {
        points[name]: {
            START_S + SLOT_S * number: Slot(900, POWER_W[one], 1000 * number)
            for number, one in enumerate(line)
            if one != " "
        }
        for name, line in drawn.items()
    }


def found(of: Linkage, drawn: Slots, count: int, orders: list[Order] | None = None) -> list[tuple[str, int, int]]:
    """(kind, first slot, slots) of what is found."""
    some = findings(of, orders or [], drawn, START_S, START_S + SLOT_S * count)
    return [(one.kind, (one.from_s - START_S) // SLOT_S, (one.to_s - one.from_s) // SLOT_S) for one in some]


@pytest.mark.parametrize(
    ("furnace", "filter_", "expected"),
    [
        ("--####--", "--####--", []),
        ("--####--", "---###--", []),  # a quarter of an hour to start is allowed
        ("--####--", "--------", [(TREATMENT_OFF, 3, 3)]),
        ("--#####-", "-----##-", [(STARTED_LATE, 3, 2)]),
        ("--#####-", "--##----", [(STOPPED_EARLY, 4, 3)]),
        ("-#######", "-##--###", [(TREATMENT_OFF, 3, 2)]),  # in between: neither late nor early
        ("--#####-", "--##iii-", [(TREATMENT_IDLE, 4, 3)]),
        ("--#####-", "--##   -", [(TREATMENT_SILENT, 4, 3)]),
        ("--      ", "--------", []),  # nobody knows whether production ran
        ("--##  #", "--##---", []),  # nor how long: it may just have begun
        ("--------", "-###----", []),
        ("-###-###", "-#---###", [(STOPPED_EARLY, 2, 2)]),
    ],
)
def test_what_is_wrong_has_a_name(furnace: str, filter_: str, expected: list[tuple[str, int, int]]) -> None:
    """P-240."""
    assert found(linkage(), slots(furnace=furnace, filter_=filter_), len(furnace)) == expected


def test_treatment_that_must_run_on_after_production_is_told_when_it_does_not() -> None:
    """P-240."""
    drawn = slots(furnace="-###-----", filter_="-####----")
    assert found(linkage(run_on_slots=3), drawn, 9) == [(STOPPED_EARLY, 5, 2)]
    assert found(linkage(run_on_slots=1), drawn, 9) == []


def test_lines_after_each_other_must_all_run_and_of_reserves_one() -> None:
    """P-240: what is not measured is no excuse where the other line decides, and no accusation where it does not."""
    drawn = slots(furnace="######", filter_="##--##", reserve="##### ")
    assert found(linkage(reserve=True), drawn, 6) == [(TREATMENT_OFF, 2, 2), (TREATMENT_SILENT, 5, 1)]
    assert found(linkage(reserve=True, all_=False), drawn, 6) == []


def test_an_order_is_broken_by_what_is_drawn_wholly_in_its_time() -> None:
    """P-240."""
    drawn = slots(furnace="########", filter_="########")
    order = Order(START_S + 2 * SLOT_S - 60, START_S + 5 * SLOT_S + 60, 0)
    assert found(linkage(), drawn, 8, [order]) == [(ORDER_BROKEN, 2, 3)]
    assert found(linkage(), drawn, 8, [order._replace(production_max_w=6000)]) == []


states = st.text("-i# ", min_size=1, max_size=60)


def wrong(furnace: str, filter_: str, at: int, start_slots: int) -> bool:
    """The rule again, by looking back from each slot."""
    before = furnace[: at + 1]
    ran = len(before) - len(before.rstrip("#"))
    return ran > start_slots and filter_[at] != "#"


@given(states, states, st.integers(0, 3), st.data())
def test_each_wrong_slot_is_in_one_finding_and_no_other_slot_is(
    furnace: str, filter_: str, start_slots: int, data: st.DataObject
) -> None:
    """P-241: also when the span is looked at in two parts."""
    count = min(len(furnace), len(filter_))
    of, drawn = linkage(start_slots), slots(furnace=furnace[:count], filter_=filter_[:count])
    expected = [at for at in range(count) if wrong(furnace, filter_, at, start_slots)]
    assert [at for _, first, length in found(of, drawn, count) for at in range(first, first + length)] == expected
    cut_s = START_S + SLOT_S * data.draw(st.integers(0, count))
    parts = [(START_S, cut_s), (cut_s, START_S + SLOT_S * count)]
    some: list[Finding] = [one for from_s, to_s in parts for one in findings(of, [], drawn, from_s, to_s)]
    again = [at_s for one in some for at_s in range(one.from_s, one.to_s, SLOT_S)]
    assert again == [START_S + SLOT_S * at for at in expected]


def test_a_delay_of_a_day_is_seen_from_before_the_span() -> None:
    """P-241: the context is as long as the longest delay."""
    length = CONTEXT_SLOTS + 8
    drawn = slots(furnace="#" * length, filter_="-" * length)
    of, from_s = linkage(start_slots=CONTEXT_SLOTS), START_S + SLOT_S * CONTEXT_SLOTS
    (one,) = findings(of, [], drawn, from_s, START_S + SLOT_S * length)
    assert (one.kind, one.from_s) == (TREATMENT_OFF, from_s)


def test_what_a_linkage_comes_to() -> None:
    """P-242: a day of 40 quarters of production, 30 with treatment, that went off twice; then one without any."""
    furnace = "-" * 20 + "#" * 40 + "-" * 36
    filter_ = "-" * 20 + "#" * 10 + "-" * 4 + "#" * 20 + "-" * 6 + "-" * 36
    drawn = slots(furnace=furnace * 2, filter_=filter_ + "-" * 96)
    of = measures(linkage(), drawn, START_S, START_S + 2 * 96 * SLOT_S, 0)
    assert (of.production_h, of.treatment_h, of.linkage_rate) == (20.0, 7.5, 30 / 80)
    assert (of.unused_days, of.switched_off, of.slots, of.seen_slots) == (1, 2, 192, 192)
    assert (of.production_wh, of.treatment_wh) == (191_000, 191_000)


def test_nothing_measured_comes_to_nothing() -> None:
    """P-242: no rate out of no hours, no energy out of no register."""
    of = measures(linkage(), slots(furnace="", filter_=""), START_S, START_S + 96 * SLOT_S, 0)
    assert (of.seen_slots, of.linkage_rate, of.production_wh, of.unused_days) == (0, None, None, 0)
