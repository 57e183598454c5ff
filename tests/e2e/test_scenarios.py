"""Every scenario of the bench, on real parts: the oracle finds nothing to object to."""

from pathlib import Path

import pytest

from hil import runner, scenario
from hil.oracle.evidence import Tally

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SHORT = sorted(set(scenario.names()) - {"day"})  # the day is `make demo`


def play(name: str, folder: Path) -> runner.Outcome:
    said: list[str] = []
    outcome = runner.run(scenario.load(name), folder, lambda _share, text: said.append(text))
    report = outcome.report
    print(f"{name}: {report.windows}, {report.frames}, {report.real_s} s; {[text for text in said if text]}")
    return outcome


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_doubled_or_invented(name: str, tmp_path: Path) -> None:
    """P-50: broker away for 2 hours, gateway killed in mid-burst, terminal killed in mid-window, platform silent for an
    hour, and nothing there at the start.
    """
    report = play(name, tmp_path / "run").report
    assert [(one.code, one.text, one.cause) for one in report.findings] == []
    assert report.verdict == "pass"
    assert report.drained
    assert (report.windows.lost, report.windows.duplicated, report.windows.invented) == (0, 0, 0)
    assert report.windows.journalled == report.windows.closed > 0
    assert report.sinks == {"platform": Tally(delivered=report.windows.closed)}
    assert report.frames.refused == 0
    assert report.frames.accepted > 0
