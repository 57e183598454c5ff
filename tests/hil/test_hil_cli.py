"""`wattline hil`: what a user is told before anything is started. (What a run does: tests/e2e.)"""

import shlex
import signal
import socket
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hil import cli, runner, scenario
from hil.board import first
from hil.fleet.plan import provinces
from hil.process import BenchError, Process


def call(*args: str) -> Result:
    return CliRunner().invoke(cli.app, list(args))


@pytest.fixture
def no_bench(monkeypatch: pytest.MonkeyPatch) -> list[scenario.Scenario]:
    """A bench that only notes what it was asked to play."""
    asked: list[scenario.Scenario] = []

    def refuse(chosen: scenario.Scenario, _out: Path, _watch: runner.Watch) -> runner.Outcome:
        asked.append(chosen)
        raise BenchError("not today")

    monkeypatch.setattr(runner, "run", refuse)
    return asked


def csv_of(folder: Path, days: int) -> Path:
    rows = [
        f"2026-01-{day:02d} {minute // 60:02d}:{minute % 60:02d},{day}"
        for day in range(1, days + 1)
        for minute in range(0, 1440, 15)
    ]
    file = folder / "plant.csv"
    file.write_text("time,kWh\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def test_all_scenarios_are_listed() -> None:
    result = call("list")
    assert result.exit_code == 0
    for name in (*scenario.names(), *provinces()):
        assert name in result.output


def test_an_unknown_scenario_is_refused_with_a_suggestion() -> None:
    result = call("run", "terminal_kil")
    assert result.exit_code == 2
    assert "terminal_kill" in result.output


def test_a_bench_that_cannot_run_is_no_verdict(no_bench: list[scenario.Scenario]) -> None:
    result = call("run", "day", "--days", "2", "--factor", "900", "--seed", "7")
    assert result.exit_code == 2
    assert "not today" in result.output
    assert (no_bench[0].hours, no_bench[0].factor, no_bench[0].seed) == (48, 900, 7)


def test_a_profile_drives_the_production_in_shares(no_bench: list[scenario.Scenario], tmp_path: Path) -> None:
    call("run", "day", "--profile", str(csv_of(tmp_path, 2)), "--days", "2")
    (chosen,) = no_bench
    assert chosen.profile is not None
    production = [point.rated_w for point in chosen.points if point.kind == "production"]
    permille_w = 8  # 2 kWh in 15 minutes is 8 kW; a point's share is cut to a permille, its power rounded up
    assert 8000 - len(production) * permille_w <= sum(production) <= 8000 + len(production)
    assert abs(production[0] - 3 * production[1]) <= 4 * permille_w


def test_dates_that_may_be_read_in_two_ways_are_asked_for(no_bench: list[scenario.Scenario], tmp_path: Path) -> None:
    rows = [f"01/02/2026 {minute // 60:02d}:{minute % 60:02d},1" for minute in range(0, 1440, 15)]
    file = tmp_path / "plant.csv"
    file.write_text("time,kWh\n" + "\n".join(rows) + "\n", encoding="utf-8")
    asked = call("run", "day", "--profile", str(file), "--days", "1")
    assert asked.exit_code == 2
    assert "--date-order" in asked.output
    call("run", "day", "--profile", str(file), "--days", "1", "--date-order", "day-first")
    assert no_bench[0].profile is not None
    assert no_bench[0].profile.date_order == "day-first"


def test_a_profile_shorter_than_the_scenario_is_refused(no_bench: list[scenario.Scenario], tmp_path: Path) -> None:
    result = call("run", "day", "--profile", str(csv_of(tmp_path, 1)), "--days", "2")
    assert result.exit_code == 2
    assert "ends before" in result.output
    assert no_bench == []


def test_a_column_that_is_not_there_is_refused_naming_those_that_are(tmp_path: Path) -> None:
    result = call("run", "day", "--profile", str(csv_of(tmp_path, 2)), "--energy-column", "Usage")
    assert result.exit_code == 2
    assert "kWh" in result.output


def test_the_platform_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from hil.cli import app; app()", "platform"]
    with Process("platform", command, tmp_path / "log") as process:
        process.start()
        port = int(process.wait_for_line(r'"port": (\d+)', 60)[1])
        socket.create_connection(("127.0.0.1", port), 20).close()
        process.stop(how=signal.SIGINT)
        assert process.status == 0


def test_the_command_that_plays_a_run_again_plays_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """P-196: with every option that changes what is played, and paths that a shell would split."""
    played: list[tuple[scenario.Scenario, str]] = []

    def note(chosen: scenario.Scenario, _out: Path, told: str, *, as_json: bool) -> bool:
        del as_json
        played.append((chosen, told))
        return True

    monkeypatch.setattr(cli, "_play", note)
    monkeypatch.setattr(cli, "_repeat_first", lambda *_, **_json: None)
    monkeypatch.setattr(first, "remember", lambda *_, **_passed: None)
    folder = tmp_path / "a plant"
    folder.mkdir()
    profile = ["--profile", str(csv_of(folder, 2)), "--time-column", "time", "--energy-column", "kWh"]
    days = ["--days", "2", "--factor", "900", "--date-order", "year-first"]
    told_of = set()
    for asked in ([], ["--seed", "7", "--target", "sim"], [*days, *profile], ["--bench", str(folder / "shelf.toml")]):
        assert call("run", "day", *asked, "--out", str(tmp_path / "out")).exit_code == 0
        before = played[-1]
        words = shlex.split(before[1])
        assert words[:2] == ["wattline", "hil"]
        assert call(*words[2:]).exit_code == 0
        assert played[-1] == before
        told_of |= {word.partition("=")[0] for word in words[4:]}
    command = typer.main.get_command(cli.app).commands["run"]  # type: ignore[attr-defined]
    assert told_of == {one.opts[-1] for one in command.params} - {"name", "--json", "--out"}  # these change no run
