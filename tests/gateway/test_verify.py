"""What a record's numbers say, check by check; the compiled checks against a model in Python."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext.verify import MARK, NAMES, REFUSE, SEVERITIES, Points
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.registry import Meter, Point
from gateway.verify import CHECKS
from protocol import record
from tests.gateway import verify_model
from tests.gateway.support import NOW_S, POINT, Sender, accept, batch_of, commit, event, reading, window

CONFIG = VerifyConfig()
DAY_S = 86400
STOPPED = reading(run_s=0)
STEADY = {"p_mean_w": 6000, "p_min_w": 5800, "p_max_w": 6200, "pf_milli": 900}
PHASES = {"ua_dv": 2200, "ub_dv": 2210, "uc_dv": 2190, "ia_ma": 10_100, "ib_ma": 10_100, "ic_ma": 10_100}


def found(raw: bytes, points: dict[int, Point] | None = None) -> list[tuple[str, int | None]]:
    batch = batch_of([accept(Sender(), Sender().frame([raw]), points)])
    return [(check, point) for _, check, point in batch.findings]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (window(1), []),
        (event(1), []),
        (window(1, NOW_S), [("time_in_future", None)]),
        (window(1, NOW_S + DAY_S), [("time_far_in_future", None)]),
        (event(1, NOW_S + 2 * DAY_S), [("time_far_in_future", None)]),
        (window(1, 1_577_836_800 - 1800), [("time_before_2020", None)]),
        (event(1, 0), [("time_before_2020", None)]),
        (window(1, NOW_S - 899), [("window_not_aligned", None)]),
        (window(1, NOW_S - 700, [STOPPED], length_s=700), []),
        (window(1, NOW_S - 700, [STOPPED], length_s=600), [("window_not_aligned", None)]),
        (window(1, None), []),
        (window(1, clock_error_s=65535), [("clock_uncertain", None)]),
        (window(1, readings=[reading(), reading()]), [("point_unknown", 2)]),
        (window(1, readings=[]), [("point_missing", 1)]),
        (window(1, readings=[record.NONE_SILENT]), []),
        (window(1, readings=[reading(flags=record.FLAG_ENERGY_STEP)]), [("energy_step", 1)]),
        (window(1, readings=[reading(flags=record.FLAG_FEW_SAMPLES, missed=90)]), [("few_samples", 1)]),
        (window(1, readings=[reading(missed=46)]), [("few_samples", 1)]),
        (window(1, readings=[reading(missed=180)]), [("samples_none", 1)]),
        (window(1, readings=[reading(flags=0x80)]), [("flag_unknown", 1)]),
        (window(1, readings=[reading(**STEADY, **PHASES)]), []),
        (window(1, readings=[reading(**STEADY, **{**PHASES, "ia_ma": 0})]), [("phases_not_total", 1)]),
        (window(1, readings=[reading(**STEADY, **{**PHASES, "ic_ma": -10_100})]), []),
        (window(1, readings=[reading(**{**STEADY, "p_min_w": 100}, **{**PHASES, "ia_ma": 0})]), []),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str([check for check, _ in value]),
)
def test_each_check_finds_what_it_names(raw: bytes, expected: list[tuple[str, int | None]]) -> None:
    assert found(raw) == expected
    assert all(check in CHECKS for check, _ in expected)


def test_every_check_has_a_name_a_severity_and_a_sentence() -> None:
    assert list(CHECKS) == list(NAMES[1:]) == list(SEVERITIES)
    refusing = {name for name, severity in SEVERITIES.items() if severity == REFUSE}
    assert refusing == {"time_before_2020", "time_far_in_future"}  # only what cannot be true
    assert SEVERITIES["energy_fell"] == SEVERITIES["energy_jumped"] == SEVERITIES["energy_not_power"] == MARK


METERED = Point(number=1, name="furnace", kind="production", meter=Meter(serial=7001, ct_milli=80_000, pt_milli=1000))


@pytest.mark.parametrize(
    ("code", "values", "point", "is_marked"),
    [
        (record.METER_SWAPPED, [7001, 7002], 1, True),
        (record.METER_SWAPPED, [7002, 7001], 1, False),  # back to the one that was commissioned
        (record.METER_SWAPPED, [7001], 1, False),  # of a later text: nothing to compare
        (record.RATIO_CHANGED, [80_000, 8000, 1000, 1000], 1, True),
        (record.RATIO_CHANGED, [80_000, 80_000, 1000, 2000], 1, True),
        (record.RATIO_CHANGED, [8000, 80_000, 0, 0], 1, False),
        (record.RATIO_CHANGED, [80_000, 8000, 1000, 1000], 2, False),  # no meter of this point was commissioned
        (record.METER_BACK, [7001, 7002], 1, False),
        (record.METER_LEARNT, [7001, 80_000, 1000], 1, False),
        (record.METER_LEARNT, [7002, 80_000, 1000], 1, True),
        (record.METER_LEARNT, [7001, 8000, 1000], 1, True),
        (record.METER_LEARNT, [0, 0, 2000], 1, True),
        (record.METER_LEARNT, [7001, 0, 0], 1, False),  # what it does not tell is not another one
        (record.METER_LEARNT, [7002, 80_000], 1, False),
    ],
)
def test_a_meter_that_was_not_commissioned_is_a_mark(
    code: int, values: list[int], point: int, *, is_marked: bool
) -> None:
    """S-29: a meter that was swapped, or whose ratio was set anew, unless to what the report says; P-340: or that
    a terminal learnt after its flash was erased.
    """
    other = Point(number=2, name="fan", kind="treatment")
    marks = found(event(1, code=code, point=point, values=values), {1: METERED, 2: other})
    assert marks == ([("meter_not_commissioned", point)] if is_marked else [])
    assert SEVERITIES["meter_not_commissioned"] == MARK


# --- against the model --------------------------------------------------------------------------------------------

powers = st.integers(-12_000, 12_000)
energies = st.none() | st.integers(10**6, 10**6 + 4000) | st.integers(0, 2**53 - 1)
currents = st.none() | st.integers(-20_000, 20_000)
points_st = st.dictionaries(
    st.integers(1, 4),
    st.tuples(st.none() | st.integers(1, 20_000) | st.just(2**31 - 1), st.integers(1, 500)),
    max_size=3,
)


@st.composite
def readings_st(draw: st.DrawFn, length_s: int, due: int) -> record.Reading:
    mean = draw(st.none() | powers)
    low, high = draw(st.integers(0, 3000)), draw(st.integers(0, 3000))
    phases = draw(st.sampled_from(["none", "true", "any"]))
    pf = draw(st.integers(-1000, 1000))
    voltages: list[int | None] = [None] * 3
    flows: list[int | None] = [None] * 3
    if phases != "none":
        voltages = [draw(st.integers(2100, 2300)) for _ in range(3)]
        flows = [draw(currents) for _ in range(3)]
    if phases == "true" and mean is not None and pf:
        flows = [abs(mean) * 10_000_000 // (3 * (voltage or 1) * abs(pf)) for voltage in voltages]
    first_s = draw(st.integers(0, length_s))
    values: list[Any] = [
        first_s, draw(st.integers(0, length_s - first_s)), draw(st.integers(0, length_s)),
        mean, None if mean is None else mean - low, None if mean is None else mean + high,
        draw(energies), draw(energies), None, None, *voltages, *flows, pf if phases != "none" else None,
        draw(st.integers(0, 5)), draw(st.integers(0, due)), None,
    ]  # fmt: skip
    return record.Reading(*values)


@st.composite
def windows_st(draw: st.DrawFn, end_s: int = NOW_S) -> record.Window:
    length_s = draw(st.just(900) | st.integers(1, 900))
    due = draw(st.integers(1, 180))
    slots = draw(st.lists(st.none() | st.integers(1, 5) | readings_st(length_s, due), max_size=4))
    start_s = draw(
        st.none() | st.just(end_s - length_s) | st.integers(NOW_S - 2000, NOW_S + 2000) | st.integers(0, 2**32 - 1)
    )
    error_s = draw(st.sampled_from([0, 5, 65535]))
    uptime_s = draw(st.integers(900, 4000))
    return record.Window(start_s, length_s, draw(st.integers(1, 2)), uptime_s, 1, error_s, due, slots)


def points_of(drawn: dict[int, tuple[int | None, int]]) -> dict[int, Point]:
    return {
        number: Point(number=number, name="p", kind="other", rated_power_w=rated, register_step_wh=step)
        for number, (rated, step) in drawn.items()
    }


@settings(max_examples=400)
@given(st.lists(windows_st(), min_size=1, max_size=5), points_st)
def test_records_alone_are_judged_as_the_model_judges_them(
    bodies: list[record.Window], drawn: dict[int, tuple[int | None, int]]
) -> None:
    sender, points = Sender(), points_of(drawn)
    raws = [record.encode_window(seq, body) for seq, body in enumerate(bodies)]
    findings = batch_of([accept(sender, sender.frame(raws), points)]).findings
    expected = [
        (row, check, point)
        for row, body in enumerate(bodies)
        for check, point in verify_model.check_record(body, points, NOW_S, CONFIG)
    ]
    assert sorted(findings, key=repr) == sorted(expected, key=repr)
    refused = {row for row, check, _ in expected if SEVERITIES[check] == REFUSE}
    assert set(findings.refused()) == refused


def steps_by_model(bodies: list[record.Window], points: dict[int, Point]) -> set[tuple[int, str, int]]:
    """(seq, check, point) of all steps of a log."""
    last: dict[int, verify_model.Registers] = {}
    expected = set()
    for seq, body in enumerate(bodies):
        if any(SEVERITIES[check] == REFUSE for check, _ in verify_model.check_record(body, points, NOW_S, CONFIG)):
            continue
        for number, slot in enumerate(body.readings, start=1):
            now = verify_model.registers_of(body, slot) if isinstance(slot, record.Reading) else None
            if now is None:
                continue
            if number in points and number in last:
                check = verify_model.check_step(last[number], now, points[number], CONFIG)
                if check:
                    expected.add((seq, check, number))
            last[number] = now
    return expected


@settings(max_examples=150)
@given(st.lists(windows_st(), min_size=1, max_size=8), points_st, st.randoms())
def test_steps_are_judged_as_the_model_judges_them_whatever_the_order(
    bodies: list[record.Window], drawn: dict[int, tuple[int | None, int]], chance: random.Random
) -> None:
    """S-17: and invariant 5."""
    sender, points = Sender(), points_of(drawn)
    raws = [record.encode_window(seq, body) for seq, body in enumerate(bodies)]
    chance.shuffle(raws)
    at = chance.randint(0, len(raws))
    with TemporaryJournal() as (journal, folder):
        for some in (raws[:at], raws[at:]):
            commit(journal, [accept(sender, sender.frame([raw]), points) for raw in some])
        stored = Reader(folder).records_after(0, 100)
    steps = {"energy_fell", "energy_jumped", "energy_not_power"}
    marked = {(one.seq, check, point) for one in stored for check, point in one.marks if check in steps}
    assert marked == steps_by_model(bodies, points)


class TemporaryJournal:
    """A journal for one example."""

    def __enter__(self) -> tuple[Journal, Path]:
        self._folder = tempfile.TemporaryDirectory()
        self._journal = Journal(Path(self._folder.name), CONFIG)
        return self._journal, Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        self._journal.close()
        self._folder.cleanup()


def test_a_thousand_forged_steps_are_never_passed_on_as_normal(tmp_path: Path) -> None:
    """S-17: registers that fall, or rise by more than rated power explains, in any order of arrival."""
    chance, sender, journal = random.Random(17), Sender(), Journal(tmp_path, CONFIG)
    records, forged, energy_wh = [], set(), 10**9
    begin_s = NOW_S - 900 * 4000
    for seq in range(1, 3001):
        if seq % 3 == 0:
            forged.add(seq)
            energy_wh += chance.choice(
                [-chance.randint(1, 10**6), 10_000 * 900 // 3600 * 2 + chance.randint(200, 10**6)]
            )
        else:
            energy_wh += 1000
        one = reading(e_import_wh=energy_wh, p_mean_w=4000)
        records.append(window(seq, begin_s + 900 * seq, [one], end_uptime_s=900 * seq))
    chance.shuffle(records)
    for at in range(0, len(records), 100):
        frames = [sender.frame(records[begin : begin + 5]) for begin in range(at, at + 100, 5)]
        commit(journal, [accept(sender, frame, {1: POINT}) for frame in frames])
    marked = {one.seq for one in Reader(tmp_path).records_after(0, 3001) if one.marks}
    assert len(forged) == 1000
    assert forged <= marked
    assert marked == forged  # none of the others


def test_over_a_restart_the_time_of_day_counts_and_without_it_nothing_is_claimed() -> None:
    first = window(1, NOW_S - 1800, [reading(e_import_wh=0)])
    later: dict[str, Any] = {"boot": 2, "end_uptime_s": 60}
    assert steps_of([first, window(2, NOW_S - 900 + 3600, [reading(e_import_wh=9000)], **later)], NOW_S + 3600) == {}
    assert steps_of([first, window(2, NOW_S - 900, [reading(e_import_wh=9000)], **later)]) == {2: ["energy_jumped"]}
    assert steps_of([first, window(2, None, [reading(e_import_wh=9000)], **later)]) == {}


def test_without_a_rated_power_only_a_fall_is_found_over_a_gap() -> None:
    point = Point(number=1, name="p", kind="other")
    far = window(9, NOW_S - 900, [reading(e_import_wh=10**9)], end_uptime_s=9000)
    assert steps_of([window(1, NOW_S - 9000, [reading()]), far], point=point) == {}


def test_energy_and_mean_power_are_held_together_only_where_no_window_is_missing() -> None:
    half = reading(e_import_wh=1_000_000 + 500)  # 4 kW are 1000 Wh a window
    assert steps_of([window(1), window(2, NOW_S - 900, [half])]) == {2: ["energy_not_power"]}
    assert steps_of([window(1), window(2, NOW_S - 900, [half._replace(missed=60)])]) == {}
    assert steps_of([window(1), window(3, NOW_S - 900, [half])]) == {}


def steps_of(raws: list[bytes], now_s: int = NOW_S, point: Point = POINT) -> dict[int, list[str]]:
    sender = Sender()
    with TemporaryJournal() as (journal, folder):
        commit(journal, [accept(sender, sender.frame(raws), {1: point}, now_s)])
        stored = Reader(folder).records_after(0, 10)
    steps = ("energy_fell", "energy_jumped", "energy_not_power")
    marked = {one.seq: [check for check, _ in one.marks if check in steps] for one in stored}
    return {seq: checks for seq, checks in marked.items() if checks}


def test_a_points_number_is_one_of_the_wire_formats() -> None:
    for number in (0, 33):
        with pytest.raises(ValueError, match="1 to 32"):
            Points("T0001", {number: (None, 1)})
