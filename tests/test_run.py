"""P-450, P-513: what `make test` does about a test that hangs, and says of those that failed."""

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
    command = [sys.executable, "-m", "pytest", *plugins, "-n", "1", "--timeout", "2", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of what this needs nothing of
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    assert done.stdout.count("Failed: Timeout") >= 2
    assert 'subprocess.run(["sleep", "60"])' in done.stdout, "where it hangs"


FAILING = """
import pytest

@pytest.fixture
def meter():
    raise RuntimeError("no meter")

def test_fails():
    assert 1 == 2, "two lines\\nof it"

def test_cannot_begin(meter):
    pass

def test_passes():
    pass
"""


@pytest.mark.slow
def test_what_failed_in_any_part_is_said_once_more_at_the_end(tmp_path: Path) -> None:
    """P-513: with what draws the same examples; the exit status is not that of the last part."""
    (tmp_path / "tests/hil").mkdir(parents=True)
    (tmp_path / "tests/test_failing.py").write_text(FAILING)
    (tmp_path / "tests/hil/test_good.py").write_text("def test_passes():\n    pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    e2e\n    untimed\naddopts = -p tests.failures\n")
    (tmp_path / "tests/failures.py").symlink_to(ROOT / "tests/failures.py")
    (tmp_path / "build").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    done = subprocess.run(
        [ROOT / "tests/run.sh", sys.executable, "7"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    end = done.stdout.partition("failed, with SEED=7")[2]
    assert "tests/test_failing.py::test_fails: AssertionError: two lines of it" in end, done.stdout
    assert "tests/test_failing.py::test_cannot_begin: RuntimeError: no meter" in end
    assert "test_passes" not in end
