"""The red team: each attacker of docs/threat-model.md plays their moves against a running system."""

from pathlib import Path

import pytest

from hil.attack import campaign, network
from hil.attack.house import House
from hil.attack.move import Move, Observed

pytestmark = [pytest.mark.e2e, pytest.mark.untimed]
ATTACKERS = {
    "a factory with a motive", "someone on the network", "a thief with a terminal", "a careless insider",
    "whoever has the gateway's files",
}  # fmt: skip


def test_every_move_is_withstood(tmp_path: Path) -> None:
    """P-420, P-505: by real broker, gateway, console, meters and terminal; what is seen is what the threat model says.

    A meter with another number, another ratio in it behind an erased flash, transformers and a register that do not fit
    are alarms; a simulator with the true number, and a feeder whose transformers are all off, are not.
    """
    found = campaign.play(tmp_path, 1, lambda _one: None)
    assert [one for one in found if not one.held] == []
    assert {one.attacker for one in found} == ATTACKERS
    assert len(found) == len(campaign.MOVES) >= 39


def test_what_is_not_withstood_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-421, P-506: a move that gets through, one that fails by itself, and one that had nothing to play with, are
    broken in the table, each with why; others are played.
    """

    def fails(_house: House) -> Observed:
        raise ConnectionRefusedError("nobody is there")

    def through(house: House) -> Observed:
        """Whoever has taken the broker over can drop what passes: no goal says that he can't."""
        with house.between() as listener:
            listener.subscribe("wattline/up/+")
            house.restart_terminal()
            heard = house.wait(lambda: bool(listener.heard))
        return Observed(held=not heard, text=f"{len(listener.heard)} frames heard")

    def captures_nothing(house: House) -> Observed:
        house.link.set_up(up=False)
        house.wait_s = 1.0  # nothing can come
        return network.alters(house)

    played = (("fails", fails), ("hears", through), ("alters", captures_nothing))
    monkeypatch.setattr(campaign, "MOVES", [Move("x", name, "S-06", "nothing", play) for name, play in played])
    found = campaign.play(tmp_path, 1, lambda _one: None)
    assert [one.held for one in found] == [False, False, False]
    assert "nobody is there" in found[0].observed
    assert found[1].observed.endswith("frames heard")
    assert "BenchError: the terminal was started, and not answered within 1 s" in found[2].observed
    assert campaign.table(found).count("**BROKEN**") == 3
