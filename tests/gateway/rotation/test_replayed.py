"""Frames that are played again: to a gateway that has something for their sender."""

from pathlib import Path

from gateway.rotation import changes
from protocol import down
from tests.gateway.rotation.world import fleet, talk

NAME = "T0001"
PLAYS = 20


def test_a_frame_that_is_played_again_delays_no_change(tmp_path: Path) -> None:
    """P-463: an offer that echoes it would be lost on the terminal, so none goes down; not after a restart either."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    box.append()
    old = box.frame()
    house.hear(NAME, old)
    box.start()
    talk(house, box)
    house.order(NAME)
    for _ in range(PLAYS):
        house.hear(NAME, old)
        house.step(changes.AGAIN_MS // 1000)
    house.restart()
    house.hear(NAME, old)
    assert house.change(NAME).sent == 0
    assert any(isinstance(one, down.KeyOffer) for one in talk(house, box))


def test_a_terminal_that_says_the_same_again_is_heard(tmp_path: Path) -> None:
    """P-463: its ack was lost: what it sends again, in a frame of its own, is as good as another word."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    seq = box.append()
    house.hear(NAME, box.frame(seq))
    house.order(NAME)
    house.hear(NAME, box.frame(seq))
    assert house.change(NAME).sent == 1
