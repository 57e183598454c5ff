"""`wattline field`: what a technician sees."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from firmware.field.cli import PROFILES, app

REPO = pathlib.Path(__file__).resolve().parent.parent.parent


def test_every_profile_of_the_terminal_is_listed_and_can_be_used() -> None:
    result = CliRunner().invoke(app, ["profiles", "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)["profiles"]
    assert [one["name"] for one in listed] == sorted(path.stem for path in PROFILES.glob("*.json"))
    assert {"dtsu666", "sdm630"} <= {one["name"] for one in listed}
    assert all("p_w" in one["quantities"] and one["reads"] for one in listed)


def test_list_for_people() -> None:
    result = CliRunner().invoke(app, ["profiles"])
    assert result.exit_code == 0
    assert "dtsu666: CHINT DTSU666" in result.stdout


def test_profile_that_cannot_be_used_is_named_and_the_others_are_listed(tmp_path: pathlib.Path) -> None:
    shutil.copy(PROFILES / "sdm630.json", tmp_path)
    (tmp_path / "broken.json").write_text("{")
    result = CliRunner().invoke(app, ["profiles", "--directory", str(tmp_path)])
    assert result.exit_code == 1
    assert "broken: cannot be used / 不可用" in result.stdout
    assert "sdm630: " in result.stdout


def test_no_profiles_and_no_folder(tmp_path: pathlib.Path) -> None:
    empty = CliRunner().invoke(app, ["profiles", "--directory", str(tmp_path)])
    assert empty.exit_code == 0
    assert "没有电表型号文件" in empty.stdout
    missing = CliRunner().invoke(app, ["profiles", "--directory", str(tmp_path / "none")])
    assert missing.exit_code == 2


TERMINAL = {
    "terminal": "T0001",
    "sample_interval_s": 60,
    "buses": [
        {
            "uart": 0,
            "baud": 9600,
            "parity": "N",
            "stop": 1,
            "meters": [
                {"address": 1, "profile": "sdm630", "point": 1, "ct_ratio": 1, "pt_ratio": 1, "timeout_ms": 300},
                {
                    "address": "202603010012",
                    "profile": "dlt645_3p",
                    "point": 2,
                    "ct_ratio": 40,
                    "pt_ratio": 1,
                    "timeout_ms": 1000,
                    "baud": 2400,
                    "parity": "E",
                },
            ],
        }
    ],
    "points": [
        {"number": 1, "name": "furnace", "kind": "production", "run_threshold_w": 500},
        {"number": 2, "name": "scrubber", "kind": "treatment", "run_threshold_w": 500},
    ],
    "mqtt": {"host": "127.0.0.1", "port": 1883, "keepalive_s": 60},
    "uplink": {"ack_timeout_ms": 10000, "unacked_frames": 8, "records_per_frame": 8},
}


def checked(folder: pathlib.Path, key: str = "", value: object = None) -> Any:
    """`wattline field check` of the configuration above, its second meter changed."""
    content = json.loads(json.dumps(TERMINAL))
    if key:
        content["buses"][0]["meters"][1][key] = value
    file = folder / "terminal.json"
    file.write_text(json.dumps(content))
    return CliRunner().invoke(app, ["check", str(file)])


def test_a_right_configuration_is_checked_with_its_meters(tmp_path: pathlib.Path) -> None:
    """P-87"""
    result = checked(tmp_path)
    assert result.exit_code == 0, result.output
    assert "202603010012 2400 8E1 dlt645_3p" in result.stdout
    assert "T0001: can be used / 可用" in result.stdout


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("address", 1, "buses[0].meters[1].address"),  # two meters with one address
        ("address", 7, "buses[0].meters[1].address"),  # a number, for a meter that has 12 digits
        ("profile", "sdm630", "buses[0].meters[1].address"),
        ("profile", "nosuch", "nosuch.json"),
        ("circuit", 2, "buses[0].meters[1].circuit"),
        ("baud", 300, "buses[0].meters[1].baud"),
        ("point", 1, "buses[0].meters[1].point"),
    ],
)
def test_a_wrong_one_is_refused_with_file_key_and_reason_as_on_the_terminal(
    tmp_path: pathlib.Path, key: str, value: object, said: str
) -> None:
    """P-87"""
    result = checked(tmp_path, key, value)
    assert result.exit_code == 1
    assert said in result.output
    assert "allowed / 允许" in result.output


def test_a_wrong_profile_is_refused_by_the_same_code_on_the_terminal(tmp_path: pathlib.Path) -> None:
    """P-87: the real VM, with a profile that names one register twice."""
    described = json.loads((PROFILES / "sdm630.json").read_text())
    described["quantities"]["p_w"]["register"] = "0x0001"
    (tmp_path / "wrong.json").write_text(json.dumps(described))
    program = f"from terminal import profile\nprofile.load('wrong', {str(tmp_path)!r})\n"
    said = [
        subprocess.run(
            [*command, "-c", program],
            env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path.rpartition(":")[0]},
            capture_output=True,
            check=False,
        )
        for command in ([sys.executable], [str(REPO / "build/vm32/micropython")])
        for path in [f"{REPO}:{REPO / 'firmware/device'}:.frozen"]
    ]
    words = [done.stderr.decode().splitlines()[-1].partition("ConfigError: ")[2] for done in said]
    assert words[0] == words[1]
    assert words[0].startswith("wrong.json: quantities.p_w: ")
    assert "overlaps quantities.ua_dv" in words[0]
