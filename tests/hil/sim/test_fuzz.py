"""Seeds: what is drawn from one, what a run of it says, and that the oracle sees what is broken on purpose."""

from pathlib import Path
from typing import Any

import pytest
from terminal import bus
from typer.testing import CliRunner

from hil import cli, versions
from hil.oracle.evidence import Finding
from hil.sim import fuzz, plan

SEEDS = range(300)


def test_a_seed_draws_the_same_troubles_and_other_seeds_others() -> None:
    drawn = [plan.troubles_of(plan.scenario_of(seed)) for seed in range(300)]
    assert drawn == [plan.troubles_of(plan.scenario_of(seed)) for seed in range(300)]
    assert {one.what for troubles in drawn for one in troubles} == set(plan.EFFECTS)


@pytest.mark.slow
def test_three_hundred_seeds_pass_and_run_again_the_same_way() -> None:
    """P-122: faults drawn from a seed, and every invariant holds; a seed is its own replay."""
    runs = {run.seed: run for run in fuzz.campaign(SEEDS, jobs=2)}
    assert {f"wattline hil replay {seed}": run.findings for seed, run in runs.items() if not run.passed} == {}
    assert fuzz.run(SEEDS[0]).trace == runs[SEEDS[0]].trace
    assert sum(run.windows for run in runs.values()) > 3 * len(SEEDS)


@pytest.mark.slow
def test_stale_values_are_caught_and_the_failure_is_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-123: a terminal that gives a silent meter's last values again is seen through."""
    honest = bus.Bus.poll
    last: dict[object, Any] = {}

    async def poll(self: bus.Bus, meter: bus.Meter) -> Any:
        found = await honest(self, meter)
        if isinstance(found, int):
            return last.get(meter.address, found)
        last[meter.address] = found
        return found

    monkeypatch.setattr(bus.Bus, "poll", poll)
    silent = plan.Trouble("meter", 600_000, 7_000_000, 0)
    failed = fuzz.run(1, [silent, plan.Trouble("platform", 600_000, 700_000, 3)])
    assert {"reading_stale", "reading_while_silent"} & {finding.code for finding in failed.findings}
    shrunk = fuzz.shrink(failed, lambda _text: None)
    (left,) = shrunk.troubles
    assert (left.what, left.from_ms, left.number) == (silent.what, silent.from_ms, silent.number)
    assert left.to_ms < silent.to_ms
    assert shrunk.hours == 1 < plan.scenario_of(1).hours
    again = fuzz.run(1, shrunk.troubles, hours=shrunk.hours)
    assert {finding.code for finding in again.findings} & {finding.code for finding in failed.findings}


def test_a_seed_that_fails_leaves_a_report_that_says_how_to_play_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-214: of a replay, and of the seeds that fail in a campaign."""
    monkeypatch.setattr(fuzz, "_verdict", lambda _target, _refusals: ([Finding(1, "window_lost", "made up")], 0))
    again = CliRunner().invoke(cli.app, ["replay", "3", "--trace", str(tmp_path / "replay.txt")])
    many = CliRunner().invoke(cli.app, ["fuzz", "--seeds", "1", "--first", "3", "--jobs", "1", "--out", str(tmp_path)])
    assert (again.exit_code, many.exit_code) == (1, 1)
    for folder in (tmp_path / "replay", tmp_path / "seed-3"):
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert "NOT PASSED" in page
        assert "made up" in page
        assert f"wattline hil replay 3@{versions.commit()}" in page
        assert [one for one in plan.troubles_of(plan.scenario_of(3)) if one.what.replace("_", " ") not in page] == []
        assert (folder / "junit.xml").exists()


def test_what_is_no_seed_is_refused() -> None:
    result = CliRunner().invoke(cli.app, ["replay", "x@y"])
    assert result.exit_code == 2
    assert "SEED@COMMIT" in result.output


def troubles(seed: int) -> list[plan.Trouble]:
    return plan.troubles_of(plan.scenario_of(seed))


def test_a_factory_of_sixteen_has_a_copied_terminal_that_reads_other_meters() -> None:
    """P-205: drawn from seeds, too; and so are steps of the gateway's clock."""
    stepped = [seed for seed in SEEDS if any(one.what == plan.CLOCK_STEP for one in troubles(seed))]
    assert len(SEEDS) / 16 < len(stepped) < len(SEEDS) / 4
    assert not any(one.what in plan.CUTS for seed in stepped for one in troubles(seed))
    cloned = [scenario for seed in SEEDS if plan.has_clone(scenario := plan.scenario_of(seed))]
    assert len(SEEDS) / 32 < len(cloned) < len(SEEDS) / 8
    scenario = cloned[0]
    assert {one.name for one in scenario.terminals} == {"T0001", plan.CLONE}
    assert plan.troubles_of(scenario) == plan.troubles_of(scenario)
    wakes = [one for one in plan.troubles_of(scenario) if one.what == plan.CLONED]
    assert len(wakes) == 1
    assert plan.refusals(wakes) is None
    assert plan.refusals([]) == set()
    written: list[str] = []
    assert fuzz.run(scenario.seed, write=written.append).findings == []
    assert any("starts" in line and plan.CLONE in line for line in written)
