"""A technician's key and one that was agreed on, of one terminal: which count, and until when."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rotation import changes
from tests.gateway.rotation.laid import LAID, NAME, admit
from tests.gateway.rotation.world import Box, House, fleet, talk
from tests.gateway.support import Sender


def changed(house: House, box: Box) -> None:
    """A change from its order to the frame that confirms it."""
    house.order(NAME)
    for _ in range(4):
        talk(house, box)
        house.step(changes.AGAIN_MS // 1000)
    assert house.change(NAME).state == changes.CONFIRMED


def is_heard(house: House, box: Box) -> bool:
    return bool(house.hear(NAME, box.frame(box.append())))


def test_the_key_that_a_terminal_has_agreed_on_counts_until_the_technicians_is_in_use(tmp_path: Path) -> None:
    """P-468: then for a day more, as after every change."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    changed(house, box)
    admit(house)
    house.step(10 * changes.OVERLAP_MS // 1000)
    assert is_heard(house, box), "the replacement is still on the technician's desk"
    assert house.states(NAME) == [2, 9]
    assert house.hear(NAME, LAID.frame([box.log[1]]))
    house.step(changes.OVERLAP_MS // 1000 - 60)
    assert is_heard(house, box)
    house.step(120)
    assert not is_heard(house, box)
    assert house.states(NAME) == [9]


def test_no_change_by_the_board_that_is_replaced_ends_the_technicians_key(tmp_path: Path) -> None:
    """P-468: an order waits for the replacement, whether the other's key was agreed on or laid."""
    for was_changed in (False, True):
        (tmp_path / str(was_changed)).mkdir()
        house, boxes = fleet(tmp_path / str(was_changed), NAME)
        box = boxes[NAME]
        if was_changed:
            changed(house, box)
        admit(house)
        house.order(NAME)
        for _ in range(4):
            talk(house, box)
            house.step(changes.AGAIN_MS // 1000)
        assert (house.change(NAME).state, house.change(NAME).sent) == (changes.ASKED, 0)
        house.hear(NAME, LAID.frame([box.log[box.append()]]))
        assert house.change(NAME).sent == 1, "the replacement is offered it"


def test_a_forged_frame_ends_no_key(tmp_path: Path) -> None:
    """P-468: it says that generation, and is not sealed by it."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    changed(house, box)
    admit(house)
    house.hear(NAME, Sender(NAME, b"x" * 32, 9).frame([box.log[1]]))
    house.step(10 * changes.OVERLAP_MS // 1000)
    assert is_heard(house, box)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_whenever_a_technicians_key_is_admitted_the_terminal_that_serves_is_heard(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """P-468: before, between and after an offer, the agreement and its use; over restarts of both sides."""
    chance = random.Random(seed)
    house, boxes = fleet(tmp_path_factory.mktemp("laid"), NAME)
    box = boxes[NAME]
    house.order(NAME)
    acts = [lambda: talk(house, box), lambda: house.step(changes.AGAIN_MS // 1000), box.start, house.restart]
    moment = chance.randrange(12)
    for number in range(16):
        if number == moment:
            admit(house)
        chance.choice(acts)()
        assert is_heard(house, box), seed
    house.close()
