"""`wattline gateway honesty` over a real journal."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Point
from tests.gateway.support import NOW_S, Sender, accept, commit, reading, window, write_config

SENDER = Sender()
POINT = {1: Point(number=1, name="furnace", kind="production", rated_power_w=10_000)}
FROM_S = NOW_S - 40 * 900


def journalled(folder: Path, powers_w: list[int]) -> None:
    journal, energy_wh = Journal(folder / "data", VerifyConfig()), 1_000_000
    for number, power_w in enumerate(powers_w):
        energy_wh += power_w // 4
        shown = reading(p_mean_w=power_w, p_min_w=power_w, p_max_w=power_w, e_import_wh=energy_wh, pf_milli=900)
        raw = window(number, FROM_S + 900 * number, [shown])
        commit(journal, [accept(SENDER, SENDER.frame([raw]), POINT, NOW_S)])
    journal.close()


def asked(config: Path, from_window: int) -> tuple[int, list[dict[str, Any]], str]:
    words = ["honesty", "--config", str(config), "--from", _iso(FROM_S + 900 * from_window), "--to", _iso(NOW_S)]
    text = CliRunner().invoke(app, words)
    done = CliRunner().invoke(app, [*words, "--json"])
    assert text.exit_code == done.exit_code
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], text.stdout


def _iso(unix_s: int) -> str:
    minutes = (unix_s - NOW_S) // 60 + 24 * 60
    return f"2026-02-28T{minutes // 60:02}:{minutes % 60:02}:00Z" if unix_s < NOW_S else "2026-03-01T00:00:00Z"


def test_a_replay_is_sought_before_the_span_and_told_in_it(tmp_path: Path) -> None:
    """P-247."""
    config = write_config(tmp_path, 1, [SENDER])
    live = [4000 + 4 * (number * 37 % 101) for number in range(40)]
    journalled(tmp_path, [*live[:30], *live[5:11], *live[36:]])
    code, lines, text = asked(config, 24)
    (one,) = lines
    assert (code, one["subject"], one["what"]) == (1, "T0001/1", "replayed")
    assert (one["from"], one["to"]) == (_iso(FROM_S + 900 * 30), _iso(FROM_S + 900 * 36))
    assert one["shown_first"] == _iso(FROM_S + 900 * 5)
    assert "重复历史数据" in text
    assert asked(config, 38)[:2] == (0, [])


def test_an_honest_terminal_has_no_line(tmp_path: Path) -> None:
    """P-247."""
    config = write_config(tmp_path, 1, [SENDER])
    journalled(tmp_path, [4000 + 4 * (number * 37 % 101) for number in range(40)])
    assert asked(config, 0) == (0, [], "")
    missing = CliRunner().invoke(app, ["honesty", "--config", str(config), "--terminal", "T9"])
    assert missing.exit_code == 1
