"""The wiring check over drawn mistakes, loads, power factors, unbalance and noise; every failure prints its seed."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.field.bus import recognise
from firmware.field.bus.phases import FOLDER
from firmware.field.wiring import words
from firmware.field.wiring.facts import Mistake, Told, facts
from firmware.field.wiring.judge import judge
from hil.miswired import recall, year
from hil.miswired.faults import FAULTS, WANT_SEQUENCE, Case, drawn_loads, shared

THREE_PHASE = [one.name for one in recognise.models() if one.measured("ub_dv")]
WITH_ALL = ["dlt645_3p", "dtsu666", "sdm630"]  # active and reactive power of each phase
SEEDS = st.integers(0, 2**32)


def judged(model: str, fault: str, seed: int) -> recall.Judged:
    return recall.one(model, fault, str(seed), 0)


@given(st.sampled_from(WITH_ALL), st.sampled_from(sorted(FAULTS)), SEEDS)
@settings(max_examples=300)
def test_no_mistake_is_passed_or_named_as_another(model: str, fault: str, seed: int) -> None:
    """P-295, S-15"""
    if fault in WANT_SEQUENCE and not recall.tells_sequence(model):
        return
    found = judged(model, fault, seed)
    assert found.came_to in {"named", "narrowed", "cannot_tell"}, found


@given(st.sampled_from(sorted(path.stem for path in FOLDER.glob("*.json"))), st.sampled_from(sorted(FAULTS)), SEEDS)
@settings(max_examples=150)
def test_a_meter_without_reactive_power_leaves_open_what_it_cannot_know(model: str, fault: str, seed: int) -> None:
    """P-295: nothing is named as something else."""
    if fault in WANT_SEQUENCE and not recall.tells_sequence(model):
        return
    assert judged(model, fault, seed).came_to in {"named", "narrowed", "cannot_tell"}


@pytest.mark.parametrize("model", ["sdm630", "dlt645_3p"])
def test_twelve_and_more_mistakes_are_each_named(model: str) -> None:
    """P-295, S-15: each in nine of ten draws, but for the one that a load with capacitors looks like."""
    rows = [row for row, _ in recall.campaign(model, 20, 7)]
    assert len(rows) >= 13 + 3
    for row in rows:
        least = 0.6 if row.fault == "all CTs one phase on" else 0.9
        assert row.named >= least * row.draws, row
        assert row.wrong == row.passed == 0 or row.fault == "well", row


@given(st.sampled_from(THREE_PHASE), SEEDS)
@settings(max_examples=200)
def test_a_meter_that_is_wired_well_is_never_called_wrong(model: str, seed: int) -> None:
    """P-296"""
    assert judged(model, "well", seed).verdict.state != "failed"


@given(st.sampled_from(THREE_PHASE), st.floats(0, 1), st.floats(-1, 1), SEEDS)
@settings(max_examples=200)
def test_nor_is_one_whatever_the_load_with_capacitors_and_all(
    model: str, share: float, factor: float, seed: int
) -> None:
    """P-296: any load from nothing to all, lagging and leading down to nothing."""
    moment = year.Moment(share * recall.RATED_W, factor or 1.0)
    (checked,) = year.check([moment], model, seed, recall.RATED_W)
    assert checked.verdict.state != "failed", checked
    if share < 0.06 and factor > 0.5:  # what the technician says is within a quarter
        assert [one.code for one in checked.verdict.mistakes] == ["load_low"]


def test_a_year_of_a_plants_days_has_no_false_alarm() -> None:
    """P-296: a short sample; `wattline hil miswired --load` plays a file."""
    draw = random.Random(3)
    moments = []
    for hour in range(0, 365 * 24, 29):
        working = 6 <= hour % 24 < 22 and hour // 24 % 7 < 6
        power_w = recall.RATED_W * (draw.uniform(0.2, 1) if working else draw.uniform(0.01, 0.04))
        moments.append(year.Moment(power_w, draw.uniform(0.6, 0.98) if working else -draw.uniform(0.2, 0.9)))
    states = year.states(list(year.check(moments, "sdm630", 3, recall.RATED_W)))
    assert states["failed"] == 0
    assert states["passed"] > len(moments) // 3
    assert states["passed"] + states["cannot_tell"] == len(moments)


def verdict_of(told: Told, model: str = "sdm630", *, rated_w: int = recall.RATED_W, factor: float = 0.85) -> list[str]:
    loads = shared(random.Random(1), 20_000, factor, uneven=0.05)
    moments = [recall.shown(model, year.WELL, loads, 1, at) for at in range(3)]
    point = recall.planned(model, rated_w)
    return [one.code for one in judge(point, facts(point, moments), told).mistakes]


def test_it_asks_for_load_and_says_what_it_was_not_told() -> None:
    assert verdict_of(Told(running=True, power_w=20_000)) == []
    assert verdict_of(Told(running=True), rated_w=300_000) == ["load_low"]
    assert verdict_of(Told(running=True)) == ["ratio_not_judged"]
    assert verdict_of(Told(running=True, power_w=13_000)) == ["ratio_doubtful"]
    assert verdict_of(Told(running=True, current_a=34.0, power_w=13_000)) == []  # a clamp meter counts more
    assert verdict_of(Told(running=True, current_a=22.0)) == ["ratio_wrong"]


def test_a_load_on_one_phase_is_no_missing_transformer() -> None:
    loads = drawn_loads(random.Random(5), recall.RATED_W)
    case = FAULTS["a CT missing"](random.Random(1))
    moments = [recall.shown("sdm630", case, loads, 1, at) for at in range(3)]
    point = recall.planned("sdm630")
    verdict = judge(point, facts(point, moments), Told(running=True, even=False))
    assert verdict.state == "cannot_tell"
    assert verdict.mistakes[0].code == "ct_missing"


def test_without_readings_nothing_is_judged() -> None:
    point = recall.planned("sdm630")
    assert judge(point, facts(point, []), Told(running=True)).mistakes[0].code == "no_readings"


@pytest.mark.parametrize("lost", ["uc_dv", "ic_ma", "ua_dv"])
def test_two_phases_are_not_judged_as_if_they_were_three(lost: str) -> None:
    """P-295: the third may be wired in any way."""
    loads = shared(random.Random(1), 20_000, 0.85, uneven=0.05)
    moments = [recall.shown("sdm630", year.WELL, loads, 1, at) for at in range(3)]
    moments = [replace(one, values=one.values | {lost: None}) for one in moments]
    point = recall.planned("sdm630")
    verdict = judge(point, facts(point, moments), Told(running=True, power_w=20_000))
    assert (verdict.state, verdict.mistakes[0].code) == ("cannot_tell", "no_readings")


def test_power_without_any_current_is_a_finding() -> None:
    loads = shared(random.Random(1), 20_000, 0.85, uneven=0.05)
    moments = [recall.shown("sdm630", year.WELL, loads, 1, at) for at in range(3)]
    moments = [replace(one, values=one.values | dict.fromkeys(("ia_ma", "ib_ma", "ic_ma"), 0)) for one in moments]
    point = recall.planned("sdm630")
    assert [one.code for one in judge(point, facts(point, moments), Told(running=True)).mistakes] == ["no_current"]


def test_every_mistake_has_words_in_both_languages_that_can_be_filled() -> None:
    mores: dict[str, tuple[float | str, ...]] = {
        "points_exchanged": ("1 press", "production", "2 fan", "treatment"),
        "one_of": ("ct_turned a + ct_exchanged bc", "all_turned abc"),
        "maybe_wrong": ("ct_rotated abc",),
    }
    for code, told in words.WORDS.items():
        mistake = Mistake(code, "ab", mores.get(code, (1.5, 40, 3)))
        found = words.finding(mistake, "1 press")
        assert found.code == code
        for text in (found.en, found.zh, found.advice_en, found.advice_zh):
            assert "{" not in text
        assert bool(found.advice_en) == bool(told.do_en) == bool(found.advice_zh)
    ways = words.finding(Mistake("one_of", "", mores["one_of"]), "1 press").en
    assert (
        "the CT of phase A is turned round and the CTs of B, C sit on each other's phases; or all CTs (A, B, C)" in ways
    )


def test_a_single_phase_point_is_judged_by_its_one_phase() -> None:
    """A single-phase meter on a single-phase feeder: right, turned round."""
    loads = drawn_loads(random.Random(2), recall.RATED_W)
    well = Case(year.WELL.wires, frozenset(), single=True)
    turned = FAULTS["all CTs turned round"](random.Random(1))._replace(single=True)
    point = replace(recall.planned("dlt645_1p", loads[0].power_w), phases=1)
    for case, codes in ((well, []), (turned, ["ct_turned"])):
        moments = [recall.shown("dlt645_1p", case, loads, 1, at) for at in range(3)]
        verdict = judge(point, facts(point, moments), Told(running=True, power_w=loads[0].power_w))
        assert [mistake.code for mistake in verdict.mistakes if mistake.state == "failed"] == codes
