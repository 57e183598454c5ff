"""The run that failed last on a bench: it is played first next time, before anything else."""

import json
from pathlib import Path
from typing import NamedTuple

from hil.scenario import Scenario


class Failed(NamedTuple):
    """What to play again."""

    scenario: str  # a name, or a file
    seed: int
    commit: str


def remembered(bench: Path) -> Failed | None:
    """What failed last; None: nothing, or what is kept can't be read."""
    try:
        row = json.loads(_file(bench).read_text(encoding="utf-8"))
        return Failed(str(row["scenario"]), int(row["seed"]), str(row["commit"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(bench: Path, failed: Failed, *, passed: bool) -> None:
    """Keep a run that failed, unless another is kept; forget it when it has passed."""
    before = remembered(bench)
    if passed and before is not None and before[:2] == failed[:2]:
        _file(bench).unlink(missing_ok=True)
    elif not passed and before is None:
        _file(bench).write_text(json.dumps(failed._asdict()), encoding="utf-8")


def comes_first(bench: Path, name: str, chosen: Scenario) -> Failed | None:
    """What is to be played before this one."""
    before = remembered(bench)
    return before if before is not None and before[:2] != (name, chosen.seed) else None


def _file(bench: Path) -> Path:
    return bench.with_name(bench.name + ".failed")
