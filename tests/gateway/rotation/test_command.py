"""`wattline gateway rotate` on files: what is ordered, at which pace, shown, withdrawn, refused."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import cli, registry
from gateway.keys.wrapping import WrappingKeys
from gateway.rotation import changes, keyring
from gateway.rotation.store import Store, looking
from tests.gateway.support import Sender, write_config, write_key


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, 1883, [Sender("T0001"), Sender("T0002", generation=238), Sender("T0003")])


def run(config: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(cli.app, ["rotate", "--config", str(config), *words])
    assert done.exit_code == status, done.output
    return done.output


def test_terminals_are_ordered_at_a_pace_and_shown(config: Path) -> None:
    """P-414: the next generation of each, a terminal every six seconds; what is under way is not begun again."""
    assert "nothing was ever changed" in run(config)
    run(config, "--all", "--pace", "600")
    rows = json.loads(run(config, "--json"))["keys"]
    assert [(row["terminal"], row["generation"], row["state"]) for row in rows] == [
        ("T0001", 2, "asked"), ("T0002", 239, "asked"), ("T0003", 2, "asked"),
    ]  # fmt: skip
    assert due_s(config) == [0, 6, 12]
    run(config, "T0001")
    assert due_s(config) == [0, 6, 12]
    assert "asked" in run(config, "T0001")


def test_what_is_offered_can_be_withdrawn_and_ordered_again(config: Path) -> None:
    run(config, "T0001")
    assert "withdrawn" in run(config, "T0001", "--withdraw")
    assert "no key is offered" in run(config, "T0001", "--withdraw", status=1)
    run(config, "T0001")
    assert json.loads(run(config, "T0001", "--json"))["keys"][0]["state"] == "asked"


def test_what_can_not_be_ordered_says_why(config: Path) -> None:
    assert "T9: not admitted" in run(config, "T9", status=1)
    run(config, "--all", "T0001", status=2)
    run(config, "--withdraw", status=2)
    with looking(Path(config).parent / "data") as connection:
        assert connection is None, "nothing was made for what was refused"


def test_a_terminal_without_a_generation_left_keeps_no_other_from_its_key(tmp_path: Path) -> None:
    """P-467: over the air it ends while technicians have generations left: a key of theirs must be above all before."""
    config = write_config(tmp_path, 1883, [Sender("T0001", generation=changes.ROTATED_MAX), Sender("T0002")])
    assert "T0001: 239 is the last generation over the air" in run(config, "--all", status=1)
    assert "T0002  generation 2  asked" in run(config)


def test_keys_that_were_agreed_on_are_sealed_and_rewrapped_with_the_others(config: Path) -> None:
    """P-414: by `keys seal`, `rewrap` and `unseal`; the gateway opens them all the time, and finds them to prove by."""
    folder, terminals = config.parent / "data", config.parent / "terminals.toml"
    secret, place = b"agreed on".ljust(32, b"!"), ("T0001", 2, keyring.KEY)
    store = Store(folder)
    with closing(store), store.writing() as connection:
        keyring.keep(connection, place, secret, WrappingKeys(), 0)
    write_key(config.parent / "wrapping.key", b"w" * 32)
    terminals.write_text('wrapping_key_file = "wrapping.key"\n' + terminals.read_text())
    for word, is_plain in (("seal", False), ("rewrap", False), ("unseal", True)):
        done = CliRunner().invoke(cli.app, ["keys", word, "--config", str(config)])
        assert done.exit_code == 0, done.output
        with looking(folder) as connection_:
            assert connection_ is not None
            assert (dict(keyring.lines(connection_))[place] == secret.hex().encode()) == is_plain
            (found,) = keyring.over(registry.load(terminals), connection_, 0)
            assert (sorted(found.terminal.states), found.unread) == ([1, 2], {})
        assert sorted(keyring.load_keys(terminals, folder)["T0001"]) == [1, 2]


def due_s(config: Path) -> list[int]:
    with looking(config.parent / "data") as connection:
        assert connection is not None
        found = [one.due_ms - one.changed_ms for one in changes.every(connection)]
    return [one // 1000 for one in found]
