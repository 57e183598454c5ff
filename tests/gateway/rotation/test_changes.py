"""Keys changed over the air: the gateway's desk and the terminal's own module, whatever is lost, repeated or cut."""

import random
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext.decoder import KeyState
from gateway.registry import Registry, Terminal
from gateway.rotation import changes, keyring
from gateway.rotation.store import FILE, looking
from protocol import record
from tests.gateway.rotation.world import Box, House, fleet, talk
from tests.gateway.support import Sender, write_key

NAME = "T0001"
DAY_S = 86_400


def kinds(messages: list[object]) -> list[str]:
    return [type(one).__name__ for one in messages]


def changed(house: House, box: Box) -> None:
    """A change from its order to the frame that confirms it."""
    house.order(NAME)
    for _ in range(4):
        talk(house, box)
        if house.change(NAME).state == changes.CONFIRMED:
            return
        house.step(changes.AGAIN_MS // 1000)
    raise AssertionError(house.change(NAME))


def test_a_terminal_gets_another_key_without_a_visit_and_the_old_one_ends_a_day_later(tmp_path: Path) -> None:
    """P-412: offered, agreed on, used, confirmed; then frames by the old key are refused, as `kid`."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    old = Sender(NAME)
    house.order(NAME)
    assert kinds(talk(house, box)) == ["Ack", "KeyOffer"]
    assert kinds(talk(house, box)) == ["Ack", "KeyUse"]
    assert (box.keys.key.generation, house.change(NAME).state) == (2, changes.AGREED)
    talk(house, box)
    assert (house.change(NAME).state, house.states(NAME)) == (changes.CONFIRMED, [1, 2])
    house.step(changes.OVERLAP_MS // 1000 - 120)
    assert house.hear(NAME, old.frame([box.log[1]])), "a day long what was sealed by the old one is taken"
    house.step(DAY_S)
    assert house.states(NAME) == [2]
    assert not house.hear(NAME, old.frame([box.log[2]]))
    assert house.metric("wattline_frames_refused_total", reason="kid") == 1
    assert kinds(talk(house, box)) == ["Ack"]
    changed(house, box)
    assert box.secret[0] == 3


def test_the_store_is_its_owners_alone_and_keeps_no_factor(tmp_path: Path) -> None:
    """P-412: what was agreed on under lies there no more, the key itself does; and both are proven by it later."""
    house, boxes = fleet(tmp_path, NAME)
    changed(house, boxes[NAME])
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    with looking(tmp_path) as connection:
        assert connection is not None
        assert [place for place, _ in keyring.lines(connection)] == [(NAME, 2, keyring.KEY)]
        terminal = house.laid.get(NAME)
        assert terminal is not None
        found = keyring.secret_of(connection, terminal, 2, house.laid.wrapping)
    assert (2, found.hex()) == boxes[NAME].secret
    assert found.hex() not in house.said.getvalue()


def test_a_terminal_that_refuses_says_why_and_can_be_asked_again(tmp_path: Path) -> None:
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    house.order(NAME)
    talk(house, box)
    box.pending.clear()
    box.say(record.KEY_REFUSED, 2, record.KEY_STALE, 7)
    talk(house, box)
    assert house.change(NAME)[1:4] == (2, changes.REFUSED, record.KEY_STALE)
    house.order(NAME)
    assert house.change(NAME).generation == 8


def test_an_order_after_a_refusal_or_a_withdrawal_is_not_ended_by_what_was_said_of_the_one_before(
    tmp_path: Path,
) -> None:
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    house.order(NAME)
    talk(house, box)
    box.pending.clear()
    refusal = box.say(record.KEY_REFUSED, 2, record.KEY_NOT_STORED, 1)
    talk(house, box)
    house.order(NAME)
    assert house.change(NAME).generation == 3, "the terminal says once a start why it takes no key of a generation"
    house.hear(NAME, box.frame(refusal))
    assert house.change(NAME).state == changes.ASKED


def test_another_half_that_comes_late_from_an_older_log_costs_the_terminal_nothing(tmp_path: Path) -> None:
    """P-413: a flash is put back between the terminal's word and the change; its broker kept the word."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    house.order(NAME)
    talk(house, box)
    kept_back = box.frame()
    lose_half(box)
    house.step(changes.AGAIN_MS // 1000)
    assert kinds(talk(house, box)) == ["Ack", "KeyOffer"]
    assert kinds(talk(house, box)) == ["Ack", "KeyUse"]
    assert (box.keys.key.generation, house.change(NAME).state) == (2, changes.AGREED)
    house.hear(NAME, kept_back)
    assert_same_key(house, box)
    house.step(changes.AGAIN_MS // 1000)
    for _ in range(3):
        talk(house, box)
    assert (house.change(NAME).state, box.keys.key.generation) == (changes.CONFIRMED, 3)


def test_a_key_that_is_agreed_on_is_not_withdrawn_and_not_ordered_twice(tmp_path: Path) -> None:
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    house.order(NAME)
    talk(house, box)
    talk(house, box)
    house.order(NAME)
    assert (house.change(NAME).generation, house.change(NAME).state) == (2, changes.AGREED)
    with house.rotation._store.writing() as connection:
        assert not changes.withdraw(connection, NAME, house.clock.now_ms())


def test_a_change_ends_where_a_technician_has_laid_a_later_key_meanwhile(tmp_path: Path) -> None:
    """FR-94: what was agreed on can't be taken into use any more, so another may be ordered."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    house.order(NAME)
    talk(house, box)
    box.say(record.KEY_REFUSED, 2, record.KEY_STALE, 1)
    house.hear(NAME, box.frame())
    assert house.change(NAME).state == changes.AGREED, "of a key below"
    box.say(record.KEY_REFUSED, 2, record.KEY_STALE, 5)
    house.hear(NAME, box.frame())
    assert house.change(NAME).state == changes.REFUSED
    house.order(NAME)
    assert house.change(NAME).generation == 6


def test_an_event_of_another_offer_or_of_none_changes_nothing(tmp_path: Path) -> None:
    """FR-92: an x that is none, a number that is another point's, another generation."""
    house, boxes = fleet(tmp_path, NAME)
    box = boxes[NAME]
    house.order(NAME)
    talk(house, box)
    good = next(values for code, values in said(box) if code == record.KEY_DRAWN)
    box.pending.clear()
    for wrong in ([3, *good[1:]], [2, good[1] ^ 1, *good[2:]], good[:-1], [*good[:2], 1 << 52, *good[3:]], [2], []):
        box.say(record.KEY_DRAWN, *wrong)
        talk(house, box, seconds=1)
        assert house.change(NAME).state == changes.ASKED, wrong
    box.say(record.KEY_DRAWN, *good)
    talk(house, box)
    assert house.change(NAME).state == changes.AGREED


def said(box: Box) -> list[tuple[int, list[int]]]:
    found = [record.decode_record(data).body for _, data in sorted(box.log.items())]
    return [(one.code, list(one.values)) for one in found]


def lose_half(box: Box) -> None:
    (Path(box.data_dir) / "key_next").unlink(missing_ok=True)
    box.sender.epoch += 1
    box.log.clear()
    box.pending.clear()
    box.start()


class DiedError(Exception):
    """kill -9."""


class Dying:
    """A desk that does not come to learn anything."""

    name = "dying"

    def learn(self, *_: object) -> None:
        raise DiedError


class Life:
    """A terminal and a gateway between which anything goes wrong, as drawn."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.house, boxes = fleet(folder, NAME)
        self.box = boxes[NAME]
        self.came_down: list[bytes] = []  # heard or not: it may come late, and again
        self.went_up: list[bytes] = []
        self.house.order(NAME)

    def step(self) -> None:
        acts = [self.speak, self.speak, self.speak, self.again, self.box.start, self.house.restart, self.die, self.lose]
        self.chance.choice(acts)()
        if self.chance.random() < 0.5:
            self.box.compute()
        self.house.step(self.chance.choice([1, 60, 301, 3600]))

    def speak(self) -> None:
        self.box.append()
        log = sorted(self.box.log)
        frame = self.box.frame(*self.chance.sample(log, min(3, len(log))))
        self.went_up.append(frame)
        for data in self.house.hear(NAME, frame):
            self.came_down.append(data)
            if self.chance.random() < 0.6:
                self.box.hears(data)

    def again(self) -> None:
        if self.came_down:
            self.box.hears(self.chance.choice(self.came_down))
            self.house.hear(NAME, self.chance.choice(self.went_up))

    def lose(self) -> None:
        """The flash goes back to a moment before the next key was drawn; another log is begun."""
        lose_half(self.box)

    def die(self) -> None:
        """The gateway dies between the journal's commit and what the desk learns of it; no ack is sent."""
        self.house.pipeline.desks = [Dying()]  # type: ignore[list-item]
        self.box.append()
        with suppress(DiedError):
            self.house.hear(NAME, self.box.frame(*sorted(self.box.log)[-3:]))
        self.house.restart()

    def end(self) -> None:
        """Nothing goes wrong any more."""
        for _ in range(30):
            self.box.pending |= self.box.log.keys()
            for _ in range(10):
                self.box.append()
                for data in self.house.hear(NAME, self.box.frame()):
                    self.box.hears(data)
                self.box.compute()
                self.house.step(60)
            self.house.step(changes.AGAIN_MS_MAX // 1000)
            if self.house.change(NAME).state == changes.CONFIRMED:
                return


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_is_lost_repeated_reordered_or_cut_the_gateway_hears_its_terminal(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """P-413: at every moment the terminal's key is one that the gateway takes, and in the end the change is done."""
    life = Life(tmp_path_factory.mktemp("rotation"), seed)
    for _ in range(30):
        life.step()
        assert_same_key(life.house, life.box)
    life.end()
    change = life.house.change(NAME)
    assert (change.state, change.generation) == (changes.CONFIRMED, life.box.keys.key.generation), seed
    assert_same_key(life.house, life.box)
    life.house.close()


def assert_same_key(house: House, box: Box) -> None:
    """What the terminal seals now is taken."""
    before = house.metric("wattline_frames_refused_total", reason="mac")
    box.append()
    assert house.hear(NAME, box.frame(box.next_seq - 1)), box.keys.key
    assert house.metric("wattline_frames_refused_total", reason="mac") == before


def test_a_technicians_key_takes_the_place_of_what_was_agreed_on(tmp_path: Path) -> None:
    """FR-94: terminals.toml has a generation as high or higher: that one counts, and the change goes on from there."""
    house, boxes = fleet(tmp_path, NAME)
    changed(house, boxes[NAME])
    before = house.laid.get(NAME)
    assert before is not None
    other = Sender(NAME, b"n" * 32, 2)
    write_key(tmp_path / "other.hex", other.secret)
    states = {**before.states, 2: KeyState(other.secret)}
    files = {**before.key_files, 2: tmp_path / "other.hex"}
    house.rotation.take(Registry([Terminal(NAME, states, before.points, key_files=files)]))
    assert house.states(NAME) == [1, 2]
    record_ = boxes[NAME].log[1]
    assert house.hear(NAME, other.frame([record_]))
    assert not house.hear(NAME, boxes[NAME].sender.frame([record_])), "the key that was agreed on counts no more"
    house.step(2 * DAY_S)
    assert house.states(NAME) == [2]
