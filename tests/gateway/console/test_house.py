"""What pages reach a gateway's files by."""

from pathlib import Path

import pytest

from gateway import registry
from gateway.console.house import House
from protocol.host.strict import ConfigError
from tests.gateway.console.support import folder_of
from tests.gateway.support import Sender, StillClock


def test_no_page_needs_a_key_and_files_are_read_before_one_asks(tmp_path: Path) -> None:
    """P-375: the console works where it may not read the key files, which are not its own."""
    house = House(folder_of(tmp_path, Sender()), tmp_path / "gateway.toml", StillClock())
    (tmp_path / "T0001.hex").unlink()
    with pytest.raises(ConfigError, match=r"T0001.hex"):
        registry.load(tmp_path / "terminals.toml")
    house.warm()
    terminal = house.registry().get("T0001")
    assert terminal is not None
    assert (sorted(terminal.points), terminal.states) == ([1, 2], {})
    assert [one.id for one in house.enterprises()] == ["E1"]
    assert house.registry() is house.registry()


def test_a_broken_file_does_not_end_the_console_before_a_page_asks(tmp_path: Path) -> None:
    """P-375."""
    house = House(folder_of(tmp_path, Sender()), tmp_path / "gateway.toml", StillClock())
    (tmp_path / "terminals.toml").write_text("[[terminal]\n")
    house.warm()
    with pytest.raises(ConfigError, match="not TOML"):
        house.registry()
