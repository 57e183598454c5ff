"""`wattline field`: what a technician sees."""

import json
import pathlib
import shutil

from typer.testing import CliRunner

from firmware.field.cli import PROFILES, app


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
