"""Sinks of all kinds at once on real servers, abused: a part of what `wattline hil sinks` plays in full."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hil.cli import app

SEED = 20315  # put back, killed with loss, slowed while the gateway dies, full: nats, mqtt, hj212-2025, parquet
TURNS = 4


@pytest.mark.e2e
@pytest.mark.slow
def test_abused_sinks_have_everything_once_and_delay_no_other(tmp_path: Path) -> None:
    """P-234."""
    words = ["sinks", "--seed", str(SEED), "--turns", str(TURNS), "--burst", "16", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "run/report.json").read_text(encoding="utf-8"))
    assert report["windows"]["closed"] == report["windows"]["journalled"] >= 48
    assert len(report["sinks"]) == 6
    for one in report["sinks"].values():
        assert (one["lost"], one["duplicated"], one["invented"]) == (0, 0, 0)
        assert one["delivered"] >= report["windows"]["closed"]
    assert len({turn["sink"] for turn in report["turns"]}) == TURNS
