"""What failed, once more after all parts of the suite: who has only the end of CI's output should see it there.

A pytest plugin, by conftest.py. The parts of run.sh add to one file, which it shows when all are done.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

FILE = "WATTLINE_FAILED"  # names the file; without it nothing is written
LINE_CHARS_MAX = 240  # a line of CI's last ones


def tell(lines: Iterable[str]) -> None:
    """Add these to what is shown at the end, each cut to one short line."""
    if file := os.environ.get(FILE):
        with Path(file).open("a", encoding="utf-8") as told:
            told.writelines(" ".join(line.split())[:LINE_CHARS_MAX] + "\n" for line in lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each test that failed or could not begin, with why."""
    reports = [report for kind in ("failed", "error") for report in terminalreporter.getreports(kind)]
    tell(f"{report.nodeid}: {_reason(report)}" for report in reports)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash is not None else report.longreprtext[-LINE_CHARS_MAX:]
