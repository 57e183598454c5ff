"""kill -9 of the journal's writer, and power cuts: what it had acknowledged is there, nothing is there twice."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.gateway.journal.killing import Found, Writer, run
from tests.gateway.support import ROOT

ROUNDS = 50  # `make kills` has 1,000 of each


def by_power(rounds: int, seed: int, synchronous: str) -> dict[str, Any]:
    """Power cuts, in a process that has such a disk."""
    command = [sys.executable, "-m", "tests.gateway.journal.killing", "--power", "--synchronous", synchronous]
    command += ["--rounds", str(rounds), "--seed", str(seed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500, cwd=ROOT)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (not Found(**{name: found[name] for name in Found.__dataclass_fields__}).well)
    return found


@pytest.mark.slow
def test_everything_acknowledged_is_there_after_kill_9_and_nothing_twice() -> None:
    """R-07: the writer's process is killed at random instants, opening, committing, indexing, retiring."""
    for found in run(ROUNDS, 7, Writer(power=False)):
        assert found.well, f"python -m tests.gateway.journal.killing --rounds {ROUNDS} --seed 7: {found}"
        assert found.acknowledged > 0


@pytest.mark.slow
def test_everything_acknowledged_outlives_a_power_cut_at_any_call_to_the_disk() -> None:
    """R-07: on a disk that loses what was not synced, or any part of it."""
    found = by_power(ROUNDS, 7, "FULL")
    assert (found["lost"], found["twice"], found["broken"]) == ([], [], []), found
    assert found["acknowledged"] > ROUNDS
    assert found["retired"] > 0


@pytest.mark.slow
def test_such_a_disk_loses_what_a_weaker_journal_acknowledged() -> None:
    """R-07: the control: the same runs with `synchronous` lower lose records that were acknowledged."""
    for synchronous in ("NORMAL", "OFF"):
        found = by_power(10, 7, synchronous)
        assert len(found["lost"]) > 100, found
