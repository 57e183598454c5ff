# A whole image on its way into the second of two partitions, and its trial: on a stand-in of the partitions
# (partitions.py), with the power cut at every operation of the flash. Runs on both interpreters.
# mypy: allow-any-generics
import json
import os

from loader import slots
from terminal import image_slot, images, small_file, update

from protocol import down, record
from protocol import update as format_of
from tests.vm import folders, partitions, releases

ECHO = (1, 1)
OLD = b"the technician's image" * 300
NAMES = {name: code for code, (name, _) in format_of.REFUSALS.items()}
HALF, WHOLE = 0, 1  # how much of a small file's replacement a cut leaves done
_written = small_file.write


class Terminal:
    """A board with two partitions, over starts; what is asked of board and clock. events: of the last start."""

    name = "unix"
    source = record.CLOCK_GATEWAY

    def __init__(self, vector: dict) -> None:
        self.data_dir = folders.new_folder(16)
        os.mkdir(self.data_dir)
        self._vector = vector
        self.now_s = vector["here"]["now_s"]
        with open(self.data_dir + "/index", "wb") as file:
            file.write(b"the application that runs")
        with open(self.data_dir + "/update_keys.json", "w") as file:
            json.dump({"keys": vector["keys"]}, file)
        self.chip = partitions.Chip(4)
        for at in range(0, len(OLD), 4096):
            part = OLD[at : at + 4096]
            self.chip.flash[2 + at // 4096][: len(part)] = part
        self.start()

    def start(self, *, power_failed: bool = False) -> None:
        self.events: list[tuple[int, list[int]]] = []
        self.images = images.Images(self.chip.start(), self.data_dir + "/image", power_failed=power_failed)
        if self.images.tries_again:
            self.start(power_failed=power_failed)  # as terminal.app does it
            return
        self.slots = slots.Slots(self.data_dir + "/", self._vector["here"]["newest"])
        self.update = update.Update(self, self.slots, self, lambda *_: None, self.images)
        self.update.tell(lambda code, _point, values: self.events.append((code, list(values))))

    def real_ms(self) -> int:
        return 0

    uptime_ms = real_ms

    def unix_ms(self, _uptime_ms: int) -> int:
        return 1000 * self.now_s  # type: ignore[no-any-return]

    def bring(self, vector: dict, piece: int = 1000, until: int = 1 << 30) -> None:
        """As a gateway does: the offer, and then what the terminal asks for, while it asks."""
        signed, payload = releases.split(vector)
        self.give(down.Offer(1, vector["vouched"], signed, ECHO))
        while self.events and self.events[-1][0] == record.UPDATE_PROGRESS:
            at = self.events[-1][1][1]
            while self.events[-1][0] == record.UPDATE_PROGRESS and at < min(len(payload), until):
                self.give(down.Chunk(1, self.events[-1][1][0], at, payload[at : at + piece], ECHO))
                at += piece
            return

    def give(self, what) -> None:  # type: ignore[no-untyped-def]
        self.update.take(what)
        for _ in self.update.work():  # type: ignore[no-untyped-call]
            pass

    def runs(self, image: bytes) -> bool:
        return self.chip.content(self.chip.runs, len(image)) == image


def image_of(at: int) -> "tuple[dict, bytes, int]":
    """(vector, image, number) of one that is taken."""
    vector = releases.vector("images.json", at)
    signed, payload = releases.split(vector)
    return vector, payload, format_of.read_manifest(format_of.signed_of(signed).payload).number


def test_each_image_is_taken_or_refused_by_the_name_that_its_vector_says() -> None:
    # P-344 FR-89 S-22
    for vector in releases.vectors("images.json"):
        terminal = Terminal(vector)
        terminal.bring(vector)
        what = f"{vector['id']} ({vector['comment']}): {terminal.events}"
        if vector["result"] == "taken":
            assert terminal.update.restart, what
        else:
            code, values = terminal.events[-1]
            assert (code, values[1]) == (record.UPDATE_REFUSED, NAMES[vector["result"]]), what
            assert not terminal.update.restart, what
        assert terminal.runs(OLD), what


def test_an_image_is_good_once_the_gateway_has_acknowledged_a_frame_and_then_stays() -> None:
    # P-344
    vector, image, number = image_of(0)
    terminal = Terminal(vector)
    terminal.bring(vector)
    terminal.start()
    assert terminal.runs(image)
    assert (terminal.events, terminal.update.release()) == ([(record.UPDATE_TAKEN, [number])], [number, 1])
    terminal.update.heard()
    assert terminal.events[-1] == (record.UPDATE_GOOD, [number])
    for _ in range(3):
        terminal.start()
        assert (terminal.runs(image), terminal.events, terminal.update.release()) == (True, [], [number, 0])
    vector, image, number = image_of(2)
    terminal.bring(vector)
    terminal.start()
    terminal.update.heard()
    assert (terminal.runs(image), terminal.update.release()) == (True, [number, 0])


def test_an_image_that_is_not_heard_of_goes_back_after_an_hour_or_at_any_start_before() -> None:
    # P-344
    vector, _, number = image_of(0)
    known = vector["here"]["newest"]
    for why in (record.BACK_NO_ACK, record.BACK_STARTS):
        terminal = Terminal(vector)
        terminal.bring(vector)
        terminal.start()
        if why == record.BACK_NO_ACK:
            terminal.update.due(update.TRIAL_UP_MS - 1, is_up=True, reads=False)
            assert not terminal.update.restart
            terminal.update.due(update.TRIAL_UP_MS, is_up=True, reads=False)
            assert terminal.update.restart
        terminal.start()
        assert terminal.runs(OLD)
        assert terminal.events == [(record.UPDATE_ROLLED_BACK, [number, known, why])]
        terminal.start()
        assert (terminal.runs(OLD), terminal.events, terminal.update.release()) == (True, [], [known, 0])
        terminal.bring(vector)
        assert terminal.events[-1] == (record.UPDATE_REFUSED, [number, format_of.STALE, number])


def test_an_image_whose_trial_the_power_ends_is_tried_again_three_times_in_all() -> None:
    # P-500: its number is not spent; what is known of it is told once; nothing older is ever taken for it
    vector, image, number = image_of(0)
    for cuts in range(images.TRIALS_MAX):
        terminal = Terminal(vector)
        terminal.bring(vector)
        terminal.start()
        told = list(terminal.events)
        for _ in range(cuts):
            terminal.start(power_failed=True)
            assert (terminal.runs(image), terminal.update.release(), terminal.events) == (True, [number, 1], [])
        assert told == [(record.UPDATE_TAKEN, [number])]
        assert terminal.images.newest_known == number
        terminal.update.heard()
        terminal.start(power_failed=True)
        assert (terminal.runs(image), terminal.update.release()) == (True, [number, 0])
    terminal = Terminal(vector)
    terminal.bring(vector)
    terminal.start()
    for _ in range(images.TRIALS_MAX):
        terminal.start(power_failed=True)
    known = vector["here"]["newest"]
    assert terminal.events == [(record.UPDATE_ROLLED_BACK, [number, known, record.BACK_STARTS])]
    terminal.start(power_failed=True)
    assert (terminal.runs(OLD), terminal.update.release()) == (True, [known, 0])
    terminal.bring(vector)
    assert terminal.events[-1] == (record.UPDATE_REFUSED, [number, format_of.STALE, number])


def test_what_ended_for_another_reason_than_the_power_is_not_tried_again() -> None:
    # P-500: a reset in its trial; and an hour without an ack, where the power fails before the start that follows
    vector, _, number = image_of(0)
    for why in (record.BACK_STARTS, record.BACK_NO_ACK):
        terminal = Terminal(vector)
        terminal.bring(vector)
        terminal.start()
        if why == record.BACK_NO_ACK:
            terminal.update.due(update.TRIAL_UP_MS, is_up=True, reads=False)
        terminal.start(power_failed=why == record.BACK_NO_ACK)
        assert terminal.events == [(record.UPDATE_ROLLED_BACK, [number, vector["here"]["newest"], why])]


def test_an_image_over_which_another_is_written_is_tried_no_more() -> None:
    # P-500: the flash did not take that it is to be tried again; then the power fails while the next one comes
    vector = image_of(0)[0]
    terminal = Terminal(vector)
    terminal.bring(vector)
    terminal.start()

    def refuse(path: str, data: bytes) -> None:
        raise OSError(28, path, len(data))

    small_file.write = refuse
    try:
        terminal.start(power_failed=True)
    finally:
        small_file.write = _written
    newer, image, number = image_of(2)
    terminal.bring(newer, until=5000)
    terminal.start(power_failed=True)
    assert (terminal.runs(OLD), terminal.update.release()) == (True, [vector["here"]["newest"], 0])
    terminal.bring(newer)
    terminal.start()
    assert (terminal.runs(image), terminal.update.release()) == (True, [number, 1])


def test_an_image_that_comes_is_gone_on_with_after_a_start() -> None:
    # P-345: from what is noted on; and one whose flash was changed meanwhile is refused
    kept_every, image_slot._KEPT_EVERY = image_slot._KEPT_EVERY, 1
    try:
        for is_altered in (False, True):
            vector, _, number = image_of(0)
            terminal = Terminal(vector)
            terminal.bring(vector, until=5000)
            if is_altered:
                terminal.chip.flash[2 + 4][7] ^= 1
            terminal.start()
            terminal.bring(vector, until=0)
            assert terminal.events[-1][1][:2] == [number, 4096]
            terminal.bring(vector)
            expected = (record.UPDATE_REFUSED, [number, format_of.FILE, vector["here"]["newest"]])
            assert (terminal.update.restart, terminal.events[-1] == expected) == (not is_altered, is_altered)
            if is_altered:
                terminal.start()
                terminal.bring(vector)  # from the beginning
                assert terminal.update.restart
    finally:
        image_slot._KEPT_EVERY = kept_every


def test_an_image_over_which_another_was_begun_is_not_gone_on_with() -> None:
    # P-345
    kept_every = image_slot._KEPT_EVERY
    terminal = Terminal(image_of(0)[0])
    try:
        image_slot._KEPT_EVERY = 1
        terminal.bring(image_of(0)[0], until=5000)
        image_slot._KEPT_EVERY = kept_every
        terminal.start()
        terminal.bring(image_of(2)[0], until=5000)
        terminal.start()
        vector, image, _ = image_of(0)
        terminal.bring(vector)
        assert terminal.update.restart
        terminal.start()
        assert terminal.runs(image)
    finally:
        image_slot._KEPT_EVERY = kept_every


def test_an_image_that_reads_back_as_something_else_is_refused() -> None:
    # P-344 S-22
    vector, image, number = image_of(0)
    terminal = Terminal(vector)
    terminal.bring(vector, until=len(image) - 1500)
    terminal.chip.flash[2 + 4][7] ^= 1  # a block that was written, before the last one comes
    begin = terminal.events[-1][1][1]
    for at in range(begin, len(image), 1000):
        terminal.give(down.Chunk(1, number, at, image[at : at + 1000], ECHO))
    newest = vector["here"]["newest"]
    assert terminal.events[-1] == (record.UPDATE_REFUSED, [number, format_of.CHANGED, newest])
    assert not terminal.update.restart


def test_a_board_without_a_second_partition_refuses_an_image_by_that_name() -> None:
    # P-344
    vector, _, number = image_of(0)
    terminal = Terminal(vector)
    terminal.update = update.Update(terminal, terminal.slots, terminal, lambda *_: None)
    terminal.update.tell(lambda code, _point, values: terminal.events.append((code, list(values))))
    terminal.bring(vector)
    newest = vector["here"]["newest"]
    assert terminal.events[-1] == (record.UPDATE_REFUSED, [number, format_of.NO_IMAGE_SLOT, newest])


def test_a_power_cut_at_every_operation_of_an_image_leaves_one_whole_and_can_be_updated_again() -> None:
    # P-345 P-500 R-23: each program and erase done in part, each small file replaced or not, and once more after that;
    # 0 bricks, 0 mixed
    kept_every, image_slot._KEPT_EVERY = image_slot._KEPT_EVERY, 1
    try:
        operations = life(0, HALF)
        assert operations > 15
        for cut_at in range(1, operations + 1):
            for how in (HALF, WHOLE):
                assert life(cut_at, how) == 0, (cut_at, how)
    finally:
        small_file.write = _written
        image_slot._KEPT_EVERY = kept_every


def life(cut_at: int, how: int) -> int:
    """An image comes, is tried, and passes; the power fails at that operation, and at a later one. How many operations
    there were, if it never failed."""
    vector, image, _ = image_of(0)
    terminal = Terminal(vector)
    chip = terminal.chip
    chip.cut_at = cut_at

    def write(path: str, data: bytes) -> None:
        cut = chip.spent()
        if not cut or how == WHOLE:
            _written(path, data)
        if cut:
            raise partitions.Cut

    small_file.write = write
    try:
        terminal.bring(vector)
        terminal.start()
        terminal.update.heard()
        terminal.start()
        assert (terminal.runs(image), cut_at) == (True, 0), (cut_at, how)
        return chip.operations
    except partitions.Cut:
        chip.cut_at = chip.operations + 1 + cut_at % 9
    try:
        goes_on(terminal, image)
    except partitions.Cut:
        chip.cut_at = 0
        goes_on(terminal, image)
    return 0


def goes_on(terminal: Terminal, image: bytes) -> None:
    """After a cut: what is on trial passes, and another image comes, which does: no cut has spent its number."""
    newer, other, number = image_of(2)
    for start in range(3):
        terminal.start(power_failed=start == 0)
        assert terminal.runs(OLD) or terminal.runs(image) or terminal.runs(other), terminal.chip.operations
        terminal.update.heard()
        terminal.bring(newer)
    assert (terminal.runs(other), terminal.update.release()) == (True, [number, 0]), terminal.chip.operations
