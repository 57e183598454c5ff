"""How good the alarms are, by what is known of factories, meters and terminals; and that a bad rule is seen."""

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.watch import honesty, linkage
from gateway.watch.finding import Finding
from hil.cli import app
from hil.watched import honest, linkages, terminals
from hil.watched.meters import synthetic
from hil.watched.play import failures
from hil.watched.score import table

FACTORIES, DAYS, DRAWS, SEED = 12, 14, 6, "20"  # `wattline hil alarms` plays as many as one likes


def test_what_is_wrong_between_production_and_treatment_is_found_within_two_windows() -> None:
    """P-243: and nothing else is; treatment that stands or idles, a meter that is silent, an order."""
    scores = linkages.scores(FACTORIES, DAYS, SEED)
    assert sum(one.done for one in scores) > FACTORIES
    assert list(failures(scores)) == [], table(scores)
    assert all(one.false == [] for one in scores), table(scores)


def test_what_is_done_to_meters_is_found_and_nothing_else_is() -> None:
    """P-365: frozen, played again, read twice; transformers off, shorted, turned round, exchanged."""
    load = synthetic(DAYS, random.Random(SEED))
    scores = honest.scores("synthetic", load, DRAWS, SEED)
    assert {one.rule for one in scores} == {*honesty.KINDS}
    assert list(failures(scores)) == [], table(scores)


def test_what_is_done_to_terminals_is_found_and_nothing_else_is() -> None:
    """P-365."""
    scores = terminals.scores(DRAWS, SEED)
    assert list(failures(scores)) == [], table(scores)
    assert all(one.done == DRAWS for one in scores[1:])


def test_a_rule_that_misses_or_cries_wolf_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-366: with what replays it."""
    right = linkage.findings

    def wrong(*args: object) -> list[Finding]:
        first, *rest = right(*args)  # type: ignore[arg-type]
        return [first._replace(from_s=first.from_s - 86_400, to_s=first.to_s - 86_400), *rest]

    monkeypatch.setattr(linkage, "findings", wrong)
    said = list(failures(linkages.scores(4, DAYS, SEED)))
    assert any("recall" in one and "factory" in one for one in said), said
    assert any("false" in one and "factory" in one for one in said), said


def test_the_command_plays_a_load_of_ones_own(tmp_path: Path) -> None:
    """P-366: a table, or one JSON object; a file that can't be read is refused with its line."""
    load = synthetic(DAYS, random.Random(SEED))
    stamps = [
        f"2026-01-{1 + number // 96:02} {number % 96 // 4:02}:{number % 4 * 15:02}" for number in range(len(load))
    ]
    lines = [f"{stamp},{one.power_w / 4000:.3f}" for stamp, one in zip(stamps, load, strict=True)]
    path = tmp_path / "plant.csv"
    path.write_text("\n".join(["time,kWh", *lines]) + "\n", encoding="utf-8")
    words = ["alarms", "--factories", "1", "--days", "14", "--draws", "1", "--profile", str(path)]
    words += ["--time-column", "time", "--energy-column", "kWh"]
    done = CliRunner().invoke(app, [*words, "--json"])
    scores = json.loads(done.stdout)["scores"]
    assert {one["load"] for one in scores} == {"synthetic", "recorded"}
    path.write_text("time,kWh\n2026-01-01 00:00,x\n2026-01-01 00:15,1\n", encoding="utf-8")
    refused = CliRunner().invoke(app, words)
    assert (refused.exit_code, "line 2" in refused.stderr) == (2, True)
