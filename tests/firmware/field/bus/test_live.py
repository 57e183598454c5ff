"""Planned points are read over a real pty, with each phase's power; a model's phases are what the meter truly has."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from terminal import profile
from terminal.bus import Line, Meter
from typer.testing import CliRunner

from firmware.field.bus import phases, recognise, snapshot, steps
from firmware.field.bus.adapter import Adapter
from firmware.field.bus.points import Planned
from firmware.field.cli import app
from hil.meter import read_profile
from tests.firmware.field.bus.conftest import Meters

LINE = Line(9600, "N", 1)
ADDRESSES = {
    one.name: (f"20260301{at:04d}" if one.protocol_name == "dlt645" else at)
    for at, one in enumerate(recognise.models(), 1)
}
WITH_PHASES = sorted(path.stem for path in phases.FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def port(meters: Meters) -> str:
    return meters(
        [
            {"address": address, "profile": name, "ct_ratio": ratio(name), "circuit": circuit}
            for name, address in ADDRESSES.items()
            for circuit in range(1, read_profile(name).get("circuits", 1) + 1)
        ]
    )


def ratio(name: str) -> int:
    return 1 if read_profile(name)["ratios_applied"] else 10


def planned(name: str, address: int | str | None = None) -> Planned:
    model = next(one for one in recognise.models() if one.name == name)
    meter = Meter(address or ADDRESSES[name], 1, model, (ratio(name), 1), 2000, LINE)
    return Planned(1, name, "production", 0, meter)


@pytest.mark.parametrize("name", WITH_PHASES)
def test_each_phases_power_is_read_and_together_they_are_the_total(port: str, name: str) -> None:
    """P-294"""
    with Adapter(port) as bus:
        taken = snapshot.take(bus, planned(name))
    assert taken.said == ""
    powers = [taken.phases[f"p{letter}_w"] for letter in "abc"]
    assert all(powers), taken
    whole = taken.values["p_w"]
    assert whole == pytest.approx(5000, rel=0.01)
    assert sum(power or 0 for power in powers) == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("name", WITH_PHASES)
def test_a_map_of_phases_names_what_the_tool_knows_inside_what_the_meter_lets_read(name: str) -> None:
    content = phases.content(name)
    assert set(content) <= {"source", "readable", "quantities"}
    assert set(content["quantities"]) <= set(phases.NAMES)
    meter = phases.of_meter(planned(name).meter)
    assert len(meter.plan().reads) <= 2
    readable = [(int(first, 16), int(last, 16)) for first, last in read_profile(name).get("readable", [])]
    for read in meter.plan().reads:
        if meter.profile.protocol_name == "modbus-rtu":
            assert any(first <= read.first and read.first + read.count - 1 <= last for first, last in readable)


def test_a_model_without_phases_is_read_without_them(port: str) -> None:
    with Adapter(port) as bus:
        taken = snapshot.take(bus, planned("dlt645_1p"))
    assert (taken.said, taken.phases) == ("", {})
    assert taken.values["ua_dv"] == pytest.approx(2300, rel=0.03)
    assert taken.knows_states


def test_a_silent_point_is_named_and_the_others_are_read(port: str) -> None:
    points = [planned("sdm630"), Planned(2, "gone", "other", 0, planned("sdm630", 200).meter)]
    with Adapter(port) as bus:
        outcome = steps.run_live(bus, points)
    assert [(finding.code, outcome.exit_status) for finding in outcome.findings] == [("silent", 1)]
    assert [one["said"] for one in outcome.data["points"]] == ["", "silent"]


def test_live_values_of_a_terminals_configuration(port: str, tmp_path: Path) -> None:
    meter = {"address": ADDRESSES["sdm630"], "profile": "sdm630", "point": 1, "ct_ratio": 1, "pt_ratio": 1}
    config = {
        "terminal": "T001",
        "sample_interval_s": 5,
        "buses": [{"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": [{**meter, "timeout_ms": 2000}]}],
        "points": [{"number": 1, "name": "press", "kind": "production", "run_threshold_w": 100}],
        "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60},
        "uplink": {"ack_timeout_ms": 1000, "unacked_frames": 8, "records_per_frame": 8},
    }
    file = tmp_path / "terminal.json"
    file.write_text(json.dumps(config))
    result = CliRunner().invoke(app, ["live", "--port", port, "--plan", str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["data"]["points"][0]["values"]["p_w"] == pytest.approx(5000, rel=0.01)
    dry = CliRunner().invoke(app, ["live", "--port", "/dev/none", "--plan", str(file), "--dry-run"])
    assert dry.exit_code == 0
    assert "1 press: 9600 8N1" in dry.output
    told = CliRunner().invoke(app, ["live", "--port", "/dev/none", "--plan", str(file), "--dry-run", "--json"])
    assert json.loads(told.stdout)["points"][0]["line"] == "9600 8N1"


def test_the_phases_of_every_model_are_in_its_own_scale() -> None:
    """A secondary-side model's phases get the ratio that its total gets."""
    for name in WITH_PHASES:
        meter = planned(name).meter
        power = meter.profile.measured("p_w")
        assert power is not None
        for one in phases.of_meter(meter).profile.quantities[profile.MEASURED]:
            assert (one.by_ct, one.by_pt) == (power.by_ct, power.by_pt)
            if one.name.startswith("p"):
                assert Fraction(one.numerator, one.denominator) == Fraction(power.numerator, power.denominator)
