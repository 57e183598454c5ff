"""What a live meter on its own feeder does not show is told, and what it shows is not."""

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.export.columns import NAMES, Row
from gateway.watch.finding import Finding
from gateway.watch.honesty import (
    ALIKE,
    FACTOR_LOW,
    FROZEN,
    HOUR_WINDOWS,
    PHASE_LOST,
    REPLAYED,
    REVERSED,
    alike,
    frozen,
    replayed,
    shown_of,
    transformers,
)
from gateway.watch.rules import Rules
from gateway.watch.slots import SLOT_S
from hil.load import Shifts
from hil.meter_feeder import Feeder, Wiring, WiringFault

BEGIN_S = 1_772_323_200
RULES = Rules()
RATED_W = 200_000
DAY = 96
REGISTERS = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")


def played(seed: int, windows: int, faults: list[WiringFault] | None = None, shifts: int = 3) -> list[Row]:
    """Rows of a feeder's windows, a list of one's own."""
    return list(_played(seed, windows, tuple(faults or ()), shifts))


@lru_cache
def _played(seed: int, windows: int, faults: tuple[WiringFault, ...], shifts: int) -> list[Row]:
    feeder = Feeder(Shifts(RATED_W, shifts, 8 * 3600, seed), BEGIN_S * 1000, 1_000_000, faults)
    shown = [feeder.quantities((BEGIN_S + SLOT_S * number) * 1000) for number in range(windows + 1)]
    return [row_of(number, before, now) for number, (before, now) in enumerate(pairwise(shown))]


def row_of(number: int, before: dict[str, Fraction], now: dict[str, Fraction]) -> Row:
    values = {name: int(value) for name, value in now.items() if name in NAMES}
    net_wh = sum(sign * (now[name] - before[name]) for name, sign in (("e_import_wh", 1), ("e_export_wh", -1)))
    mean = abs(4 * net_wh / now["p_w"]) if now["p_w"] else 1  # currents are means of a window, as the power is
    values |= {name: int(now[name] * mean) for name in ("ia_ma", "ib_ma", "ic_ma")}
    row: dict[str, object] = dict.fromkeys(NAMES)
    row |= {"start_unix_s": BEGIN_S + SLOT_S * number, "length_s": SLOT_S, "p_mean_w": int(4 * net_wh)}
    return tuple((row | values)[name] for name in NAMES)


def changed(row: Row, **values: int | None) -> Row:
    return tuple(values.get(name, value) for name, value in zip(NAMES, row, strict=True))


def all_of(rows: list[Row]) -> list[Finding]:
    shown = shown_of(rows)
    return [*frozen(shown, RULES.frozen), *replayed(shown, 0), *transformers(shown, RATED_W, RULES.transformer)]


def at_s(window: int) -> int:
    return BEGIN_S + SLOT_S * window


@pytest.mark.parametrize("count", range(3))
def test_a_meter_that_showed_hardly_anything_has_no_finding(count: int) -> None:
    """P-246: a rule that throws is off, for all meters."""
    silent = [changed(row, p_mean_w=None) for row in played(1, 3)[count:]]
    assert all_of([*played(1, 3)[:count], *silent]) == []


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**30), st.sampled_from([2, 3]))
def test_an_honest_week_and_a_half_has_no_finding(seed: int, shifts: int) -> None:
    """P-246: standby, breaks and batches that repeat themselves included."""
    assert all_of(played(seed, 10 * DAY, shifts=shifts)) == []


@pytest.mark.parametrize(
    ("what", "phase", "kind"),
    [
        *(("ct_off", phase, PHASE_LOST) for phase in "abc"),
        *(("ct_reversed", phase, REVERSED) for phase in ("a", "b", "c", None)),
    ],
)
def test_wrong_transformers_are_told_in_the_second_window(what: Wiring, phase: str | None, kind: str) -> None:
    """S-15: within two windows at a tenth of rated power."""
    fault = WiringFault(what, phase, at_s(40) * 1000 + 1, at_s(50) * 1000 + 1)
    shown = shown_of(played(7, DAY, [fault]))
    assert [one for one in transformers(shown[:41], RATED_W, RULES.transformer) if one.kind == kind] == []
    (first,) = [one for one in transformers(shown[:42], RATED_W, RULES.transformer) if one.kind == kind]
    (whole,) = [one for one in transformers(shown, RATED_W, RULES.transformer) if one.kind == kind]
    assert first == Finding(kind, at_s(40), at_s(42))
    assert (whole.from_s, whole.to_s in {at_s(50), at_s(51)}) == (at_s(40), True)


def test_a_phase_on_another_ones_conductor_shows_in_the_factor() -> None:
    """S-15: phases exchanged; below a tenth of rated power nothing is said."""
    rows = played(7, DAY)
    shown = shown_of([changed(row, pf_milli=400) for row in rows])
    assert {one.kind for one in transformers(shown, RATED_W, RULES.transformer)} == {FACTOR_LOW}
    assert list(transformers(shown, 100 * RATED_W, RULES.transformer)) == []


def test_without_rated_power_only_what_flows_backwards_is_told() -> None:
    """P-364: nobody knows what is load there; a transformer turned round is seen all the same."""
    fault = WiringFault("ct_reversed", None, at_s(40) * 1000 + 1, at_s(50) * 1000 + 1)
    shown = shown_of([changed(row, pf_milli=400, ia_ma=0) for row in played(7, DAY, [fault])])
    (one,) = transformers(shown, None, RULES.transformer)
    assert (one.kind, one.from_s) == (REVERSED, at_s(40))
    assert {each.kind for each in transformers(shown, RATED_W, RULES.transformer)} == {REVERSED, PHASE_LOST, FACTOR_LOW}
    small = [each._replace(power_w=-(RULES.transformer.unrated_w - 1)) for each in shown]
    assert list(transformers(small, None, RULES.transformer)) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12))
def test_a_frozen_meter_is_told_at_four_equal_windows(first: int, length: int) -> None:
    """S-13: registers that rise by the same are as frozen as registers that stand."""
    rows = played(11, DAY)
    end = dict(zip(NAMES, rows[first], strict=True))
    rise_wh = end["e_import_wh"] - dict(zip(NAMES, rows[first - 1], strict=True))["e_import_wh"]
    rise_varh = end["r_import_varh"] - dict(zip(NAMES, rows[first - 1], strict=True))["r_import_varh"]
    for number in range(first + 1, first + length):
        start_s, steps = at_s(number), number - first
        rows[number] = changed(
            rows[first],
            start_unix_s=start_s,
            e_import_wh=end["e_import_wh"] + steps * rise_wh,
            r_import_varh=end["r_import_varh"] + steps * rise_varh,
        )
    expected = [(at_s(first), at_s(first + length))] if length >= HOUR_WINDOWS else []
    assert [(one.from_s, one.to_s) for one in frozen(shown_of(rows), RULES.frozen)] == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2 * DAY - 20), st.integers(2 * DAY, 3 * DAY - 20), st.integers(1, 16))
def test_a_replayed_hour_is_told_with_when_it_was_shown_first(source: int, at: int, length: int) -> None:
    """S-12: with registers made to go on."""
    rows = played(13, 3 * DAY)
    registers = {name: NAMES.index(name) for name in REGISTERS}
    rises = [{name: now[i] - before[i] for name, i in registers.items()} for before, now in pairwise(rows)]
    for number in range(at, at + length):
        same = rows[source + number - at]
        rise = rises[source + number - at - 1]
        went = {name: rows[number - 1][i] + rise[name] for name, i in registers.items()}
        rows[number] = changed(same, start_unix_s=at_s(number), **went)
    expected = (
        [Finding(REPLAYED, at_s(at), at_s(at + length), {"shown_first_unix_s": at_s(source)})]
        if length >= HOUR_WINDOWS
        else []
    )
    assert list(replayed(shown_of(rows), 0)) == expected
    assert list(replayed(shown_of(rows), at_s(at + length))) == []


def test_two_points_that_show_the_same_for_an_hour_are_told() -> None:
    """S-14: of one meter, or of one table; a gap in one of them is no equality."""
    rows, other = played(17, DAY), played(18, DAY)
    assert list(alike(shown_of(rows), shown_of(other), RULES.alike)) == []
    doubled = [*other[:30], *rows[30:50], *other[50:]]
    (one,) = alike(shown_of(rows), shown_of(doubled), RULES.alike)
    assert (one.kind, one.from_s, one.to_s) == (ALIKE, at_s(31), at_s(50))
    assert list(alike(shown_of(rows), shown_of(rows[::3]), RULES.alike)) == []


def test_a_feeder_without_load_and_voltages_is_no_frozen_meter() -> None:
    """S-13: a plant that is shut shows nothing for days."""
    nothing = dict.fromkeys(("ua_dv", "ub_dv", "uc_dv", "ia_ma", "ib_ma", "ic_ma", "pf_milli"))
    still = {"p_mean_w": 0, "q_mean_var": 0, "e_import_wh": 5, "r_import_varh": 5}
    rows = [changed(row, **nothing, **still) for row in played(19, DAY)]
    assert all_of(rows) == []
    assert [one.kind for one in all_of([changed(row, ua_dv=2300) for row in rows])] == [FROZEN]
