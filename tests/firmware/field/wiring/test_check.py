"""The wiring check through the real reader over a pty: meters emulated from phasors, each with its own mistake."""

import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from terminal.bus import Line, Meter
from typer.testing import CliRunner

from firmware.field.bus import recognise
from firmware.field.bus.adapter import Adapter
from firmware.field.bus.points import Planned
from firmware.field.cli import app
from firmware.field.outcome import Outcome
from firmware.field.wiring.facts import Told
from firmware.field.wiring.steps import Standing, run_check
from hil.meter_phasors import PhaseLoad
from hil.miswired.faults import FAULTS, Case, Loads, shared
from tests.firmware.field.bus.conftest import Meters

LINE = Line(9600, "N", 1)
WAIT_S = 60.0  # a busy machine
RATED_W = 60_000
POWER_W = 30_000
CASES = {name: fault(random.Random(name)) for name, fault in FAULTS.items()}
LOADS = {name: shared(random.Random(name), POWER_W, 0.85, uneven=0.1) for name in FAULTS}
MODEL = {name: "dlt645_1p" if case.single else "dlt645_3p" for name, case in CASES.items()}
NUMBERS = {name: number for number, name in enumerate(FAULTS, 1)}


def meter_of(name: str, address: int | str, model: str) -> dict[str, Any]:
    return {"address": address, "profile": model, "load": load_of(CASES[name], LOADS[name]), "ct_ratio": ct(model)}


def load_of(case: Case, loads: Loads) -> dict[str, Any]:
    if case.single:
        loads = (loads[0], PhaseLoad(0, 1000), PhaseLoad(0, 1000))
    wires = msgspec.to_builtins(case.wires)
    return {"kind": "phasors", "phases": msgspec.to_builtins(loads), "wires": wires, "noise_permille": 3, "seed": 1}


def ct(model: str) -> int:
    return 1 if model == "sdm630" else 40


def address_of(name: str) -> str:
    return f"20260302{NUMBERS[name]:04d}"


@pytest.fixture(scope="module")
def port(meters: Meters) -> str:
    """Every mistake at an address of DL/T 645, and some of sdm630 for the rounds: production 1, treatment 2."""
    described = [meter_of(name, address_of(name), MODEL[name]) for name in FAULTS]
    small = shared(random.Random(1), 6_000, 0.9, uneven=0.05)
    well = {"profile": "sdm630", "ct_ratio": 1}
    return meters(
        [
            *described,
            {**well, "address": 1, "load": load_of(CASES["well"], LOADS["well"])},
            {**well, "address": 2, "load": load_of(CASES["well"], small)},
            {**well, "address": 3, "load": load_of(CASES["one CT turned round"], LOADS["well"])},
        ]
    )


def planned(number: int, address: int | str, model: str, kind: str = "production", rated_w: int = RATED_W) -> Planned:
    profile = next(one for one in recognise.models() if one.name == model)
    return Planned(
        number, f"point{number}", kind, 0, Meter(address, number, profile, (ct(model), 1), 2000, LINE), rated_w
    )


class Says:
    """A technician with these answers, one a round."""

    def __init__(self, *rounds: Mapping[int, Told]) -> None:
        self.rounds = list(rounds)
        self.seen: list[list[str]] = []

    def __call__(self, standings: Sequence[Standing]) -> Mapping[int, Told] | None:
        self.seen.append(["" if one.verdict is None else one.verdict.state for one in standings])
        return self.rounds.pop(0) if self.rounds else None


def test_every_mistake_is_named_through_the_real_reader(port: str) -> None:
    """P-295"""
    points = [planned(NUMBERS[name], address_of(name), MODEL[name]) for name in FAULTS]
    told = {NUMBERS[name]: Told(CASES[name].running, POWER_W if CASES[name].running else None) for name in FAULTS}
    other = NUMBERS["CTs on another feeder"]  # in one moment with one that shows nothing, they look exchanged
    rounds = {number: one for number, one in told.items() if number != other}, {other: told[other]}
    with Adapter(port) as bus:
        outcome = run_check(bus, points, Says(*rounds), every_s=0)
    assert outcome.state == "failed"
    said = {
        one["point"]: {(m["code"], m["phases"]) for m in one["mistakes"] if m["state"] == "failed"}
        for one in outcome.data["points"]
    }
    for name, case in CASES.items():
        assert said[NUMBERS[name]] == set(case.right), name
    assert Outcome.from_json(json.loads(json.dumps(outcome.as_json()))).state == outcome.state


def test_production_and_treatment_exchanged_are_named(port: str) -> None:
    """P-297"""
    points = [planned(1, 2, "sdm630"), planned(2, 1, "sdm630", "treatment", 12_000)]
    told = {1: Told(running=True, power_w=POWER_W), 2: Told(running=True, power_w=6_000)}
    with Adapter(port) as bus:
        outcome = run_check(bus, points, Says(told), every_s=0)
    assert [[m["code"] for m in one["mistakes"]] for one in outcome.data["points"]] == [["points_exchanged"]] * 2
    assert "1 point1 (production) shows what 2 point2 (treatment) draws" in outcome.findings[0].en
    assert "两测点互换" in outcome.findings[0].zh


def test_again_and_again_until_it_passes_and_a_point_that_passed_stays_so(port: str) -> None:
    """P-297: too little load, then the production alone, then the treatment alone."""
    points = [planned(1, 1, "sdm630"), planned(2, 2, "sdm630", "treatment", 12_000)]
    says = Says(
        {1: Told(running=False)},
        {1: Told(running=True, power_w=POWER_W)},
        {1: Told(running=True, power_w=POWER_W), 2: Told(running=True, power_w=6_000)},
    )
    with Adapter(port) as bus:
        outcome = run_check(bus, points, says, every_s=0)
    assert says.seen == [["", ""], ["failed", ""], ["passed", ""]]
    assert outcome.state == "passed"
    assert outcome.exit_status == 0


def test_production_and_treatment_that_draw_alike_are_not_told_apart(port: str) -> None:
    """P-297: that is said, and it is no pass."""
    points = [planned(1, 1, "sdm630"), planned(2, 2, "sdm630", "treatment", 12_000)]
    with Adapter(port) as bus:
        outcome = run_check(bus, points, Says({1: Told(running=True)}, {2: Told(running=True)}), every_s=0)
    assert outcome.state == "cannot_tell"
    assert outcome.findings[-1].code == "not_told_apart"


def configuration(folder: Path) -> Path:
    """A terminal with two points: one is wired well, of the other a transformer is turned round."""
    meter = {"profile": "sdm630", "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 2000}
    bus = {"uart": 0, "baud": 9600, "parity": "N", "stop": 1}
    config = {
        "terminal": "T001",
        "sample_interval_s": 5,
        "buses": [{**bus, "meters": [{**meter, "address": 1, "point": 1}, {**meter, "address": 3, "point": 2}]}],
        "points": [
            {"number": 1, "name": "press", "kind": "production", "run_threshold_w": 100},
            {"number": 2, "name": "oven", "kind": "production", "run_threshold_w": 100},
        ],
        "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60},
        "uplink": {"ack_timeout_ms": 1000, "unacked_frames": 8, "records_per_frame": 8},
    }
    file = folder / "terminal.json"
    file.write_text(json.dumps(config))
    return file


def test_the_command_judges_once_by_what_it_is_told(port: str, tmp_path: Path) -> None:
    file = configuration(tmp_path)
    command = ["check-wiring", "--port", port, "--plan", str(file)]
    told = ["--running", "1=30", "--running", "2=30", "--rated", "1=60", "--rated", "2=60"]
    result = CliRunner().invoke(app, [*command, *told])
    assert result.exit_code == 1, result.output
    turned = CASES["one CT turned round"].wires.turned.index(True)
    assert (
        f"2 oven: the CT of phase {'ABC'[turned]} is turned round / 2 oven：{'ABC'[turned]} 相互感器接反"
        in result.output
    )
    assert "exchange S1 and S2" in result.output
    assert [line for line in result.output.splitlines() if "1 press" in line and "相序" not in line] == []
    command = ["check-wiring", "--port", "none", "--plan", str(file), *told, "--dry-run"]
    wanted = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["points"]
    assert [(one["point"], one["load_w_min"]) for one in wanted] == [(1, 6000), (2, 6000)]
    dry = CliRunner().invoke(app, command)
    assert dry.exit_code == 0
    assert "1 press (production): let it run at 10 % of its rated power at least, 6 kW" in dry.output


@pytest.mark.parametrize("told", ["9=1", "1=-2", "x", "1=much", "1=nan"])
def test_what_was_told_wrongly_is_refused(told: str, tmp_path: Path) -> None:
    file = tmp_path / "terminal.json"
    file.write_text("{}")
    command = ["check-wiring", "--port", "none", "--plan", str(file), "--running", told]
    assert CliRunner().invoke(app, command).exit_code == 2


def test_a_person_at_the_keyboard_is_asked_until_they_end_it(port: str, tmp_path: Path) -> None:
    """P-297: the command in a terminal of its own: told nonsense it asks again, then says what to turn round."""
    file = configuration(tmp_path)
    program = "from gateway.command import main; main()"
    options = ["field", "check-wiring", "--port", port, "--plan", str(file), "--rated", "1=60", "--rated", "2=60"]
    near, far = os.openpty()
    with subprocess.Popen([sys.executable, "-c", program, *options], stdin=far, stdout=far, stderr=far) as running:
        try:
            os.close(far)
            heard = said_until(near, "结束")
            assert "1 press (production): let it run at 10 % of its rated power at least, 6 kW" in heard
            os.write(near, b"7=1\n")
            assert "points / 测点: 1, 2" in said_until(near, "结束")
            os.write(near, b"1=30 2=30\n")
            heard = said_until(near, "结束")
            assert "1 press: passed / 通过" in heard
            assert "2 oven: failed / 未通过" in heard
            assert "exchange S1 and S2" in heard
            os.write(near, b"q\n")
            assert "check-wiring: failed" in said_until(near, "check-wiring: failed")
            assert running.wait(WAIT_S) == 1
        finally:
            running.kill()  # it waits at its keyboard for ever
    os.close(near)


def said_until(near: int, words: str) -> str:
    """What a program says in its terminal, until it says these words."""
    heard, deadline = b"", time.monotonic() + WAIT_S
    while words not in heard.decode(errors="replace"):
        assert time.monotonic() < deadline, heard.decode(errors="replace")
        if select.select([near], [], [], 0.5)[0]:
            heard += os.read(near, 4096)
    return heard.decode().replace("\r\n", "\n")
