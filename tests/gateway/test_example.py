"""The example configuration is one that works: an operator begins by copying it."""

import json
import os
import shutil
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app

EXAMPLE = Path(__file__).parents[2] / "deploy" / "example"


def test_the_example_passes_the_check_once_its_key_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "wattline"
    shutil.copytree(EXAMPLE, folder)
    (folder / "platform.toml").chmod(0o640)  # it has passwords
    command = ["check", "--config", str(folder / "gateway.toml"), "--json"]

    without_key = CliRunner().invoke(app, command)
    assert without_key.exit_code == 1
    assert [one["key"] for one in json.loads(without_key.stdout)["problems"]] == ["terminal[0].keys[0].file"]

    (folder / "keys").mkdir()
    key = folder / "keys" / "T0001.1.hex"
    key.touch(mode=0o600)
    key.write_text(os.urandom(32).hex())
    with_key = CliRunner().invoke(app, command)
    assert with_key.exit_code == 0, with_key.stdout
    assert json.loads(with_key.stdout) == {
        "ok": True,
        "problems": [],
        "warnings": [],
        "terminals": 1,
        "sinks": ["province"],
    }
