"""Captures of a meters' bus: explained, and proof that no meter was written to."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hil import meter_capture
from hil.cli import app
from hil.meter_capture import CaptureError, Recorder, problem_with, told
from hil.meter_frames import framed, framed_645, take_request

READ = bytes.fromhex("01 03 20 06 00 06 2E 09")
ANSWER = bytes.fromhex("01 03 0C 45 09 90 00 45 09 60 00 45 09 C0 00 77 03")
READ_645 = bytes.fromhex("FE FE FE FE 68 12 00 01 03 26 20 68 11 04 33 33 34 33 0E 16")
ANSWER_645 = bytes.fromhex("68 12 00 01 03 26 20 68 91 08 33 33 34 33 AB 89 67 45 72 16")
METER = "202603010012"


def captured(folder: Path, *rows: tuple[meter_capture.Direction, bytes]) -> Path:
    file = io.StringIO()
    recorder = Recorder(file)
    for number, (to, data) in enumerate(rows):
        recorder.heard(to, data, 1_000_000 + number, 9600)
    path = folder / "bus.jsonl"
    path.write_text(file.getvalue())
    return path


def test_a_capture_of_two_protocols_is_explained_with_the_registers_of_each_request(tmp_path: Path) -> None:
    """P-89"""
    path = captured(tmp_path, ("meters", READ), ("terminal", ANSWER), ("meters", READ_645), ("terminal", ANSWER_645))
    rows = list(told(path))
    assert [row.protocol for row in rows] == ["modbus-rtu", "modbus-rtu", "dlt645", "dlt645"]
    assert [row.finding["verdict"] for row in rows] == ["ok"] * 4
    assert rows[1].finding["fields"]["registers"][0]["address"] == "2006"
    assert rows[3].finding["fields"]["value"] == "123456.78"
    result = CliRunner().invoke(app, ["bus", "--explain", str(path)])
    assert result.exit_code == 0
    assert "123456.78" in result.stdout
    assert "nothing was written / 全部为读命令" in result.stdout


def test_bytes_in_pieces_are_one_request(tmp_path: Path) -> None:
    rows = list(told(captured(tmp_path, ("meters", READ[:3]), ("meters", READ[3:]), ("terminal", ANSWER))))
    assert [row.data for row in rows] == [READ, ANSWER]


@pytest.mark.parametrize(
    "written",
    [
        framed(bytes.fromhex("01 06 00 02 00 01")),
        framed(bytes.fromhex("01 05 00 02 FF 00")),
        framed(bytes.fromhex("01 10 00 02 00 01 02 00 01")),
        framed_645(METER, 0x14, bytes.fromhex("02010004 02000000 00000000 361508")),
        framed_645(METER, 0x1C, bytes(8)),
        framed_645("999999999999", 0x08, bytes.fromhex("361508010326")),
    ],
)
def test_a_write_command_is_found(tmp_path: Path, written: bytes) -> None:
    """S-18: the proof can fail."""
    path = captured(tmp_path, ("meters", READ), ("terminal", ANSWER), ("meters", written))
    assert [bool(row.problem) for row in told(path)] == [False, False, True]
    result = CliRunner().invoke(app, ["bus", "--explain", str(path), "--quiet", "--json"])
    assert result.exit_code == 1
    *rows, count = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["WRITE COMMAND" in row["problem"] for row in rows] == [True]
    assert count["problems"] == 1


def test_what_is_no_request_at_all_is_a_problem_too() -> None:
    assert problem_with(READ) == problem_with(READ_645) == problem_with(READ + READ_645) == ""
    assert problem_with(READ[:-1])
    assert problem_with(b"\x00" * 20)
    assert problem_with(READ + framed(bytes.fromhex("01 06 00 02 00 01")))


def test_lines_of_plain_hex_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(f"{READ.hex(' ')}\n\n{ANSWER_645.hex(':')}\n")
    assert [(row.to, row.finding["verdict"]) for row in told(path)] == [("?", "ok"), ("?", "ok")]
    path.write_text(framed(bytes.fromhex("01 06 00 02 00 01")).hex())
    assert next(told(path)).problem


@pytest.mark.parametrize(
    "line", ["\udc80", '{"t_ms": 1}', "{", "0g", "[]", '{"t_ms": 1, "ended": "the capture is full"}']
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    path = captured(tmp_path, ("meters", READ))
    path.write_bytes(path.read_bytes() + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(CaptureError, match=":2: "):
        list(told(path))
    assert CliRunner().invoke(app, ["bus", "--explain", str(path)]).exit_code == 2


def test_a_capture_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_capture, "BYTES_MAX", 500)
    row: tuple[meter_capture.Direction, bytes] = ("meters", READ)
    path = captured(tmp_path, *[row] * 50)
    assert path.stat().st_size < 800
    with pytest.raises(CaptureError, match="full"):
        list(told(path))


@given(st.binary(max_size=40), st.sampled_from([READ, READ_645]), st.binary(max_size=40))
def test_requests_are_found_behind_noise_and_what_follows_is_kept(noise: bytes, request: bytes, more: bytes) -> None:
    """The emulated meters hear as meters do: a request behind noise is heard, unless the noise promised more."""
    heard = bytearray(request + more)
    found = take_request(heard)
    assert found is not None
    assert found.reads
    assert bytes(heard) == more
    take_request(bytearray(noise))  # whatever it is
