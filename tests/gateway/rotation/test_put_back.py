"""A gateway that is put back to a backup of the time before a change of keys: who can't be heard, and how they are."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.backup.backup import backup
from gateway.rotation import changes
from gateway.rotation.store import FILE
from tests.gateway.rotation.world import Box, House, fleet, talk
from tests.gateway.support import Sender, write_config

NAMES = ("T0001", "T0002")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, 1883, [Sender(name) for name in NAMES])


@pytest.fixture
def world(config: Path) -> tuple[House, dict[str, Box]]:
    """Both were heard; then a backup was made, and one's key changed."""
    (config.parent / "data").mkdir()
    house, boxes = fleet(config.parent / "data", *NAMES)
    for box in boxes.values():
        talk(house, box)
    backup(house.folder, config.parent / "copy", house.clock.now_ms)
    house.order("T0001")
    for _ in range(4):
        talk(house, boxes["T0001"])
        house.step(changes.AGAIN_MS // 1000)
    assert house.change("T0001").state == changes.CONFIRMED
    house.close()
    return house, boxes


def run(config: Path, *words: str) -> str:
    done = CliRunner().invoke(cli.app, [words[0], "--config", str(config), *words[1:]])
    assert done.exit_code == 0, done.output
    return done.stdout


def put_back(config: Path, *words: str) -> str:
    data = config.parent / "data"
    return run(config, "restore", "--from", str(config.parent / "copy"), "--force", str(data), *words)


def test_the_terminals_that_changed_their_keys_since_are_named_and_heard_again_by_what_was_replaced(
    config: Path, world: tuple[House, dict[str, Box]]
) -> None:
    """P-499: at `restore`, in both languages, with the command that brings the keys back."""
    house, boxes = world
    said = put_back(config)
    assert "can't be heard / 此后更换过密钥、无法接收的终端: T0001\n" in said
    (command,) = [line.split(": ", 1)[1] for line in said.splitlines() if f"{FILE}*" in line]
    program, *words, target = command.split()
    assert (program, words[0], Path(target)) == ("cp", "-p", house.folder)
    source = Path(words[1])
    house.open()
    assert (bool(talk(house, boxes["T0002"])), talk(house, boxes["T0001"])) == (True, [])
    house.close()
    for file in source.parent.glob(source.name):
        shutil.copy(file, target)
    house.open()
    assert talk(house, boxes["T0001"])
    house.close()


def test_check_names_who_seals_by_a_newer_key_until_a_key_is_there(
    config: Path, world: tuple[House, dict[str, Box]]
) -> None:
    """P-499: also where nothing is known of what was replaced; who is not admitted is not named."""
    house, boxes = world
    assert json.loads(put_back(config, "--json"))["unheard"] == ["T0001"]
    shutil.rmtree(next(house.folder.glob("replaced-*")))
    assert warned(config) == []
    house.open()
    talk(house, boxes["T0001"])
    house.hear("T0009", Sender("T0009", generation=7).frame([boxes["T0001"].log[1]]))
    house.close()
    ((name, text),) = warned(config)
    assert name == "T0001"
    assert "seals by key 2, and the newest here is 1 / 终端密钥比网关新" in text
    lay(config, boxes["T0001"])
    assert warned(config) == []


def test_nothing_is_named_where_no_key_changed(config: Path, world: tuple[House, dict[str, Box]]) -> None:
    """P-499: also where what was replaced can't be read any more."""
    house, _ = world
    put_back(config)
    assert json.loads(put_back(config, "--json"))["unheard"] == []
    (house.folder / FILE).write_bytes(b"rotten" * 1000)
    done = CliRunner().invoke(
        cli.app,
        ["restore", "--config", str(config), "--from", str(config.parent / "copy"), "--force", str(house.folder)],
    )
    assert (done.exit_code, f"{FILE}: can't be read" in done.stderr) == (0, True)


def lay(config: Path, box: Box) -> None:
    """A technician's key of the generation that it seals by comes into terminals.toml."""
    generation, secret = box.secret
    (config.parent / "laid.hex").write_text(secret)
    (config.parent / "laid.hex").chmod(0o600)
    terminals = config.parent / "terminals.toml"
    text, name = terminals.read_text(), box.sender.name
    entry = f'{{generation = {generation}, file = "laid.hex"}}'
    begin, end = text.split(f'id = "{name}"')
    terminals.write_text(f'{begin}id = "{name}"{end.replace("keys = [", f"keys = [{entry}, ", 1)}')


def warned(config: Path) -> list[tuple[str, str]]:
    found = json.loads(run(config, "check", "--json"))["warnings"]
    return [(one["key"], one["problem"]) for one in found if one["file"].endswith(FILE)]
