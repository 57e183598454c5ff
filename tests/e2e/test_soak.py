"""P-434: a soak plays real processes, and says what it measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def test_a_short_soak_of_real_processes_loses_nothing_and_measures_each(tmp_path: Path) -> None:
    """P-434: the shortest that there is; too short to judge what grows, and it says that (P-471)."""
    command = [str(Path(sys.executable).with_name("wattline")), "hil", "soak", "--minutes", "1", "--seed", "5"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "soak")], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 3, done.stdout + done.stderr
    found = json.loads((tmp_path / "soak" / "soak.json").read_text())
    assert found["verdict"] == "too short to judge"
    assert found["report"]["windows"]["closed"] == found["report"]["windows"]["journalled"] >= 16
    assert "too short to judge / 时间太短: broker, gateway" in done.stdout
    assert found["report"]["verdict"] == "pass"
    looked_at = {(one[0], one[1]) for one in found["growth"]}
    for name in ("gateway", "broker", "terminal T0001", "terminal T0004"):
        assert {(name, unit) for unit in ("memory_mib", "descriptors", "threads")} <= looked_at
    assert {"bytes_a_window", "files", "log_mib"} <= {unit for name, unit in looked_at if name == "gateway's folder"}
    assert (tmp_path / "soak" / "soak.png").stat().st_size > 10_000
    assert "Again: `wattline hil soak --minutes 1 --seed 5`" in (tmp_path / "soak" / "soak.md").read_text()
