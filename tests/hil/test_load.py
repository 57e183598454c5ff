"""Loads and the user's interval data: exact, repeatable, and nothing silently bent."""

from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil import load
from hil.load_file import Intervals, LoadFileError, read_intervals
from hil.meter import Meter, read_profile
from hil.meter_feeder import Feeder

DAY_MS = 86_400_000
MIDNIGHT_MS = 1772380800_000  # 2026-03-02T00:00:00+08:00
SHIFTS = {"kind": "shifts", "rated_w": 100_000, "shifts": 2, "utc_offset_s": 28_800, "seed": 3}
OFF = [[MIDNIGHT_MS + 14 * 3_600_000, MIDNIGHT_MS + 15 * 3_600_000]]
TREATMENT = {"kind": "treatment", "rated_w": 20_000, "follows": SHIFTS, "off": OFF, "seed": 4}


def file(folder: Path, rows: list[str], head: str = "time,kWh") -> Path:
    path = folder / "data.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


def refused(folder: Path, rows: list[str], head: str = "time,kWh", column: str = "kWh") -> list[str]:
    with pytest.raises(LoadFileError) as error:
        read_intervals(file(folder, rows, head), "time", column)
    return error.value.findings


@given(st.integers(0, DAY_MS), st.integers(0, 10**6))
def test_a_meter_in_anothers_place_counts_on_from_what_it_had_counted_itself(at_ms: int, energy_wh: int) -> None:
    feeder = Feeder(load.from_config({"kind": "constant", "rated_w": 3600}), MIDNIGHT_MS, 10**9)
    assert feeder.quantities(MIDNIGHT_MS + at_ms)["e_import_wh"] == 10**9 + Fraction(at_ms, 1000)
    feeder.begin_again(energy_wh, MIDNIGHT_MS + at_ms)
    assert feeder.quantities(MIDNIGHT_MS + at_ms)["e_import_wh"] == energy_wh
    assert feeder.quantities(MIDNIGHT_MS + at_ms + 5000)["e_import_wh"] == energy_wh + 5


@given(st.integers(0, 2 * DAY_MS))
def test_exchanged_transformers_show_the_other_load_in_their_spans_alone(offset_ms: int) -> None:
    own, other = load.from_config(SHIFTS), load.from_config(TREATMENT)
    swapped = load.from_config({"kind": "swapped", "load": SHIFTS, "other": TREATMENT, "spans": OFF})
    at_ms = MIDNIGHT_MS + offset_ms
    (from_ms, to_ms) = OFF[0]
    seen = other if from_ms <= at_ms < to_ms else own
    power_mw, until_ms = swapped.at(at_ms)
    assert power_mw == seen.at(at_ms)[0]
    assert at_ms < until_ms <= seen.at(at_ms)[1]
    assert not at_ms < from_ms < until_ms
    assert not at_ms < to_ms < until_ms


@given(st.integers(0, 2 * DAY_MS))
def test_a_load_is_constant_over_its_span_and_the_same_for_all_who_ask(offset_ms: int) -> None:
    for config in (SHIFTS, TREATMENT, {"kind": "constant", "rated_w": 7}):
        one, other = load.from_config(config), load.from_config(config)
        power_mw, until_ms = one.at(MIDNIGHT_MS + offset_ms)
        assert until_ms > MIDNIGHT_MS + offset_ms
        assert other.at(until_ms - 1)[0] == power_mw >= 0


def test_a_two_shift_day_works_by_day_and_stands_by_at_night() -> None:
    line = load.from_config(SHIFTS)
    at = [line.at(MIDNIGHT_MS + minute * 60_000)[0] // 1000 for minute in range(24 * 60)]
    assert max(at[: 6 * 60]) < 5_000
    assert max(at[22 * 60 :]) < 5_000
    assert sum(power > 40_000 for power in at[6 * 60 : 22 * 60]) > 13 * 60
    assert max(at) <= 100_000


def test_treatment_follows_production_except_in_the_hour_it_is_off() -> None:
    line, cleaner = load.from_config(SHIFTS), load.from_config(TREATMENT)
    idle = [cleaner.at(MIDNIGHT_MS + 14 * 3_600_000 + minute * 60_000)[0] for minute in range(60)]
    assert idle == [0] * 60
    assert line.at(MIDNIGHT_MS + 14 * 3_600_000 + 40 * 60_000)[0] > 40_000_000
    start_ms = MIDNIGHT_MS + 6 * 3_600_000
    assert cleaner.at(start_ms + 3 * 60_000)[0] < 1_000_000
    assert cleaner.at(start_ms + 10 * 60_000)[0] > 10_000_000
    stop_ms = MIDNIGHT_MS + 22 * 3_600_000
    assert cleaner.at(stop_ms + 10 * 60_000)[0] > 10_000_000
    assert cleaner.at(stop_ms + 20 * 60_000)[0] < 1_000_000


def test_interval_data_gives_back_its_energy_through_a_meter() -> None:
    """The register after a day is the sum of the day's intervals: to a Wh of float32's own step."""
    energies = [Fraction(n % 7 * 1230 + 17) for n in range(96)]
    played = load.Recorded(Intervals(datetime(2018, 1, 1), 900, energies, []), MIDNIGHT_MS)  # noqa: DTZ001
    meter = Meter(read_profile("sdm630"), played, MIDNIGHT_MS, 0)
    served = meter.read(4, 0x48, 2, MIDNIGHT_MS + DAY_MS)
    assert abs(served.values["e_import_wh"] - sum(energies, Fraction(0))) <= 1
    assert played.at(MIDNIGHT_MS - 1)[0] == played.at(MIDNIGHT_MS)[0]
    assert played.rated_w == max(round(wh * 4) for wh in energies)


def test_an_unknown_or_incomplete_load_is_refused() -> None:
    for wrong in ({"kind": "sine"}, {}, {"kind": "shifts", "rated_w": 1}, SHIFTS | {"shifts": 4}):
        with pytest.raises(ValueError, match=r"kind|missing|shifts"):
            load.from_config(wrong)


def test_end_of_day_rows_stamped_with_the_wrong_day_are_repaired_and_reported(tmp_path: Path) -> None:
    rows = [f"{day:02}/01/2018 {(m // 60) % 24:02}:{m % 60:02},1" for day in (13, 14) for m in range(15, 1441, 15)]
    found = read_intervals(file(tmp_path, rows), "time", "kWh")
    assert found.start == datetime(2018, 1, 13)  # noqa: DTZ001
    assert (found.interval_s, len(found.energies_wh)) == (900, 192)
    assert any("day-first" in note for note in found.notes)
    assert any("2 rows, the first in line 97" in note for note in found.notes)
    assert any("end of an interval" in note for note in found.notes)


def test_iso_dates_that_mark_the_start(tmp_path: Path) -> None:
    rows = [f"2024-03-01T{hour:02}:00:00,{hour}.25" for hour in range(24)]
    found = read_intervals(file(tmp_path, rows), "time", "kWh")
    assert (found.start, found.interval_s) == (datetime(2024, 3, 1), 3600)  # noqa: DTZ001
    assert found.energies_wh[2] == 2250
    assert any("start" in note for note in found.notes)


def test_month_first_is_seen_and_an_unclear_order_is_asked_for(tmp_path: Path) -> None:
    rows = [f"01/{day}/2018 00:00,1" for day in (12, 13, 14)]
    assert read_intervals(file(tmp_path, rows), "time", "kWh").start == datetime(2018, 1, 12)  # noqa: DTZ001
    unclear = ["01/02/2018 00:00,1", "01/02/2018 00:15,1", "01/02/2018 00:30,1"]
    assert "order unknown" in refused(tmp_path, unclear)[0]
    told = read_intervals(file(tmp_path, unclear), "time", "kWh", "day-first")
    assert told.start.month == 2
    mixed = ["13/01/2018 00:00,1", "01/13/2018 00:15,1"]
    assert "order unknown" in refused(tmp_path, mixed)[0]


@pytest.mark.parametrize(
    ("rows", "line", "word"),
    [
        (["2024-01-01 00:00,1", "2024-01-01 00:15,1", "2024-01-01 00:15,1", "2024-01-01 00:30,1"], 4, "repeats"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15,1", "2024-01-01 00:45,1", "2024-01-01 01:00,1"], 4, "a gap"),
        (["2024-01-01 05:00,1", "2024-01-01 05:15,1", "2024-01-01 04:45,1", "2024-01-01 05:00,1"], 4, "goes back"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15,1.2.3"], 3, "no energy"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15,-1"], 3, "no energy"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15,NaN"], 3, "no energy"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15"], 3, "no energy"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15,1e999999999"], 3, "no energy"),
        (["2024-01-01 00:00,1", "2024-01-01 00:15,1,5"], 3, "more values than columns"),
        (["2024-01-01 00:00,1", "2024-02-30 00:15,1"], 3, "no year-first time"),
        (["2024-01-01 00:00,1", "noon,1"], 3, "no year-first time"),
    ],
)
def test_what_cannot_be_right_is_an_error_with_its_line(tmp_path: Path, rows: list[str], line: int, word: str) -> None:
    """P-215: gaps, repeated and backward stamps, and what is no number or no time."""
    findings = refused(tmp_path, rows)
    assert any(finding.startswith(f"line {line}: ") and word in finding for finding in findings)


def test_files_that_are_no_interval_data(tmp_path: Path) -> None:
    assert "no column" in refused(tmp_path, ["2024-01-01 00:00,1"], column="Usage")[0]
    (tmp_path / "data.csv").write_text("time,kWh,kWh\n2024-01-01 00:00,1,2\n", encoding="utf-8")
    with pytest.raises(LoadFileError, match="twice"):
        read_intervals(tmp_path / "data.csv", "time", "kWh")
    assert "fewer than two" in refused(tmp_path, ["2024-01-01 00:00,1"])[0]
    (tmp_path / "data.csv").write_bytes(b"\xff\xfe\x00time")
    with pytest.raises(LoadFileError, match="no CSV"):
        read_intervals(tmp_path / "data.csv", "time", "kWh")
    with pytest.raises(LoadFileError, match="cannot be read"):
        read_intervals(tmp_path / "nosuch.csv", "time", "kWh")


@settings(max_examples=30)
@given(st.data())
def test_a_file_with_a_row_missing_repeated_or_moved_is_never_played(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """P-215: whatever row it is, the line after it, or its own, is named."""
    rows = [f"2024-01-01 {minute // 60:02}:{minute % 60:02},1" for minute in range(0, 600, 15)]
    at = data.draw(st.integers(2, len(rows) - 3))
    harm = data.draw(st.sampled_from(("missing", "repeated", "moved")))
    if harm == "missing":
        del rows[at]
    elif harm == "repeated":
        rows.insert(at, rows[at])
    else:
        rows[at], rows[at + 1] = rows[at + 1], rows[at]
    findings = refused(tmp_path_factory.getbasetemp(), rows)
    named = {"missing": (at + 2, "a gap"), "repeated": (at + 3, "repeats"), "moved": (at + 3, "goes back")}[harm]
    assert any(one.startswith(f"line {named[0]}: ") and named[1] in one for one in findings)


def test_a_file_wrong_in_every_line_is_reported_in_short(tmp_path: Path) -> None:
    findings = refused(tmp_path, ["2024-01-01 00:00,x"] * 5000)
    assert len(findings) == 21
    assert "4980 more" in findings[-1]
