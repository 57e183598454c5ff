"""`wattline gateway gaps`: what an operator reads of it, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import QuarantineConfig, VerifyConfig
from gateway.gaps.words import CELL_S, GRACE_S
from gateway.journal.journal import Journal
from gateway.quarantine.quarantine import Quarantine, Refused
from tests.gateway.support import NOW_S, Sender, accept, commit, event, reading, window, write_config

SENDER = Sender()
DAY = ("--from", "2026-03-01", "--to", "2026-03-01T04:00:00Z")  # 16 windows


def run(config: Path, *more: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["gaps", "--config", str(config), *more])
    return answer.exit_code, answer.stdout + answer.stderr


def run_json(config: Path, *more: str, status: int = 0) -> dict[str, list[dict[str, Any]]]:
    code, said = run(config, *more, "--json")
    assert code == status, said
    found: dict[str, list[dict[str, Any]]] = {"gap": [], "day": [], "total": []}
    for line in said.splitlines():
        row = json.loads(line)
        found[row.pop("kind")].append(row)
    return found


def start_of(cell: int) -> int:
    return NOW_S + cell * CELL_S


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Windows 0 and 1, the meter silent in 2, window 3 late, off for 4 to 7, 8 refused, 9 there, and nothing since."""
    path = write_config(tmp_path, 1883, [SENDER])
    journal = Journal(tmp_path / "data", VerifyConfig())

    def take(raw: bytes, received_s: int) -> None:
        commit(journal, [accept(SENDER, SENDER.frame([raw]), now_s=received_s)])

    first = {"boot": 1, "end_uptime_s": 900}
    for cell, late_s in ((0, 10), (1, GRACE_S), (2, 20), (3, 5000)):
        readings = [1] if cell == 2 else [reading()]
        take(window(cell + 1, start_of(cell), readings, **first), start_of(cell + 1) + late_s)
    take(event(5, start_of(8) + 5, boot=2, uptime_s=5), start_of(8) + 6)
    take(window(7, start_of(9), boot=2, end_uptime_s=1800), start_of(10) + 1)
    journal.close()
    quarantine = Quarantine(tmp_path / "data", QuarantineConfig())
    frame = SENDER.frame([window(6, start_of(8), boot=2, end_uptime_s=900)])[:-1] + b"\0"
    quarantine.add([Refused(start_of(9) * 1000, "T0001", "", "mac", 9, len(frame), frame)])
    quarantine.close()
    return path


def test_each_missing_interval_is_listed_by_day_with_its_cause(config: Path) -> None:
    """S-11"""
    found = run_json(config, *DAY)
    assert [(row["from"][11:16], row["windows"], row["state"], row.get("cause")) for row in found["gap"]] == [
        ("00:30", 1, "missing", "meter_silent"),
        ("00:45", 1, "late", None),
        ("01:00", 4, "missing", "terminal_off"),
        ("02:00", 1, "missing", "refused"),
        ("02:30", 6, "missing", "link_down"),
    ]
    assert found["gap"][0]["none_because"] == 1
    assert found["day"] == [
        {
            "terminal": "T0001",
            "day": "2026-03-01",
            "utc_offset_h": 8,
            "due": 16,
            "received": 4,
            "late": 1,
            "not_due": 0,
            "missing": {"meter_silent": 1, "terminal_off": 4, "refused": 1, "link_down": 6},
            "completeness": 0.25,
        }
    ]
    assert found["total"][0]["missing_link_down"] == 6


def test_a_day_ends_where_the_operator_lives(config: Path) -> None:
    span = ("--from", "2026-02-28T12:00:00Z", "--to", "2026-03-01T03:00:00Z")
    assert [row["day"] for row in run_json(config, *span, "--utc-offset", "0")["day"]] == ["2026-03-01"]
    assert [row["due"] for row in run_json(config, *span, "--utc-offset", "-1")["day"]] == [4, 8]


def test_nothing_is_due_before_a_terminal_was_commissioned_or_after_it_was_revoked(config: Path) -> None:
    terminals = config.parent / "terminals.toml"
    text = terminals.read_text()

    def due(line: str) -> list[tuple[int, int]]:
        terminals.write_text(text.replace('id = "T0001"\n', f'id = "T0001"\n{line}\n'))
        return [(row["due"], row["received"]) for row in run_json(config, *DAY)["day"]]

    assert due("commissioned = 2026-03-01T00:05:00Z") == [(15, 3)]
    assert due("commissioned = 2026-03-02T00:00:00Z") == []
    assert due("revoked = 2026-03-01T02:00:00Z") == [(8, 3)]
    assert due("") == [(16, 4)]
    early = "2026-02-28T23:00:00Z"
    terminals.write_text(text.replace('id = "T0001"\n', f'id = "T0001"\ncommissioned = {early}\n'))
    found = run_json(config, "--from", early, "--to", "2026-03-01T00:00:00Z")
    assert [(row["windows"], row["cause"]) for row in found["gap"]] == [(4, "terminal_off")]


def test_what_is_missing_without_a_cause_ends_with_1_and_is_said(config: Path) -> None:
    journal = Journal(config.parent / "data", VerifyConfig())
    frame = SENDER.frame([window(9, start_of(12), boot=2, end_uptime_s=4500)])
    commit(journal, [accept(SENDER, frame, now_s=start_of(13))])
    journal.close()
    found = run_json(config, *DAY, status=1)  # number 8 was promised, more than a day ago, and never came
    assert [(row["windows"], row["cause"]) for row in found["gap"] if row["from"] > "2026-03-01T02:30"] == [
        (2, "unknown"),
        (3, "link_down"),
    ]
    code, said = run(config, *DAY)
    assert (code, "no cause known / 原因不明" in said, "< 90 %" in said) == (1, True, True)


def test_wrong_spans_and_terminals_are_said_to_be(config: Path) -> None:
    assert run(config, "--from", "yesterday")[0] == 2
    assert run(config, "--from", "2026-03-02", "--to", "2026-03-01")[0] == 2
    code, said = run(config, "--terminal", "T0404")
    assert (code, "not in " in said and "terminals.toml" in said) == (1, True)
    assert run_json(config, *DAY, "--terminal", "T0001")["day"]


def test_a_terminal_never_heard_of_owes_since_it_was_commissioned(config: Path) -> None:
    terminals = config.parent / "terminals.toml"
    text = terminals.read_text().replace("T0001", "T0002", 1)
    terminals.write_text(terminals.read_text() + text.replace('id = "T0002"\n', 'id = "T0002"\n'))
    assert not run_json(config, *DAY, "--terminal", "T0002")["day"]
    terminals.write_text(terminals.read_text() + "commissioned = 2026-03-01T00:00:00Z\n")
    found = run_json(config, *DAY, "--terminal", "T0002")
    assert [(row["windows"], row["cause"]) for row in found["gap"]] == [(16, "link_down")]
