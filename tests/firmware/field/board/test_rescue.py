"""A terminal in trouble, over its console: the real VM with the application installed, its uplink dead."""

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from firmware import image
from firmware.field import cli
from firmware.field.board import install
from firmware.field.board.link import Link
from firmware.field.rescue import asking, keeping
from gateway.cli import app as gateway_app
from gateway.journal.reader import Reader
from hil.board.blank import BlankBoard, blank_board
from protocol import record
from tests.gateway.support import NOW_S, Sender, write_config

pytestmark = pytest.mark.slow
SENDER = Sender()
METER = {"address": 1, "profile": "sdm630", "point": 1, "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 100}
CONFIG = {
    "terminal": SENDER.name,
    "sample_interval_s": 60,
    "buses": [{"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": [METER]}],
    "points": [{"number": 1, "name": "furnace", "kind": "production", "run_threshold_w": 100}],
    "mqtt": {"host": "127.0.0.1", "port": 9, "keepalive_s": 60},
    "uplink": {"ack_timeout_ms": 30000, "records_per_frame": 8, "unacked_frames": 4},
}
STARTS_MAX = 20  # one is enough unless it is interrupted at once
EVENTS = 150  # more than two frames hold
_APPEND = """
from protocol import record
for number in range({events}):
    body = record.Event({now} + number, timer.boot, number, 3, 1, record.MAINS_LOST, None, [])
    store.append(lambda seq: record.encode_event(seq, body))
    feed()
store.close()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    image.build("unix", folder, image.version_here(), 1_800_000_000)
    return folder


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[BlankBoard]:
    """A terminal that is provisioned, with records that nobody has acknowledged."""
    with blank_board(tmp_path_factory.mktemp("board")) as made:
        provision(made, built)
        assert any(began(made) for _ in range(STARTS_MAX))
        with Link(made.port) as link:
            link.run(asking._OPEN + _APPEND.format(events=EVENTS, now=NOW_S))
        yield made


def began(board: BlankBoard) -> bool:
    """Whether a start of the terminal got as far as its first record, before it was interrupted."""
    with Link(board.port, wait_start=True) as link:
        found = asking.newest_records(link, asking.facts(link)["next"] - 1)
    return any(one.type == record.EVENT and one.body.code == record.BOOT for one in found)


def provision(board: BlankBoard, built: Path) -> None:
    with Link(board.port) as link:
        install.carry_out(link, install.plan(link, built), built, lambda _path, _done, _whole: None)
        folder = link.run("import boards\nprint(boards.mount_data())").decode().strip()
        key = {"generation": SENDER.key.generation, "secret": SENDER.secret.hex()}
        link.write(f"{folder}/terminal.json", json.dumps(CONFIG).encode())
        link.write(f"{folder}/key", json.dumps(key).encode())


def field(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def told(*arguments: str) -> dict[str, Any]:
    result = field(*arguments, "--json")
    assert result.exit_code in {0, 1}, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_doctors_page_names_what_is_wrong_and_no_secret(board: BlankBoard) -> None:
    """P-285: and the terminal runs again: another start is in its log."""
    page = told("doctor", "--port", board.port)
    codes = {one["code"] for one in page["findings"]}
    assert "refused" not in page["data"]["facts"], page["data"]["facts"]["refused"]
    assert {"terminal", "backlog", "never_acknowledged", "wear", "starts"} <= codes
    assert page["data"]["facts"]["pending"] >= EVENTS
    text = field("doctor", "--port", board.port)
    assert (text.exit_code, "wattline field pull" in text.stdout) == (1, True)
    assert SENDER.secret.hex() not in json.dumps(page) + text.output
    rows = [
        json.loads(line)
        for line in field("logs", "--port", board.port, "--records", "5000", "--json").stdout.splitlines()
    ]
    assert {"boot", "mains_lost"} <= {row["what"] for row in rows}
    boots = [row["boot"] for row in rows if row["what"] == "boot"]
    assert boots == sorted(set(boots))


def test_pulled_records_come_into_the_journal_once_and_stay_on_the_terminal(board: BlankBoard, tmp_path: Path) -> None:
    """P-289: a frame that is damaged is refused and kept; a second time all are repetitions."""
    file = tmp_path / "T.frames"
    pulled = told("pull", "--port", board.port, "--out", str(file))["data"]
    assert pulled["frames"] > 2
    config = write_config(tmp_path, 1883, [SENDER])
    first = take(config, file)
    assert (first["taken"], first["refused"]) == (pulled["frames"], 0)
    assert journalled(tmp_path) == pulled["records"]
    assert take(config, file)["taken"] == pulled["frames"]
    assert journalled(tmp_path) == pulled["records"]
    again = told("pull", "--port", board.port, "--out", str(file))["data"]
    assert again["records"] >= pulled["records"]
    lines = file.read_text(encoding="ascii").splitlines()
    file.write_text(lines[0].replace(SENDER.name, "T9999") + "\n", encoding="ascii")
    assert take(config, file, status=1)["refused"] == 1
    for line in ("no frames", lines[0].replace(SENDER.name, "../T9999"), lines[0].replace(SENDER.name, "T\\u001b[2J")):
        file.write_text(f"{line}\n", encoding="ascii")
        refused = CliRunner().invoke(gateway_app, ["take", "--config", str(config), str(file)])
        assert (refused.exit_code, "line 1" in refused.output) == (1, True)


def test_a_terminals_name_leads_no_file_out_of_the_folder(
    board: BlankBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-289, P-507: whoever had the flash in hand wrote another name there, and it is rescued by its console."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    with Link(board.port) as link:
        folder = json.loads(link.run(asking.WHERE))[0]
        link.write(f"{folder}/terminal.json", json.dumps({**CONFIG, "terminal": "../../\x9b2J"}).encode())
    try:
        refused = [field(word, "--port", board.port) for word in ("pull", "backup")]
        pages = [field("doctor", "--port", board.port, *more) for more in ([], ["--json"])]
    finally:
        with Link(board.port) as link:
            link.run(asking.WHERE)
            link.write(f"{folder}/terminal.json", json.dumps(CONFIG).encode())
    for one in refused:
        assert one.exit_code == 4
        assert r"../../\x9b2J: no terminal's id" in one.stderr
        assert "\x9b" not in one.output
    for page in pages:
        assert r"\u009b2J" in page.stdout, page.output
        assert "\x9b" not in page.output
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert field("pull", "--port", board.port).exit_code == 0
    assert [path.name for path in tmp_path.rglob("*.frames")] == [f"{SENDER.name}.frames"]


def test_a_backup_has_no_secret_and_goes_back_to_its_terminal_alone(
    board: BlankBoard, built: Path, tmp_path: Path
) -> None:
    """P-289: or, as a replacement, to another board that was provisioned as that terminal."""
    file = tmp_path / "T.zip"
    kept = told("backup", "--port", board.port, "--out", str(file))
    assert "terminal.json" in kept["data"]["names"]
    with zipfile.ZipFile(file) as packed:
        assert all(SENDER.secret.hex().encode() not in packed.read(name) for name in packed.namelist())
    with Link(board.port) as link:
        folder = json.loads(link.run(asking.WHERE))[0]
        link.write(f"{folder}/terminal.json", json.dumps({**CONFIG, "sample_interval_s": 30}).encode())
    assert told("restore", str(file), "--port", board.port)["data"]["names"] == ["terminal.json"]
    with Link(board.port) as link:
        link.run(asking.WHERE)
        assert json.loads(link.read(f"{folder}/terminal.json")) == CONFIG
    assert field("replace", str(file), "--port", board.port).exit_code == 4
    of_another = dataclasses.replace(keeping.unpack(file.read_bytes(), file.name), chip_id="e66118")
    other = tmp_path / "other.zip"
    other.write_bytes(keeping.pack(of_another))
    assert field("restore", str(other), "--port", board.port).exit_code == 4
    assert told("replace", str(other), "--port", board.port)["findings"][0]["code"] == "restored"
    other.write_bytes(keeping.pack(dataclasses.replace(of_another, terminal="T0002")))
    assert field("replace", str(other), "--port", board.port).exit_code == 4
    file.write_bytes(file.read_bytes()[:-40])
    assert field("restore", str(file), "--port", board.port).exit_code == 4


def take(config: Path, file: Path, status: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(gateway_app, ["take", "--config", str(config), str(file), "--json"])
    assert result.exit_code == status, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def journalled(folder: Path) -> int:
    reader = Reader(folder / "data")
    try:
        return len(reader.records_after(0, 10_000))
    finally:
        reader.close()
