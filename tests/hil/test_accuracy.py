"""Known registers through the whole chain: each quantity of the export against its declared limit."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import quantity
from typer.testing import CliRunner

from hil import cli
from hil.accuracy import check, points, run
from hil.accuracy import cli as accuracy_cli
from hil.accuracy.check import Exported, Meter
from hil.meter import read_profile
from hil.meter_stand import Phase, Stand, Step
from hil.oracle.evidence import Finding, Poll
from hil.scenario import profiles

START_MS = 1_772_380_800_000


def call(folder: Path, *args: str) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(cli.app, ["accuracy", "--json", "--out", str(folder / "run"), *args])
    return result.exit_code, json.loads(result.stdout)


def test_each_quantity_is_within_its_limit_over_the_range_with_sign_changes_and_unbalance(tmp_path: Path) -> None:
    """P-216: of a Modbus meter behind transformers; every meter: see below."""
    status, rows = call(tmp_path, "--profile", "dtsu666")
    assert [row for row in rows if not row["held"]] == []
    assert status == 0
    quantities = read_profile("dtsu666")["quantities"].keys()
    assert {row["quantity"] for row in rows} >= quantities - {"p_w", "q_var"} | {"p_mean_w", "p_min_w", "q_mean_var"}
    (power,) = [row for row in rows if row["quantity"] == "p_mean_w"]
    assert (power["low"], power["high"]) == (pytest.approx(-2_600_000, 1e-4), pytest.approx(2_600_000, 1e-4))


@pytest.mark.slow
def test_every_meter_is_within_its_limits(tmp_path: Path) -> None:
    """P-216: all profiles on one bus, Modbus and DL/T 645."""
    status, rows = call(tmp_path)
    assert [row for row in rows if not row["held"]] == []
    assert status == 0
    assert {row["profile"] for row in rows} == set(profiles())


def test_a_terminal_that_rounds_wrongly_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-217: it cuts off where it should round."""
    monkeypatch.setattr(quantity, "divide_half_away", lambda numerator, denominator: int(numerator / denominator))
    status, rows = call(tmp_path, "--profile", "dtsu666")
    assert status == 1
    assert any(not row["held"] for row in rows)


def test_each_limit_can_be_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-217: a value of the export that is off by somewhat more than its limit is seen, in each quantity."""
    given: list[tuple[Meter, Sequence[Poll], Sequence[Exported], int]] = []

    def noted(*args: Any) -> list[check.Row]:
        given.append(args)
        return check.rows(*args)

    monkeypatch.setattr(run, "rows", noted)
    measured = run.measure(["dtsu666"], "sim", tmp_path / "run", lambda _share, _text: None)
    assert measured.held
    (meter, polls, exported, every_ms) = given[0]
    for row in measured.rows:
        column, _, turning = row.quantity.partition(", ")
        at = len(exported) - 1 if turning else 1  # the last one looked at turns, the first does not
        value = int(exported[at].columns[column]) + int(2 * row.limit) + 2
        off = Exported(exported[at].start_ms, {**exported[at].columns, column: str(value)})
        found = check.rows(meter, polls, [*exported[:at], off, *exported[at + 1 :]], every_ms)
        assert [one.quantity for one in found if not one.held] == [row.quantity]
        absent = Exported(exported[at].start_ms, {**exported[at].columns, column: ""})
        found = check.rows(meter, polls, [*exported[:at], absent, *exported[at + 1 :]], every_ms)
        assert [one.quantity for one in found if not one.held] == [row.quantity]


def test_what_the_oracle_objects_to_fails_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-217: all is within its limits, and a window counts twice at the platform."""
    found = run.Measured([], [Finding(2, "forward_twice", "made up")])
    monkeypatch.setattr(accuracy_cli, "measure", lambda *_: found)
    result = CliRunner().invoke(cli.app, ["accuracy", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "forward_twice: made up" in result.output
    assert not found.held
    assert run.Measured([], []).held


def test_an_unknown_meter_is_refused_naming_those_there_are(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["accuracy", "--profile", "dtsu66"])
    assert result.exit_code == 2
    assert "dtsu666" in result.output


@given(st.integers(0, 3 * 3_600_000), st.integers(0, 3 * 3_600_000))
def test_the_stands_energy_is_its_power_times_time(a_ms: int, b_ms: int) -> None:
    steps = [
        Step("on", 3_600_000, (Phase(230_000, 5_000),) * 3),
        Step("back", 3_600_000, (Phase(230_000, 5_000, -1000),) * 3),
    ]
    stand = Stand(steps, START_MS, 1000)
    energies = [stand.quantities(START_MS + at_ms) for at_ms in sorted((a_ms, b_ms))]
    first, last = sorted((a_ms, b_ms))
    on_ms = min(last, 3_600_000) - min(first, 3_600_000)
    assert energies[1]["e_import_wh"] - energies[0]["e_import_wh"] == Fraction(3450 * on_ms, 3_600_000)
    back_ms = max(last, 3_600_000) - max(first, 3_600_000)
    assert energies[1]["e_export_wh"] - energies[0]["e_export_wh"] == Fraction(3450 * back_ms, 3_600_000)


@pytest.mark.parametrize("name", profiles())
def test_the_stand_stays_within_what_a_meter_shows(name: str) -> None:
    profile = read_profile(name)
    for step in points.steps(profile, 1):
        assert abs(step.p_nw) <= profile["power_max_w"] * 10**9
