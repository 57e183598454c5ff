"""Scenarios in the simulation: the oracle's verdict, and that a seed is all that a run depends on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hil import runner, scenario
from hil.oracle.evidence import Tally
from hil.report import Report

MAIN = "from gateway.command import main; main()"


def play(name: str, folder: Path, **changes: object) -> Report:
    chosen = msgspec.structs.replace(scenario.load(name), target="sim", **changes)
    return runner.run(chosen, folder, lambda _share, _text: None).report


@pytest.mark.parametrize("name", sorted(set(scenario.names()) - {"day"}))
def test_every_scenario_passes_in_the_simulation(name: str, tmp_path: Path) -> None:
    report = play(name, tmp_path / "run")
    assert [(one.code, one.text, one.cause) for one in report.findings] == []
    assert report.drained
    assert report.windows.journalled == report.windows.closed > 0
    assert report.sinks == {"platform": Tally(delivered=report.windows.closed)}


@pytest.mark.slow
def test_the_day_of_the_demo_passes_in_the_simulation(tmp_path: Path) -> None:
    assert play("day", tmp_path / "run").verdict == "pass"


@pytest.mark.slow
def test_a_quiet_day_is_whole(tmp_path: Path) -> None:
    report = play("day", tmp_path / "run", faults=[])
    assert report.findings == []
    points = len(scenario.load("day").points)
    assert (report.windows.closed, report.readings, report.frames.refused) == (96, 96 * points, 0)


@pytest.mark.slow
def test_a_seed_gives_the_same_run_to_the_byte_in_another_process(tmp_path: Path) -> None:
    """P-120: whatever Python's hashes are seeded with, and whenever it runs."""
    command = [sys.executable, "-c", MAIN, "hil", "run", "gateway_kill", "--target", "sim", "--json"]
    traces = []
    for number, seed in enumerate(("7", "7", "8")):
        out = ["--seed", seed, "--out", str(tmp_path / str(number))]
        env = {**os.environ, "PYTHONHASHSEED": str(number)}
        done = subprocess.run([*command, *out], env=env, capture_output=True, text=True, check=True, timeout=300)
        traces.append(json.loads(done.stdout)["trace"])
    assert traces[0] == traces[1] != traces[2]
    assert (tmp_path / "0" / "trace.txt").read_bytes() == (tmp_path / "1" / "trace.txt").read_bytes()
