"""What an emulated meter measures when its wiring is wrong."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.load import Constant
from hil.meter import Meter, read_profile
from hil.meter_feeder import PHASES, Feeder, Wiring, WiringFault
from hil.meter_types import Place, decode, encode, size_of

START_MS = 1772380800_000
HOUR_MS = 3_600_000
RATED_W = 6000


def feeder(*faults: WiringFault) -> Feeder:
    return Feeder(Constant(RATED_W), START_MS, 1000, faults)


def test_the_phases_make_up_the_whole() -> None:
    found = feeder().quantities(START_MS + HOUR_MS)
    assert found["p_w"] == RATED_W == sum(found[f"p{phase}_w"] for phase in PHASES)
    assert found["e_import_wh"] == 1000 + RATED_W


@pytest.mark.parametrize(("what", "left"), [("ct_off", 2004), ("voltage_lost", 2004), ("ct_reversed", 4008)])
def test_a_phase_that_is_wired_wrongly_is_missing_or_subtracted(what: Wiring, left: int) -> None:
    one = feeder(WiringFault(what, "a"))
    found = one.quantities(START_MS + HOUR_MS)
    assert found["p_w"] == RATED_W - left
    assert found["e_import_wh"] == 1000 + RATED_W - left
    assert found["ia_ma"] == 0 if what == "ct_off" else found["ia_ma"] != 0
    assert (found["ua_dv"] == 0) == (what == "voltage_lost")
    assert (found["ia_ma"] < 0) == (what == "ct_reversed")
    names = {"ct_off": "current_lost_a", "voltage_lost": "voltage_lost_a", "ct_reversed": "reverse_a"}
    assert one.state(START_MS + HOUR_MS) == {names[what]}


def test_all_transformers_turned_round_export_what_is_imported() -> None:
    found = feeder(WiringFault("ct_reversed")).quantities(START_MS + HOUR_MS)
    assert found["e_import_wh"] == 1000
    assert found["e_export_wh"] == RATED_W


def test_a_frozen_meter_stands_still_and_catches_up() -> None:
    one = feeder(WiringFault("frozen", None, START_MS + HOUR_MS, START_MS + 3 * HOUR_MS))
    at_hour = one.quantities(START_MS + HOUR_MS)
    assert one.quantities(START_MS + 2 * HOUR_MS) == at_hour
    assert one.quantities(START_MS + 4 * HOUR_MS)["e_import_wh"] == 1000 + 4 * RATED_W


@given(st.lists(st.integers(1, 100), max_size=10))
def test_energy_does_not_depend_on_when_it_is_looked_at(waits_min: list[int]) -> None:
    """A fault begins and ends where it says, between whatever reads."""
    faults = (WiringFault("ct_off", "a", START_MS + 1_234_567, START_MS + 2_345_678),)
    looked, once = Feeder(Constant(RATED_W), START_MS, 0, faults), Feeder(Constant(RATED_W), START_MS, 0, faults)
    now_ms = START_MS
    for wait_min in waits_min:
        now_ms += wait_min * 60_000
        looked.quantities(now_ms)
    assert looked.quantities(now_ms) == once.quantities(now_ms)


@pytest.mark.parametrize("kind", ["u16", "i16", "sm16", "u32", "i32", "sm32", "u64", "i64", "bcd4", "sbcd3", "bcd6"])
def test_a_type_says_what_was_put_in_and_stays_at_its_end(kind: str) -> None:
    for low_first in (False, True):
        place = Place("x", 1, 0, 0, kind, low_first, Fraction(1), 0, 3)
        for number in (0, 1, 12_345, -1, -12_345):
            if number < 0 and kind[0] in "ub":
                continue
            assert decode(encode(Fraction(number), kind, low_first=low_first and "bcd" not in kind), place) == number
    assert len(encode(Fraction(10**30), kind)) == size_of(kind)


def test_a_register_rolls_over_at_its_number() -> None:
    meter = Meter(read_profile("dlt645_1p"), Constant(0), START_MS, 10**9 + 50)
    served = meter.read_item(0x00010000, "000000000001", START_MS)
    assert served.data == bytes.fromhex("05000000")
    assert served.values == {"e_import_wh": 50}
