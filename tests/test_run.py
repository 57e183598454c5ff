"""P-450: what `make test` does about a test that hangs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.support import ROOT

HANGING = """
import subprocess
import threading

def test_waits_for_a_program():
    subprocess.run(["sleep", "60"])

def test_waits_for_a_lock():
    threading.Event().wait()

def test_goes_on():
    pass
"""


@pytest.mark.slow
def test_a_test_that_hangs_is_ended_and_told_and_the_others_go_on(tmp_path: Path) -> None:
    """P-450: in a worker of xdist, for a program's end or for a lock."""
    assert re.search(r"--timeout \d+ ", (ROOT / "tests/run.sh").read_text())
    (tmp_path / "test_hanging.py").write_text(HANGING)
    plugins = ["-p", "xdist.plugin", "-p", "pytest_timeout"]
    command = [sys.executable, "-m", "pytest", *plugins, "-n", "1", "--timeout", "0.5", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of what this needs nothing of
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    assert done.stdout.count("Failed: Timeout") >= 2
    assert 'subprocess.run(["sleep", "60"])' in done.stdout, "where it hangs"
