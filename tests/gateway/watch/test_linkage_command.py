"""`wattline gateway linkage` over a real journal, and enterprises.toml's bad cases."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import FILE, Journal
from tests.gateway.support import NOW_S, Sender, accept, commit, reading, window
from tests.gateway.watch.plant import ENTERPRISE, POINTS, configured

SENDER = Sender()
FROM_S = NOW_S - 8 * 900


def journalled(folder: Path, powers_w: Sequence[tuple[int | None, int | None]], order: list[int]) -> None:
    """A window a pair of (furnace, filter), accepted in this order."""
    journal = Journal(folder / "data", VerifyConfig())
    for number in order:
        energy_wh = 1000 * number
        readings = [
            4 if one is None else reading(p_mean_w=one, p_min_w=one, p_max_w=one, e_import_wh=energy_wh)
            for one in powers_w[number]
        ]
        raw = window(number, FROM_S + 900 * number, readings)
        commit(journal, [accept(SENDER, SENDER.frame([raw]), POINTS, NOW_S)])
    journal.close()


def asked(config: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(
        app, ["linkage", "--config", str(config), "--from", str_of(FROM_S), "--to", str_of(NOW_S), "--json", *words]
    )
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]


def str_of(unix_s: int) -> str:
    return f"2026-02-28T{(unix_s - NOW_S + 86_400) // 3600:02}:00:00Z" if unix_s < NOW_S else "2026-03-01T00:00:00Z"


def test_a_damaged_journal_ends_with_what_to_do(tmp_path: Path) -> None:
    """P-449: not with a traceback."""
    config = configured(tmp_path, SENDER)
    journalled(tmp_path, [(5000, 900)] * 8, list(range(8)))
    with closing(sqlite3.connect(tmp_path / "data" / FILE)) as connection, connection:
        connection.execute("UPDATE blocks SET frames = substr(frames, 1, length(frames) - 3)")
    span = ["--from", str_of(FROM_S), "--to", str_of(NOW_S)]
    done = CliRunner().invoke(app, ["linkage", "--config", str(config), *span])
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "block ends within a frame" in done.output
    assert "run: wattline gateway audit" in done.output


@pytest.mark.parametrize("order", [list(range(8)), [7, 0, 3, 1, 2, 6, 5, 4]])
def test_production_without_treatment_is_told_with_its_evidence(tmp_path: Path, order: list[int]) -> None:
    """P-244: the same for whatever order the windows came in."""
    config = configured(tmp_path, SENDER)
    runs = [(5000, 900), (5000, 900), (5000, 20), (5000, 40), (5000, 900), (5000, None), (20, 20), (20, 20)]
    journalled(tmp_path, runs, order)
    code, lines = asked(config)
    off, silent, measures = lines
    assert code == 1
    head = {"kind": "finding", "enterprise": "E1", "linkage": "furnace 1"}
    points = {"production": ["T0001/1"], "treatment": ["T0001/2"]}
    times = {"from": "2026-02-28T22:30+00:00", "to": "2026-02-28T23:00+00:00"}
    assert off == {**head, "what": "treatment_off", **times, "production_w": 5000, "treatment_w": 30, **points}
    assert (silent["what"], silent["from"]) == ("treatment_silent", "2026-02-28T23:15+00:00")
    assert (measures["production_h"], measures["treatment_h"], measures["linkage_rate"]) == (1.5, 0.75, 0.6)
    assert (measures["switched_off"], measures["production_wh"]) == (1, 7000)


def test_where_treatment_runs_nothing_is_found(tmp_path: Path) -> None:
    """P-244."""
    config = configured(tmp_path, SENDER)
    journalled(tmp_path, [(5000, 900)] * 8, list(range(8)))
    code, lines = asked(config)
    assert (code, [one["kind"] for one in lines]) == (0, ["measures"])
    assert CliRunner().invoke(app, ["linkage", "--config", str(config), "--enterprise", "E2"]).exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ('["T0001/2"]', '["T0002/2"]', "enterprise[0].linkage[0].treatment", "T0002/2: terminal not admitted"),
        ('["T0001/2"]', '["T0001/3"]', "enterprise[0].linkage[0].treatment", "no such point"),
        ('["T0001/2"]', '["T0001/1"]', "enterprise[0].linkage[0].treatment", "is production, not treatment"),
        ('["T0001/2"]', "[]", "enterprise[0].linkage[0].treatment", "at least one point"),
        ('["T0001/2"]', '["T0001"]', "enterprise[0].linkage[0].treatment[0]", "TERMINAL/POINT"),
        ("treatment_on_w = 500", "treatment_on_w = 0", "enterprise[0].linkage[0].treatment_on_w", "an integer 1 to"),
        ('name = "First', 'latitude = 28\nname = "First', "enterprise[0].latitude", "go together"),
        ('name = "First', 'latitude = 91.5\nlongitude = 1\nname = "First', "enterprise[0].latitude", "-90 to 90"),
        ("treatment_on_w", "treatment_onw", "enterprise[0].linkage[0].treatment_onw", "treatment_on_w"),
        (
            "treatment_on_w = 500\n",
            "treatment_on_w = 500\ntreatment_idle_w = 500\n",
            "enterprise[0].linkage[0].treatment_idle_w",
            "not above treatment_on_w",
        ),
        (
            "treatment_on_w = 500\n",
            "treatment_on_w = 500\n[[enterprise.order]]\nfrom = 2026-03-02T00:00:00Z\nto = 2026-03-01T00:00:00Z\n",
            "enterprise[0].order[0].to",
            "not after",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, old: str, new: str, key: str, said: str) -> None:
    """P-245: `check` warns, for readings are taken all the same; the watch does not begin."""
    config = configured(tmp_path, SENDER, ENTERPRISE.replace(old, new))
    done = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    found = json.loads(done.stdout)["warnings"]
    assert done.exit_code == 0
    assert [one["key"] for one in found][:1] == [key], found
    assert said in found[0]["problem"]
    assert "enterprises.toml" in found[0]["file"]
    for words in (["watch", "--once"], ["linkage"], ["check", "--strict"]):
        assert CliRunner().invoke(app, [*words, "--config", str(config)]).exit_code == 1


def test_a_revoked_terminal_is_no_mistake(tmp_path: Path) -> None:
    """P-245: what it sent before is looked at as ever."""
    config = configured(tmp_path, SENDER)
    terminals = tmp_path / "terminals.toml"
    terminals.write_text(
        terminals.read_text().replace("[[terminal]]\n", "[[terminal]]\nrevoked = 2026-03-01T00:00:00Z\n")
    )
    assert CliRunner().invoke(app, ["check", "--config", str(config), "--strict"]).exit_code == 0
