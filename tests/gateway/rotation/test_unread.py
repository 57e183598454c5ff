"""A row of a key that was agreed on and has rotted: whose it is, and that nobody else is touched by it."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli
from gateway.keys.wrapping import WrappingKeys
from gateway.rotation import changes, keyring
from gateway.rotation.store import Store
from tests.gateway.rotation.laid import LAID, admit
from tests.gateway.rotation.world import Box, House, fleet, talk
from tests.gateway.support import Sender, write_config, write_key

NAMES = ("T0001", "T0002")
ROTTEN = [
    "'rotten'",
    "CAST(x'ff00fe' AS TEXT)",
    "substr(line, 1, 63)",
    "'wattline-sealed-key 1 0123456789abcdef AAAA'",  # under a wrapping key that is not here
]


def rot(folder: Path, name: str, line: str = ROTTEN[0]) -> None:
    """A disk that has rotted, or a hand in the file."""
    store = Store(folder)
    with closing(store), store.writing() as connection:
        found = connection.execute(
            f"UPDATE secrets SET line = {line} WHERE terminal = ? AND kind = ?",
            (name, keyring.KEY),
        )
        assert found.rowcount == 1


def change(house: House, *boxes: Box) -> None:
    """Their keys are changed, and used."""
    house.order(*(box.sender.name for box in boxes))
    for _ in range(4):
        for box in boxes:
            talk(house, box)
        house.step(changes.AGAIN_MS // 1000)
    assert [house.change(box.sender.name).state for box in boxes] == [changes.CONFIRMED] * len(boxes)


@pytest.mark.parametrize("line", ROTTEN)
def test_a_row_that_has_rotted_is_named_and_counted_and_the_gateway_starts(tmp_path: Path, line: str) -> None:
    """P-497: its terminal alone is not heard; every other one is, and has its key changed."""
    house, boxes = fleet(tmp_path, *NAMES)
    change(house, *boxes.values())
    rot(tmp_path, "T0001", line)
    house.said.truncate(0)
    house.restart()
    assert [house.states(name) for name in NAMES] == [[1], [1, 2]]
    assert house.metric("wattline_keys_unread") == 1
    said = [json.loads(one) for one in house.said.getvalue().replace("\0", "").splitlines()]
    assert [(one["terminal"], one["generation"]) for one in said if one["event"] == "key_unread"] == [("T0001", 2)]
    assert "rotten" not in house.said.getvalue()
    assert talk(house, boxes["T0002"])
    assert not talk(house, boxes["T0001"])
    change(house, boxes["T0002"])
    assert boxes["T0002"].secret[0] == 3
    assert house.said.getvalue().count("key_unread") == 1


def test_the_key_before_a_rotten_one_ends_when_it_would_have(tmp_path: Path) -> None:
    """P-497: who has the former key alone is not let in for the lack of the one in use, nor agrees on another."""
    house, boxes = fleet(tmp_path, "T0001")
    change(house, boxes["T0001"])
    rot(tmp_path, "T0001")
    house.restart()
    house.step(changes.OVERLAP_MS // 1000)
    assert house.states("T0001") == []
    assert house.metric("wattline_keys_unread") == 1


def test_a_technicians_key_takes_over_from_a_rotten_one(tmp_path: Path) -> None:
    """P-497: and it is counted no more once the day of the keys before is over."""
    house, boxes = fleet(tmp_path, "T0001")
    box = boxes["T0001"]
    change(house, box)
    rot(tmp_path, "T0001")
    house.restart()
    admit(house)
    assert house.hear("T0001", LAID.frame([box.log[box.append()]]))
    writes = house.rotation._store._open().total_changes
    assert house.hear("T0001", LAID.frame([box.log[box.append()]]))
    assert house.rotation._store._open().total_changes == writes, "not noted again with each frame"
    house.step(changes.OVERLAP_MS // 1000)
    assert (house.states("T0001"), house.metric("wattline_keys_unread")) == ([9], 0)


def test_a_row_that_comes_back_from_a_copy_counts_again(tmp_path: Path) -> None:
    """P-497"""
    house, boxes = fleet(tmp_path, "T0001")
    change(house, boxes["T0001"])
    secret = boxes["T0001"].secret[1]
    rot(tmp_path, "T0001")
    house.restart()
    rot(tmp_path, "T0001", f"'{secret}'")
    house.step(1)
    assert (house.states("T0001"), house.metric("wattline_keys_unread")) == ([1, 2], 0)
    assert talk(house, boxes["T0001"])


def test_the_commands_name_it_and_go_on_with_the_others(tmp_path: Path) -> None:
    """P-497: `check` warns, `keys check` ends with 1, and all others are sealed; `audit` proves by what can be read."""
    config = write_config(tmp_path, 1883, [Sender(name) for name in NAMES])
    store = Store(tmp_path / "data")
    with closing(store), store.writing() as connection:
        for name in NAMES:
            keyring.keep(connection, (name, 2, keyring.KEY), name.encode().ljust(32, b"!"), WrappingKeys(), 0)
    rot(tmp_path / "data", "T0001")
    write_key(tmp_path / "wrapping.key", b"w" * 32)
    terminals = tmp_path / "terminals.toml"
    terminals.write_text('wrapping_key_file = "wrapping.key"\n' + terminals.read_text())

    def run(*words: str, status: int) -> tuple[str, str]:
        done = CliRunner().invoke(cli.app, [*words, "--config", str(config), "--json"])
        assert done.exit_code == status, done.output
        return done.stdout, done.stderr

    sealed, left = run("keys", "seal", status=0)
    assert (json.loads(sealed), left.count("T0001.2"), left.count("T0002")) == ({"sealed": 3}, 1, 0)
    found = json.loads(run("keys", "check", status=1)[0])
    assert (found["ok"], found["sealed"], len(found["unread"])) == (False, 3, 1)
    warned = json.loads(run("check", status=0)[0])["warnings"]
    assert [one["key"] for one in warned if one["file"].endswith("rotation.sqlite3")] == ["T0001.2"]
    assert sorted(keyring.load_keys(terminals, tmp_path / "data")["T0001"]) == [1]
