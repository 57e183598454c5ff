"""The technician's question for a meter's address: over a real pty, to an emulated meter that hears one speed only."""

import json
import sys
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from firmware.field.bus.who import REQUEST, addresses_in
from firmware.field.cli import app
from hil.clock import ScaledClock
from hil.meter_capture import problem_with
from hil.process import Process

ANSWER = bytes.fromhex("FE FE FE FE 68 12 00 01 03 26 20 68 93 06 45 33 34 36 59 53 53 16")
METER = "202603010012"


def test_the_worked_answer_is_read_and_no_beginning_of_it() -> None:
    assert addresses_in(ANSWER) == [METER]
    assert [addresses_in(ANSWER[:end]) for end in range(len(ANSWER))] == [[]] * len(ANSWER)


@given(st.binary(max_size=30), st.integers(0, 17), st.integers(1, 255))
def test_it_is_found_behind_noise_and_an_echo_and_damage_is_no_address(noise: bytes, at: int, change: int) -> None:
    assert addresses_in(noise + REQUEST + ANSWER) == [METER]
    damaged = bytearray(ANSWER[4:])
    damaged[at] ^= change
    assert addresses_in(bytes(damaged)) == []


def test_a_terminal_may_not_ask_it() -> None:
    """S-18"""
    assert problem_with(REQUEST)


def test_the_one_meter_on_a_bus_is_found_with_its_speed(tmp_path: Path) -> None:
    meter = {"address": METER, "profile": "dlt645_1p", "baud": 9600, "load": {"kind": "constant", "rated_w": 1}}
    config = tmp_path / "meters.json"
    config.write_text(json.dumps({"meters": [meter], "log": "served.jsonl"}))
    command = [sys.executable, "-m", "hil.meters", "--config", str(config)]
    clock = ScaledClock(time.time_ns(), 1772380800_000, 1)
    with Process("meters", command, tmp_path / "log", clock.env()) as process:
        process.start()
        port = process.wait_for_line(r'^\{"pty": "(/dev/[^"]+)"\}$', 20)[1]
        # a pty has no parity
        result = CliRunner().invoke(app, ["find-meter", "--port", port, "--parity", "N", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"address": METER, "baud": 9600}


def test_a_port_that_is_not_there_is_named() -> None:
    result = CliRunner().invoke(app, ["find-meter", "--port", "/dev/no-such-port"])
    assert result.exit_code == 2
    assert "/dev/no-such-port" in result.output
