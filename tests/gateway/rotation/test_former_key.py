"""Who has the key before the one in use, for the day that frames by it are still taken."""

import shutil
from pathlib import Path

from gateway.rotation import changes
from tests.gateway.rotation.world import Box, fleet, talk

NAME = "T0001"


def copied(box: Box, folder: Path) -> Box:
    """A board with the key that this one has at the moment: of an old backup of its flash."""
    other = Box(NAME, folder, box.clock, seed=9)
    shutil.copytree(box.data_dir, folder, dirs_exist_ok=True)
    other.sender.epoch = box.sender.epoch + 1
    other.start()
    return other


def test_who_has_the_former_key_agrees_on_no_other(tmp_path: Path) -> None:
    """P-484: his word is neither asked for nor taken; who has the key in use changes it."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    thief = copied(box, tmp_path / "thief")
    house.order(NAME)
    for _ in range(4):
        talk(house, box)
        house.step(changes.AGAIN_MS // 1000)
    assert house.change(NAME).state == changes.CONFIRMED
    assert house.hear(NAME, thief.frame(thief.append())), "for a day his frames are taken"

    house.order(NAME)
    for _ in range(6):
        talk(house, thief)
        house.step(changes.AGAIN_MS // 1000)
    assert house.change(NAME).state == changes.ASKED
    assert house.change(NAME).sent == 0
    for _ in range(4):
        talk(house, box)
        house.step(changes.AGAIN_MS // 1000)
    assert house.change(NAME).state == changes.CONFIRMED
    assert box.secret[0] == 3
