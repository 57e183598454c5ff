"""`wattline gateway`: what an operator sees of a gateway that has been at work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from hil.broker import Broker
from tests.gateway.support import NOW_S, Device, Running, Sender, event, reading, window, write_config

SENDER = Sender()


def run(command: str, config: Path, *more: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, [*command.split(), "--config", str(config), *more])
    return answer.exit_code, answer.stdout + answer.stderr


def run_json(command: str, config: Path, *more: str) -> Any:
    status, said = run(command, config, *more, "--json")
    assert status == 0, said
    return json.loads(said)


@pytest.fixture
def config(tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]) -> Path:
    """The files of a gateway that took two windows, one of them marked, an event and three bad frames."""
    path = write_config(tmp_path, broker.port, [SENDER])
    running, terminal = start(path), device()
    falling = window(2, NOW_S - 900, [reading(e_import_wh=5)])
    terminal.publish("T0009", b"\x00")
    terminal.publish("T0001", b"\x00")
    terminal.publish("T0001", SENDER.frame([window(1, NOW_S - 1800), falling, event(3)])[:-1] + b"\x00")
    terminal.publish("T0001", SENDER.frame([window(1, NOW_S - 1800), falling, event(3)]))
    terminal.down(1)
    running.stop()
    return path


def test_what_status_quarantine_and_unknown_say(config: Path) -> None:
    found = run_json("status", config)
    expected = {"frames": 1, "windows": 2, "events": 1, "marked": 1, "records_new": 3}
    assert {name: found["journal"][name] for name in expected} == expected
    assert found["quarantine"] == {"mac": 1, "terminal": 1, "tag": 1}
    assert found["unknown"] == {"terminals": 1}
    assert "windows 2" in run("status", config)[1]

    listed = run_json("quarantine list", config)
    assert [row["reason"] for row in listed["refused"]] == ["mac", "tag", "terminal"]
    assert [row["id"] for row in run_json("quarantine list", config, "--reason", "tag")["refused"]] == [2]
    assert run_json("quarantine list", config, "--source", "T0009")["refused"][0]["received"] == "2026-03-01T00:00:00Z"
    assert "tag @0" in run("quarantine list", config)[1]

    shown = run_json("quarantine show", config, "2")
    assert (shown["data"], shown["reason"], shown["topic"]) == ("00", "tag", "wattline/up/T0001")
    assert "explain --protocol frame" in run("quarantine show", config, "2")[1]
    assert run("quarantine show", config, "99")[0] == 1

    assert [row["terminal"] for row in run_json("unknown", config)["unknown"]] == ["T0009"]
    assert "T0009" in run("unknown", config)[1]


def test_before_the_first_run_status_says_what_to_do(tmp_path: Path) -> None:
    config = write_config(tmp_path, 1883, [SENDER])
    for command in ("status", "unknown", "quarantine list"):
        status, said = run(command, config)
        assert (status, "run the gateway first" in said) == (1, True)


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "check",
        "status",
        "unknown",
        "admit",
        "revoke",
        "gaps",
        "export",
        "backup",
        "restore",
        "quarantine list",
        "quarantine show",
        "quarantine replay",
        "quarantine discard",
        "tail",
        "configure",
        "audit",
    ],
)
def test_help_has_examples_and_exit_codes(command: str) -> None:
    answer = CliRunner().invoke(app, [*command.split(), "--help"])
    assert answer.exit_code == 0
    assert "Examples" in answer.stdout
    assert "Exit status" in answer.stdout


def test_check_touches_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    config = write_config(tmp_path, 1883, [SENDER])
    monkeypatch.setattr("socket.socket", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert run_json("check", config)["ok"] is True
    assert not (tmp_path / "data").exists()


def test_a_log_that_goes_back_is_a_finding_that_status_shows(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    """And one in the metrics."""
    path = write_config(tmp_path, broker.port, [SENDER])
    running, terminal = start(path), device()
    for epoch, seq in ((7, 1), (8, 1), (7, 2)):
        terminal.publish("T0001", SENDER.frame([event(seq)], epoch))
        terminal.down(epoch - 6 if seq == 1 else 3)
    assert run_json("status", path)["findings"] == {"epochs_back": 1, "records_missing": 0, "records_given_up": 0}
    assert "epochs_back 1" in run("status", path)[1]
    assert running.metric("wattline_findings_total", check="epoch_back", severity="note") == 1
