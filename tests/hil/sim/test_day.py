"""Scenarios in the simulation: the oracle's verdict, and that a seed is all that a run depends on."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from hil import runner, scenario, wiring
from hil.meter_wire import Wire
from hil.oracle.evidence import Tally
from hil.report.result import Report
from hil.scenario import TERMINAL
from hil.sim.broker import Broker
from protocol import mac
from protocol.frame import open_frame

MAIN = "from gateway.command import main; main()"


def play(name: str, folder: Path, **changes: object) -> Report:
    chosen = msgspec.structs.replace(scenario.load(name), target="sim", **changes)
    return runner.run(chosen, folder, lambda _share, _text: None).report


LONG = {"day", "full_log"}  # days of many meters


@pytest.mark.parametrize("name", sorted(set(scenario.names()) - LONG - {"week_dark"}))
def test_every_scenario_passes_in_the_simulation(name: str, tmp_path: Path) -> None:
    """P-170, P-202, P-278. P-205: a flash that was copied raises the alarm and loses nothing. P-206: a clock that was
    put back, and old acks, date no window.
    """
    report = play(name, tmp_path / "run")
    assert [(one.code, one.text, one.cause) for one in report.findings] == []
    assert report.drained
    if any(one.finding for one in scenario.load(name).expect):
        return  # what is unavoidable then is counted in these numbers, too
    assert report.windows.journalled == report.windows.closed > 0
    assert report.sinks == {"platform": Tally(delivered=report.windows.closed)}


@pytest.mark.parametrize("name", ["cold_start", "broker_outage"])
def test_an_rtc_that_is_hours_ahead_misplaces_no_window(name: str, tmp_path: Path) -> None:
    """P-178, R-16: neither with nothing to connect to at the start, nor with a link; none is at the platform twice."""
    report = play(name, tmp_path / "run", rtc="wrong")
    assert [(one.code, one.text) for one in report.findings] == []
    assert report.sinks == {"platform": Tally(delivered=report.windows.closed)}


def test_a_program_that_cannot_start_ends_the_run_with_its_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_board: object, _slots: object) -> None:
        raise AttributeError("a board that lacks something")

    monkeypatch.setattr("hil.sim.terminal.App", broken)
    report = play("terminal_kill", tmp_path / "run")
    assert report.verdict == "fail"
    assert "a board that lacks something" in str(report.findings)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LONG))
def test_a_long_scenario_passes_in_the_simulation(name: str, tmp_path: Path) -> None:
    """P-202"""
    assert play(name, tmp_path / "run").verdict == "pass"


def test_a_cloned_terminal_loses_nothing_and_nothing_of_it_is_altered(tmp_path: Path) -> None:
    """P-205: of the true one as of the copy; a platform is told each window of either, once."""
    report = play("cloned_terminal", tmp_path / "run")
    assert (report.windows.lost, report.windows.duplicated, report.windows.invented) == (0, 0, 0)
    assert {one.name: one.windows.journalled for one in report.terminals} == {"T0001": 20, "copy": 15}
    assert report.sinks == {"platform": Tally(delivered=35)}
    assert {one.what: one.seen for one in report.expected}["quarantined conflict"] > 0


@pytest.mark.slow
def test_a_dark_week_is_polled_and_delivered_whole_live_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-13, R-04: a week without link, meters silent in it and after it; every slot asks every meter."""
    asked: set[tuple[int, int | str]] = set()
    hear = Wire.hear

    def noted(wire: Wire, data: bytes, now_ms: int, baud: int | None = None) -> list[tuple[float, bytes]]:
        asked.update((now_ms // 1000 // dark.sample_interval_s, address) for address in (1, 2) if data[0] == address)
        return hear(wire, data, now_ms, baud)

    dark = scenario.load("week_dark")
    keys = {wiring.GENERATION: mac.Key(wiring.secret(dark.seed), wiring.GENERATION)}
    came: list[list[int]] = []  # numbers by frame, as the broker gets them
    route = Broker._route

    def read(broker: Broker, topic: str, payload: bytes) -> None:
        if topic.startswith("wattline/up/"):
            came.append([one.seq for one in open_frame(payload, TERMINAL, keys).records])
        route(broker, topic, payload)

    monkeypatch.setattr(Wire, "hear", noted)
    monkeypatch.setattr(Broker, "_route", read)
    report = play("week_dark", tmp_path / "run")
    assert (report.findings, report.drained) == ([], True)
    assert report.windows.closed == report.windows.journalled == dark.hours * 4
    assert report.sinks == {"platform": Tally(delivered=report.windows.closed)}
    slots = range(dark.start_ms // 1000 // dark.sample_interval_s, dark.end_ms // 1000 // dark.sample_interval_s)
    assert [(slot, address) for slot in slots for address in (1, 2) if (slot, address) not in asked] == []
    back = next(at for at, seqs in enumerate(came) if at and seqs[0] > came[at - 1][-1] + 1)
    stored = [seq for seqs in came[back:] for seq in seqs if seq < came[back][0]]  # while the link was away
    assert stored == list(range(came[back - 1][-1] + 1, came[back][0]))
    assert len(stored) > 7 * 96 - 8


def test_a_gateway_that_was_away_fetches_what_is_live_before_the_backlog(tmp_path: Path) -> None:
    """P-172, R-04: six hours out of reach; whatever the mailbox offers just then, what is live comes next."""
    away = scenario.Fault("link_down", "08:20", "6 h", terminal="T0002")
    chosen = msgspec.structs.replace(
        scenario.load("two_terminals"), target="sim", hours=7, sample_interval_s=300, faults=[away]
    )
    outcome = runner.run(chosen, tmp_path / "run", lambda _share, _text: None)
    assert outcome.report.findings == []
    back_ms = chosen.span_ms(away)[1]
    came: dict[int, list[int]] = defaultdict(list)  # numbers by the moment of their commit: a frame has one
    for record in outcome.cases[1].journal.kept:
        if back_ms <= record.committed_ms < back_ms + 60_000:
            came[record.committed_ms].append(record.seq)
    frames = [came[at_ms] for at_ms in sorted(came)]
    newest = max(seq for seqs in frames for seq in seqs)
    assert sum(len(seqs) for seqs in frames) >= 6 * 4
    assert newest in [*frames[0], *frames[1]]


@pytest.mark.slow
def test_a_quiet_day_is_whole(tmp_path: Path) -> None:
    report = play("day", tmp_path / "run", faults=[])
    assert report.findings == []
    day = scenario.load("day")
    windows = 96 * len(day.terminals)
    assert (report.windows.closed, report.readings, report.frames.refused) == (windows, 96 * len(day.points), 0)


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
