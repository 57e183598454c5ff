"""`wattline gateway tail`: each record once, in order, while they come."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.journal.spans import Entry
from gateway.tail import described, line
from protocol import record
from tests.gateway.support import NOW_S, ROOT, Sender, accept, commit, event, reading, window, write_config

SENDER, OTHER = Sender(), Sender("T0002", b"2" * 32)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = write_config(tmp_path, 1883, [SENDER, OTHER])
    journal = Journal(tmp_path / "data", VerifyConfig())
    silent = event(2, NOW_S - 500, code=record.METER_SILENT, point=2, values=[1])
    odd = event(3, None, code=77, values=[5, 6])
    commit(
        journal,
        [
            accept(SENDER, SENDER.frame([window(1, NOW_S - 1800, [reading(), 1, None, 9]), silent, odd])),
            accept(OTHER, OTHER.frame([window(1, None, boot=4)])),
            accept(SENDER, SENDER.frame([window(4, NOW_S - 900, [reading(e_import_wh=5, p_mean_w=None, p_min_w=None,
                                                                        p_max_w=None)])])),
        ],
    )  # fmt: skip
    journal.close()
    return path


def tail(config: Path, *more: str) -> list[str]:
    answer = CliRunner().invoke(app, ["tail", "--config", str(config), *more])
    assert answer.exit_code == 0, answer.output
    return answer.stdout.splitlines()


def test_a_line_says_what_a_record_says(config: Path) -> None:
    received = "2026-03-01T00:00:00Z"
    power = "4000 W 1000000 Wh 900 s running"
    slots = f"1: {power} | 2: none (silent) | 4: none (unknown)"
    first = f"{received}  T0001  00000007/1 | window 2026-02-28T23:30:00Z +900 s"
    last = f"{received}  T0001  00000007/4 | window 2026-02-28T23:45:00Z +900 s"
    assert tail(config) == [
        f"{first} | {slots} | MARKED point_unknown 2, point_unknown 4",
        f"{received}  T0001  00000007/2 | event 2026-02-28T23:51:40Z meter_silent point 2 none_reason 1",
        f"{received}  T0001  00000007/3 | event no time yet code_77 value_1 5, value_2 6",
        f"{received}  T0002  00000007/1 | window no time yet +900 s | 1: {power}",
        f"{last} | 1: 5 Wh 900 s running | MARKED energy_fell 1",
    ]


def test_json_has_every_value_and_the_count_and_terminal_are_obeyed(config: Path) -> None:
    found = [json.loads(line) for line in tail(config, "--json", "--count", "2")]
    assert [one["record"] for one in found] == [4, 5]
    assert found[1]["points"]["1"] == {
        "first_s": 2, "last_s": 3, "run_s": 900, "e_import_wh": 5, "flags": 0, "missed": 0,
    }  # fmt: skip
    assert found[1]["marks"] == [{"check": "energy_fell", "point": 1}]
    assert found[1]["time_unix_s"] == NOW_S - 900
    assert "time" not in found[0]
    assert [json.loads(line)["terminal"] for line in tail(config, "--json", "--terminal", "T0002")] == ["T0002"]
    assert tail(config, "--terminal", "T0404") == []


def test_following_shows_each_record_once_as_it_is_journaled_and_ends_at_a_signal(config: Path) -> None:
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "tail", "--config", str(config)]
    process = subprocess.Popen([*command, "--follow", "--json", "--count", "1"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    timer = threading.Timer(30, process.kill)
    timer.start()
    lines: list[dict[str, Any]] = [json.loads(process.stdout.readline())]
    journal = Journal(config.parent / "data", VerifyConfig())
    for number in range(5, 25):
        commit(journal, [accept(SENDER, SENDER.frame([window(number, NOW_S - 900)]))])
    lines += [json.loads(process.stdout.readline()) for _ in range(20)]
    journal.close()
    timer.cancel()
    process.send_signal(2)
    assert process.wait(30) == 0
    process.stdout.close()
    assert [one["seq"] for one in lines] == list(range(4, 25))


def test_a_meters_state_is_told_in_words() -> None:
    raw = event(2, NOW_S, code=record.METER_STATE, point=1, values=[0b1_000_001, 0])
    entry = Entry(1, 7, 2, record.EVENT, NOW_S, 0, 3, 60, NOW_S * 1000, [])
    found = described("T0001", entry, raw)
    assert found["state"] == ["voltage_lost_a", "reverse_a"]
    assert line(found).endswith("meter_state point 1 bits_now 65, bits_before 0 (voltage_lost_a, reverse_a)")
