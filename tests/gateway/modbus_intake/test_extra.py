"""pymodbus is an extra's: named in one module, loaded only where there are lines, missed before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import modbus_intake
from gateway.app import Loaded
from protocol.host.strict import ConfigError
from tests.gateway.support import ROOT, Sender, write_config

LINES = """
[[modbus]]
name = "bus"
serial = "/dev/no-such-line"
terminals = [{id = "T0001", unit = 3}]

[[modbus]]
name = "shed"
host = "192.0.2.1"
terminals = [{id = "T0002"}]
"""


def test_one_module_names_pymodbus() -> None:
    named = [
        file
        for file in (ROOT / "gateway").rglob("*.py")
        if "import pymodbus" in (text := file.read_text()) or "from pymodbus" in text
    ]
    assert [file.name for file in named] == ["link.py"]


def test_a_gateway_without_lines_does_not_load_it() -> None:
    code = (
        "import sys, gateway.app, gateway.cli; print([name for name in ('pymodbus', 'serial') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lines_that_are_right_are_taken_though_nobody_is_there(tmp_path: Path) -> None:
    senders = [Sender("T0001"), Sender("T0002")]
    loaded = Loaded(write_config(tmp_path, 1, senders, LINES))
    assert [line.name for line in loaded.config.modbus] == ["bus", "shed"]


def test_a_package_that_is_not_installed_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modbus_intake, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError) as refused:
        Loaded(write_config(tmp_path, 1, [Sender("T0001"), Sender("T0002")], LINES))
    assert [problem.text for problem in refused.value.problems] == [
        "needs a package / 需要软件包 pymodbus; run / 请运行: pip install 'wattline[modbus]'",
        "needs a package / 需要软件包 serial; run / 请运行: pip install 'wattline[modbus]'",
    ]
