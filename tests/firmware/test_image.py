"""The terminal's image: the same commit gives the same bytes, and both VMs run the whole terminal from it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firmware import DEVICE, image
from firmware.field.cli import app
from protocol import record
from tests.firmware.site import START_MS, site

BUILT_S = START_MS // 1000 - 86_400


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_the_same_source_gives_the_same_bytes_wherever_it_is_made(tmp_path: Path) -> None:
    """P-160: no path, no clock of the machine gets in; another build time changes one file and the index."""
    folders = [tmp_path / "a", tmp_path / "another" / "b", tmp_path / "c"]
    sizes = [image.build("rp2", one, (1, 2, 3), BUILT_S + number // 2) for number, one in enumerate(folders)]
    first, second, later = map(contents, folders)
    assert first == second
    assert {name for name, data in first.items() if later[name] != data} == {"index", "terminal/image.mpy"}
    assert sizes[0] == {name: len(data) for name, data in sorted(first.items())}


@pytest.mark.parametrize("board", image.BOARDS)
def test_an_image_has_all_of_the_terminal_and_of_its_board_alone(board: str, tmp_path: Path) -> None:
    """P-160"""
    names = set(image.build(board, tmp_path, (1, 2, 3), BUILT_S))
    others = set(image.BOARDS) - {board}
    assert {f"boards/{board}.mpy", "boards/base.mpy", "main.py", "profiles/dtsu666.json"} <= names
    assert names.isdisjoint(f"boards/{other}.mpy" for other in others)
    modules = {f"terminal/{one.stem}.mpy" for one in (DEVICE / "terminal").glob("*.py")}
    assert {name for name in names if name.startswith("terminal/")} == modules
    assert {name for name in names if name.endswith(".py")} == {"main.py"}


def test_the_command_tells_sizes_and_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(BUILT_S))
    done = CliRunner().invoke(app, ["image", "--board", "esp32s3", "--out", str(tmp_path), "--json"])
    told = json.loads(done.stdout)
    files = told["boards"]["esp32s3"]["files"]
    assert told["built_s"] == BUILT_S
    assert told["boards"]["esp32s3"]["total"] == sum(map(len, image.files_of(tmp_path / "esp32s3").values()))
    assert files["terminal/app.mpy"] > 1000
    unknown = CliRunner().invoke(app, ["image", "--board", "esp8266"])
    assert (unknown.exit_code, "esp32s3" in unknown.output) == (2, True)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    untimed = CliRunner().invoke(app, ["image", "--out", str(tmp_path)])
    assert (untimed.exit_code, "SOURCE_DATE_EPOCH" in untimed.output) == (1, True)


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_the_image_says_its_version_and_build_time_on_the_vm(vm: str, tmp_path: Path) -> None:
    image.build("unix", tmp_path, (1, 2, 3), BUILT_S)
    program = "from terminal import image; print(image.number(), image.BUILT_S)"
    done = subprocess.run(
        [image.ROOT / "build" / vm / "micropython", "-c", program],
        env={**os.environ, "MICROPYPATH": f"{tmp_path}:.frozen"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["1002003", str(BUILT_S)], done.stderr


@pytest.mark.e2e
@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_a_terminal_of_the_image_closes_a_window_and_delivers_it(vm: str, tmp_path: Path) -> None:
    """P-161"""
    image.build("unix", tmp_path / "root", (1, 2, 3), BUILT_S)
    with site(tmp_path, vm, factor=300, root=tmp_path / "root") as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()

            def closed() -> bool:
                return any(one.type == record.WINDOW for one in gateway.records.values())

            gateway.wait("a window", closed, 60)
            made.terminal.kill()
        assert gateway.events(record.BOOT)[0].values[1] == 1_002_003
