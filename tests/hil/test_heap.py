"""How much heap the terminal needs: the real thing within a bound, and the search for the bound."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hil.cli import app
from hil.heap import search, trial
from hil.heap.trial import Outcome
from hil.process import BenchError

# a fifth more than `make heap` finds: a busy machine lets the meters and the uplink meet in other orders
HEAP_KIB = 320


@pytest.mark.slow
@pytest.mark.e2e
def test_the_whole_terminal_sends_a_weeks_backlog_within_its_heap(tmp_path: Path) -> None:
    """P-162"""
    outcome = trial.live(tmp_path, HEAP_KIB, search.SHORT_HOURS)
    assert outcome.fault == ""
    assert outcome.windows >= trial.BACKLOG + 4 * search.SHORT_HOURS - 2
    assert outcome.heap, "it says how it is each hour"
    assert all(in_use < 1024 * HEAP_KIB for _, in_use in outcome.heap)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_heap_that_is_too_small_is_said_so(tmp_path: Path) -> None:
    """P-163: the trial can fail."""
    outcome = trial.live(tmp_path, search.LEAST_KIB, 1)
    assert "Memory" in outcome.fault or "ended with status" in outcome.fault


@pytest.mark.e2e
def test_every_part_tells_what_it_has_on_the_heap(tmp_path: Path) -> None:
    parts = trial.parts(tmp_path / "parts")
    assert len(parts) == 9
    assert all(0 < one["bytes"] < 1024 * HEAP_KIB for one in parts)
    assert sum(one["bytes"] for one in parts) < 1024 * HEAP_KIB


@pytest.mark.parametrize(("short", "long"), [(70, 70), (256, 256), (257, 260), (248, 264), (505, 505)])
def test_the_search_finds_the_least_step_that_lasts(short: int, long: int) -> None:
    """P-163: `short` KiB do for hours, `long` for days."""

    def live_in(kib: int, hours: int) -> Outcome:
        enough = kib >= (short if hours == search.SHORT_HOURS else long)
        return Outcome("" if enough else f"out of memory at {kib}", 0, 0.0, [])

    found = search.smallest(48, live_in, lambda _text: None)
    assert found.kib >= long > found.kib - search.STEP_KIB
    assert found.below.endswith(str(found.kib - search.STEP_KIB))


def test_a_leak_is_no_heap_at_all() -> None:
    """P-163"""
    with pytest.raises(BenchError, match="lasts 48 h"):
        search.smallest(48, lambda _kib, hours: Outcome("leaks" * (hours == 48), 0, 0.0, []), lambda _text: None)


def test_the_command_shows_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "parts", lambda _folder: [{"part": "all", "bytes": 200_000}])
    monkeypatch.setattr(search, "live", lambda *_: Outcome("out of memory", 3, 0.0, [(3600, 210_000)]))
    done = CliRunner().invoke(app, ["heap", "--kib", "200", "--out", str(tmp_path), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["kib"], told["fault"]) == (1, 200, "out of memory")
    plain = CliRunner().invoke(app, ["heap", "--kib", "200", "--out", str(tmp_path)])
    assert "210000 bytes in use after   1.0 h" in plain.stdout
