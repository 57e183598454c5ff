# A release on its way into a terminal: offered, judged, written, read back, taken; and each forged one refused by name.
# Runs on both interpreters.
# mypy: allow-any-generics
import json
import os

from loader import slots
from terminal import update, update_intake, update_slot

from protocol import down, limits, record
from protocol import update as format_of
from tests.vm import folders, releases

ECHO = (1, 1)
BLOCKS = 40  # each test's is there while the one before still is
RUNNING = b"the application that runs"  # its index, by which the vectors name it
NAMES = {name: code for code, (name, _) in format_of.REFUSALS.items()}


class Terminal:
    """All that terminal.update needs, of a vector."""

    name = "unix"
    source = record.CLOCK_GATEWAY

    def __init__(self, vector: dict) -> None:
        self.data_dir = folders.new_folder(BLOCKS)
        os.mkdir(self.data_dir)
        with open(self.data_dir + "/index", "wb") as file:
            file.write(RUNNING)
        here = vector["here"]
        self.vouched = vector["vouched"]
        self.now_s = here["now_s"]
        if self.now_s is None:
            self.source = record.CLOCK_RTC
        self.uptime = 0
        self.events: list[tuple[int, list[int]]] = []
        self.slots = slots.Slots(self.data_dir + "/", here["newest"])
        self.update = update.Update(self, self.slots, self, lambda *_: None)
        self.update.tell(lambda code, _point, values: self.events.append((code, list(values))))
        with open(self.data_dir + "/update_keys.json", "w") as file:
            json.dump({"keys": vector["keys"]}, file)

    def real_ms(self) -> int:
        return 0

    def uptime_ms(self) -> int:
        return self.uptime

    def unix_ms(self, uptime_ms: int) -> int:
        return 1000 * self.now_s + uptime_ms  # type: ignore[no-any-return]

    def offer(self, signed: bytes) -> None:
        self.update.take(down.Offer(1, self.vouched, signed, ECHO))
        self.work()

    def chunk(self, number: int, offset: int, content: bytes) -> None:
        self.update.take(down.Chunk(1, number, offset, content, ECHO))
        self.work()

    def work(self) -> None:
        for _ in self.update.work():  # type: ignore[no-untyped-call]
            pass

    def told(self) -> "list[tuple[int, list[int]]]":
        told, self.events = self.events, []
        return told


def deliver(terminal: Terminal, vector: dict, piece: int = 500) -> None:
    """As a gateway does: the offer, and then what the terminal asks for, while it asks."""
    signed, payload = releases.split(vector)
    terminal.offer(signed)
    at = 0
    while terminal.events and terminal.events[-1][0] == record.UPDATE_PROGRESS and at < len(payload):
        terminal.chunk(terminal.events[-1][1][0], at, payload[at : at + piece])
        at += piece


def taken() -> dict:
    return releases.vector("bundles.json", 0)


def number_of(vector: dict) -> int:
    signed, _ = releases.split(vector)
    number: int = format_of.read_manifest(format_of.signed_of(signed).payload).number
    return number


def test_each_release_is_taken_or_refused_by_the_name_that_its_vector_says() -> None:
    # S-22 P-260 FR-81 FR-86: nothing that is refused is begun with
    for vector in releases.vectors("bundles.json"):
        terminal = Terminal(vector)
        deliver(terminal, vector)
        code, values = terminal.told()[-1]
        what = f"{vector['id']} ({vector['comment']}): event {code} {values}"
        if vector["result"] == "taken":
            assert terminal.update.restart, what
            assert (terminal.slots.active, terminal.slots.newest) == (1, number_of(vector)), what
        else:
            assert (code, values[1]) == (record.UPDATE_REFUSED, NAMES[vector["result"]]), what
            assert not terminal.update.restart, what
            assert terminal.slots.active == slots.ROOT, what


def test_what_was_taken_is_there_byte_for_byte_and_nothing_else_is() -> None:
    # P-265 FR-83
    vector = taken()
    for piece in (1, 7, 4000):
        terminal = Terminal(vector)
        os.mkdir(terminal.data_dir + "/a")
        os.mkdir(terminal.data_dir + "/a/terminal")
        for stale in ("/a/terminal/old.mpy", "/a/index"):
            with open(terminal.data_dir + stale, "wb") as file:
                file.write(b"of another release")
        deliver(terminal, vector, piece)
        _, payload = releases.split(vector)
        found = b""
        for path in ("index", "profiles/meter.json", "terminal/app.mpy"):
            with open(terminal.data_dir + "/a/" + path, "rb") as file:
                found += file.read()
        assert found == payload
        assert sorted(os.listdir(terminal.data_dir + "/a")) == ["index", "profiles", "terminal"]
        assert os.listdir(terminal.data_dir + "/a/terminal") == ["app.mpy"]


def test_progress_is_told_at_the_offer_each_sixteen_thousand_bytes_and_at_the_end() -> None:
    # FR-85
    vector = releases.vector("bundles.json", 3)  # 160 files
    terminal = Terminal(vector)
    deliver(terminal, vector, 900)
    number, size = number_of(vector), len(releases.split(vector)[1])
    stored = [values[1] for code, values in terminal.told() if code == record.UPDATE_PROGRESS]
    assert size < update_intake.REPORT_BYTES
    assert stored == [0, size]
    terminal = Terminal(vector)
    update_intake.REPORT_BYTES = 2000
    try:
        deliver(terminal, vector, 900)
    finally:
        update_intake.REPORT_BYTES = 16000
    told = [values for code, values in terminal.told() if code == record.UPDATE_PROGRESS]
    wanted = list(range(0, size, 2700))
    wanted.append(size)
    assert [one[1] for one in told] == wanted
    assert all((one[0], one[2]) == (number, size) for one in told)


def test_chunks_in_any_order_again_and_overlapping_end_in_the_same() -> None:
    # FR-83 FR-85: what does not fit is answered once in ten seconds, and changes nothing
    vector = taken()
    signed, payload = releases.split(vector)
    number = number_of(vector)
    terminal = Terminal(vector)
    terminal.offer(signed)
    terminal.told()
    for _ in range(3):
        terminal.chunk(number, 100, payload[100:200])
    assert terminal.told() == [(record.UPDATE_PROGRESS, [number, 0, len(payload)])]
    terminal.uptime += 10000
    terminal.chunk(number, 0, payload[:150])
    terminal.chunk(number, 0, payload[:150])
    assert terminal.told() == [(record.UPDATE_PROGRESS, [number, 150, len(payload)])]
    terminal.chunk(number + 1, 150, payload[150:])
    terminal.offer(signed)
    assert terminal.told() == []
    terminal.uptime += 10000
    terminal.offer(signed)
    assert terminal.told() == [(record.UPDATE_PROGRESS, [number, 150, len(payload)])]
    terminal.chunk(number, 100, payload[100:])
    assert terminal.update.restart


def test_what_changed_on_the_flash_before_it_is_taken_is_refused() -> None:
    # S-22, RFC 9124's MFST.TOCTOU
    vector = taken()
    signed, payload = releases.split(vector)
    for path in ("index", "profiles/meter.json"):
        terminal = Terminal(vector)
        terminal.offer(signed)
        terminal.chunk(number_of(vector), 0, payload[:-1])
        with open(terminal.data_dir + "/a/" + path, "rb") as file:
            data = file.read()
        with open(terminal.data_dir + "/a/" + path, "wb") as file:
            file.write(data[:-1] + bytes((data[-1] ^ 1,)))
        terminal.chunk(number_of(vector), len(payload) - 1, payload[-1:])
        code, values = terminal.told()[-1]
        assert (code, values[1]) == (record.UPDATE_REFUSED, format_of.CHANGED)
        assert (terminal.slots.active, terminal.update.restart) == (slots.ROOT, False)


def test_an_aborted_release_is_forgotten_and_may_come_again() -> None:
    # FR-84
    vector = taken()
    signed, payload = releases.split(vector)
    number = number_of(vector)
    terminal = Terminal(vector)
    terminal.offer(signed)
    terminal.chunk(number, 0, payload[:100])
    terminal.update.take(down.Abort(1, number + 1, ECHO))
    terminal.update.take(down.Abort(1, number, ECHO))
    terminal.told()
    terminal.chunk(number, 100, payload[100:])
    assert (terminal.told(), terminal.update.restart) == ([], False)
    deliver(terminal, vector)
    assert terminal.update.restart
    terminal.update.take(down.Abort(1, number, ECHO))
    assert terminal.slots.newest == number


def last_piece(vector: dict) -> "tuple[Terminal, object]":
    """A terminal that runs `b`, to which all has come, and its work, begun: it reads back what it stored."""
    signed, payload = releases.split(vector)
    terminal = Terminal(vector)
    terminal.slots.take(2, vector["here"]["newest"])
    terminal.slots.passed()
    os.mkdir(terminal.data_dir + "/b")
    terminal.offer(signed)
    terminal.update.take(down.Chunk(1, number_of(vector), 0, payload, ECHO))
    work = terminal.update.work()  # type: ignore[no-untyped-call]
    next(work)
    terminal.told()
    return terminal, work


def test_what_is_offered_while_another_is_read_back_leaves_the_last_good_one_alone() -> None:
    # P-263
    vector = taken()
    terminal, work = last_piece(vector)
    other, _ = releases.split(releases.vector("bundles.json", 3))
    terminal.update.take(down.Offer(1, terminal.vouched, other, ECHO))
    for _ in work:  # type: ignore[attr-defined]
        pass
    assert (terminal.slots.active, terminal.slots.good, terminal.update.restart) == (1, 2, True)
    terminal.work()
    assert terminal.told() == [(record.UPDATE_REFUSED, [0, format_of.ON_TRIAL, number_of(vector)])]
    assert "b" in os.listdir(terminal.data_dir)


def test_an_abort_while_a_release_is_read_back_ends_it() -> None:
    # FR-84
    vector = taken()
    terminal, work = last_piece(vector)
    terminal.update.take(down.Abort(1, number_of(vector), ECHO))
    for _ in work:  # type: ignore[attr-defined]
        pass
    assert (terminal.slots.active, terminal.slots.on_trial, terminal.update.restart) == (2, False, False)


def test_a_release_is_taken_once_and_none_while_another_is_on_trial() -> None:
    # FR-87 P-263
    vector = taken()
    terminal = Terminal(vector)
    deliver(terminal, vector)
    terminal.told()
    terminal.slots.begin()
    again = update.Update(terminal, terminal.slots, terminal, lambda *_: None)
    again.tell(lambda code, _point, values: terminal.events.append((code, list(values))))
    terminal.update = again
    terminal.offer(releases.split(vector)[0])
    assert terminal.told()[-1] == (record.UPDATE_REFUSED, [0, format_of.ON_TRIAL, number_of(vector)])
    again.heard()
    terminal.offer(releases.split(vector)[0])
    newest = number_of(vector)
    assert terminal.told()[-1] == (record.UPDATE_REFUSED, [newest, format_of.STALE, newest])


def test_what_the_gateway_vouches_for_is_kept_over_starts() -> None:
    # FR-82
    vector = taken()
    terminal = Terminal(vector)
    terminal.vouched = number_of(vector) + 1
    terminal.offer(b"nothing")
    assert slots.Slots(terminal.data_dir + "/", 1).vouched == number_of(vector) + 1
    terminal.vouched = 0
    deliver(terminal, vector)
    assert terminal.told()[-1][1][1] == format_of.SUPERSEDED


def test_a_flash_that_takes_nothing_is_a_refusal() -> None:
    # P-265: at the offer, at a chunk, and where all was read back
    vector = taken()
    signed, payload = releases.split(vector)
    number = number_of(vector)
    for stored in (None, 0, len(payload) - 1):
        terminal = Terminal(vector)
        if stored is None:
            terminal.vouched = number
            folders.remove(terminal.data_dir + "/index")
            terminal.slots._path = terminal.data_dir + "/none/slots"
            terminal.offer(signed)
        else:
            terminal.offer(signed)
            terminal.chunk(number, 0, payload[:stored] or payload[:1])
            terminal.slots._path = terminal.data_dir + "/none/slots"
            terminal.update._intake._writer._folder = terminal.data_dir + "/none/a"  # type: ignore[attr-defined]
            terminal.chunk(number, max(stored, 1), payload[max(stored, 1) :])
        code, values = terminal.told()[-1]
        assert (code, values[1]) == (record.UPDATE_REFUSED, format_of.NOT_STORED), stored
        assert not terminal.update.restart


def test_a_refusal_is_told_once_a_start() -> None:
    # FR-86
    terminal = Terminal(taken())
    for _ in range(3):
        terminal.offer(b"nothing")
    assert len(terminal.told()) == 1


def test_a_terminal_without_keys_or_slots_takes_nothing_and_says_so() -> None:
    # P-265
    vector = taken()
    terminal = Terminal(vector)
    for content in (None, "no JSON", "{}", '{"keys": []}', '{"keys": ["00"]}', '{"keys": [7]}'):
        terminal = Terminal(vector)
        os.remove(terminal.data_dir + "/update_keys.json")
        if content is not None:
            with open(terminal.data_dir + "/update_keys.json", "w") as file:
                file.write(content)
        terminal.offer(releases.split(vector)[0])
        assert terminal.told() == [(record.UPDATE_REFUSED, [0, format_of.NOT_HERE, vector["here"]["newest"]])]
    terminal.update = update.Update(terminal, None, terminal, lambda *_: None)
    terminal.update.tell(lambda code, _point, values: terminal.events.append((code, list(values))))
    terminal.update.heard()
    terminal.update.due(1 << 40, is_up=True, reads=False)
    terminal.offer(releases.split(vector)[0])
    assert terminal.told() == [(record.UPDATE_REFUSED, [0, format_of.NOT_HERE, 0])]


def test_a_heap_that_does_not_suffice_is_a_refusal_and_no_start_anew() -> None:
    # P-265: and what came is forgotten, so that the next start may have room
    def fails(*_: object) -> None:
        raise MemoryError

    vector = taken()
    terminal = Terminal(vector)
    terminal.update._open = fails  # type: ignore[method-assign]
    terminal.offer(releases.split(vector)[0])
    assert terminal.told() == [(record.UPDATE_REFUSED, [0, format_of.MEMORY, vector["here"]["newest"]])]
    terminal = Terminal(vector)
    terminal.offer(releases.split(vector)[0])
    terminal.update._intake.take = fails  # type: ignore[attr-defined]
    terminal.chunk(number_of(vector), 0, b"content")
    assert terminal.told()[-1] == (record.UPDATE_REFUSED, [0, format_of.MEMORY, vector["here"]["newest"]])
    assert not terminal.update.restart
    deliver(terminal, vector)
    assert terminal.update.restart


def test_a_release_for_which_there_is_no_room_is_refused_before_a_file_is_written() -> None:
    # P-265
    vector = taken()
    signed, payload = releases.split(vector)
    manifest = format_of.read_manifest(format_of.signed_of(signed).payload)
    folder = folders.new_folder(BLOCKS)
    writer = update_slot.SlotWriter(folder, manifest, signed, (18, 4096))
    try:
        writer.write(payload[: manifest.index_bytes])
        raise AssertionError("it was begun with")
    except format_of.UpdateError as error:
        assert error.refusal == format_of.SIZE
    writer = update_slot.SlotWriter(folder, manifest, signed, (19, 4096))
    writer.write(payload[: manifest.index_bytes])
    writer.close()


def test_bounds_agree() -> None:
    assert limits.CHUNK_BYTES_MAX * 4 == update_intake.REPORT_BYTES
