"""The target `board`, all but the copper: console, bus and relay are ptys and pymodbus, the board is the real VM."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hil import runner
from hil.process import Process
from hil.scenario import Fault, Point, Scenario

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[Path]:
    """The file of a bench that is up."""
    folder = tmp_path / "bench"
    command = [sys.executable, "-m", "hil.board.stand_in", "--folder", str(folder)]
    with Process("stand-in", command, tmp_path / "stand_in.log") as process:
        process.start()
        process.wait_for_line(r'^\{"bench"', 60)
        yield folder / "bench.toml"
        process.stop()


def test_a_scenario_with_a_power_cut_passes_on_a_board_behind_ptys(stand_in: Path, tmp_path: Path) -> None:
    """P-218: provisioned over the console, its power cut by the relay, its meters on an adapter."""
    played = Scenario(
        name="board_hour",
        title="",
        title_zh="",
        start=datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=8))),
        hours=1,
        factor=600,
        points=[
            Point("furnace", "production", "sdm630", 1, 180_000),
            Point("office", "other", "dlt645_3p", 12 * "1", 900),
        ],
        faults=[Fault("terminal_kill", "08:20", "10 min")],
        target="board",
        bench=str(stand_in),
    )
    report = runner.run(played, tmp_path / "run", lambda _share, _text: None).report
    assert [(one.code, one.text) for one in report.findings] == []
    assert report.windows.journalled == report.windows.closed > 0
    assert report.versions["board"] == "MicroPython's unix port behind ptys"
    log = (tmp_path / "run" / "terminals" / "T0001" / "terminal.log").read_text(encoding="utf-8")
    assert [f"boot {boot} " in log for boot in (1, 2, 3)] == [True, True, False]
