# Another key without a visit: agreed on, told, used once the gateway has spoken under it; a power cut at any moment
# leaves a key that the gateway has. Runs on both interpreters; the cuts are on MicroPython's LittleFS.
import json

from terminal import keys, small_file

import protocol
from protocol import checked, down, p256, record
from tests.vm.cuttable import Flash, mount, new_folder
from tests.vm.points import point_bytes

with open(protocol.__file__.replace("__init__.py", "") + "vectors/key_agreement.json") as vectors:
    CASE = json.load(vectors)["vectors"][0]
OLD, NEXT = CASE["secret"], CASE["next"]
POINT = bytes.fromhex(CASE["point"])
TOLD = [2, int(CASE["of"], 16)] + [int(part, 16) for part in CASE["parts"]]
ECHO = (4, 1000)
SECONDS = 60  # that a key takes at most


class Terminal:
    """Starts and restarts on one folder, which is the board's; `events` are those of all its starts."""

    def __init__(self, folder: str, *, new: bool = True) -> None:
        self.data_dir = folder
        self.drawn = (int(CASE["terminals_factor"], 16) - 1).to_bytes(40, "big")
        self.events: list[tuple[int, list[int]]] = []
        if new:
            self.lay(1, OLD)
        self.start()

    def lay(self, generation: int, secret: str) -> None:
        """As a technician does."""
        with open(self.data_dir + "/key", "w") as file:
            json.dump({"generation": generation, "secret": secret}, file)

    def start(self) -> None:
        self.keys = keys.Keys(self, CASE["terminal"], lambda *_: None)
        self.keys.tell(self.event)

    def event(self, code: int, _point: "int | None", values) -> None:  # type: ignore[no-untyped-def]
        self.events.append((code, list(values)))

    def random_bytes(self, count: int) -> bytes:
        assert count == len(self.drawn)
        return self.drawn

    def offer(self, offered: int = 2, point: bytes = POINT) -> None:
        self.keys.take(down.KeyOffer(self.keys.key.generation, offered, point, ECHO))
        for _ in range(SECONDS):
            self.keys.due()

    def use(self, generation: int = 2) -> None:
        self.keys.take(down.KeyUse(generation, ECHO))

    @property
    def stored(self) -> "tuple[int, str]":
        with open(self.data_dir + "/key") as file:
            found = json.load(file)
        return found["generation"], found["secret"]


def test_a_key_is_agreed_on_told_and_used_when_the_gateway_has_spoken_under_it() -> None:
    # FR-92 FR-93 P-410
    made = Terminal(new_folder())
    made.offer()
    assert made.events == [(record.KEY_DRAWN, TOLD)]
    assert (made.keys.key.generation, sorted(made.keys.known)) == (1, [1, 2])
    made.start()
    assert (made.keys.key.generation, sorted(made.keys.known)) == (1, [1, 2]), "it is there after a start"
    assert len(made.events) == 1, "told once"
    made.use()
    assert (made.keys.key.generation, made.stored) == (2, (2, NEXT))
    made.start()
    assert (made.keys.key.generation, sorted(made.keys.known)) == (2, [2])


def test_the_key_before_opens_what_comes_until_the_gateway_speaks_under_the_one_in_use() -> None:
    # FR-94
    made = Terminal(new_folder())
    made.offer()
    made.keys.heard(1)
    made.use()
    made.keys.heard(1)
    assert sorted(made.keys.known) == [1, 2]
    made.keys.heard(2)
    assert sorted(made.keys.known) == [2]


def test_what_comes_again_or_out_of_turn_changes_nothing() -> None:
    # FR-91 FR-93
    made = Terminal(new_folder())
    made.use()
    made.use(1)
    assert made.stored == (1, OLD), "there is nothing to be used"
    made.offer()
    made.keys.take(down.KeyOffer(1, 2, POINT, ECHO))
    assert made.events == [(record.KEY_DRAWN, TOLD)] * 2, "the same offer again: told again, drawn once"
    made.use(1)
    assert made.stored == (1, OLD)
    made.use()
    made.use()
    for generation in (1, 2):
        made.offer(generation)
        made.offer(generation)
        assert made.events.pop() == (record.KEY_REFUSED, [generation, record.KEY_STALE, 2])
    assert made.stored == (2, NEXT)
    assert len(made.events) == 2, "once a start"


def test_another_offer_takes_the_place_of_one_that_was_not_used() -> None:
    # FR-91: the gateway has lost what it drew, and draws again
    made = Terminal(new_folder())
    made.offer()
    made.offer(2, point_bytes(p256.G))
    assert made.events[1][1][:2] != TOLD[:2]
    assert made.events[1][1][2:] == TOLD[2:]
    made.use()
    assert made.stored[0] == 2
    assert made.stored[1] not in (NEXT, OLD)


def test_a_key_that_is_computed_while_another_is_taken_into_use_is_not_told() -> None:
    # FR-92: its salt would be the key before, and no longer the one under which it is told
    made = Terminal(new_folder())
    made.offer()
    made.keys.take(down.KeyOffer(1, 3, POINT, ECHO))
    made.use()
    for _ in range(SECONDS):
        made.keys.due()
    assert made.events == [(record.KEY_DRAWN, TOLD)]
    made.offer(3)
    assert made.events[1][1][0] == 3


def test_what_is_no_point_and_what_the_flash_does_not_take_is_refused() -> None:
    # FR-91
    made = Terminal(new_folder())
    made.offer(2, POINT[:-1] + bytes((POINT[-1] ^ 1,)))
    assert made.events == [(record.KEY_REFUSED, [2, record.KEY_POINT, 1])]
    keep = small_file.write

    def full(path: str, data: bytes) -> None:
        raise OSError(28)

    small_file.write = full
    try:
        made.offer()
    finally:
        small_file.write = keep
    assert made.events[1] == (record.KEY_REFUSED, [2, record.KEY_NOT_STORED, 1])
    assert sorted(made.keys.known) == [1]
    made.offer()
    assert made.events[2] == (record.KEY_DRAWN, TOLD), "it can be offered again"


def test_a_heap_that_does_not_suffice_is_told_and_costs_no_start() -> None:
    # FR-91: what computes a key is loaded when the first is offered
    made = Terminal(new_folder())

    def full(count: int) -> bytes:
        raise MemoryError(count)

    made.random_bytes = full  # type: ignore[method-assign]
    made.offer()
    assert made.events == [(record.KEY_REFUSED, [2, record.KEY_MEMORY, 1])]
    del made.random_bytes
    made.offer()
    assert made.events[1] == (record.KEY_DRAWN, TOLD)


def test_a_technicians_key_ends_what_was_agreed_on() -> None:
    # FR-94: whatever its generation
    for generation in (1, 2, 9):
        made = Terminal(new_folder())
        made.offer()
        made.lay(generation, "ab" * 32)
        made.start()
        made.use()
        assert made.stored == (generation, "ab" * 32)
        assert sorted(made.keys.known) == [generation]


def cut_after(vfs, operations: int) -> "tuple[bool, bool]":  # type: ignore[no-untyped-def]
    """Power is cut in a change of key; whether the terminal told the gateway before, and whether it got to the end."""
    flash = Flash()
    mount(vfs, flash, new=True)
    made = Terminal("/ram")
    flash.operations = operations
    try:
        made.offer()
        if made.events:
            made.use()
    except (OSError, checked.ConfigError):
        ended = False
    else:
        ended = flash.operations >= 0
    told = bool(made.events) and made.events[0][0] == record.KEY_DRAWN
    flash.operations = 1000000
    mount(vfs, flash, new=False)
    return told, ended


def test_a_power_cut_at_any_moment_leaves_a_key_that_the_gateway_has() -> None:
    # FR-93 P-411: at every operation of the flash, from the offer to the change
    try:
        import vfs
    except ImportError:
        return  # LittleFS is MicroPython's
    cuts, ended, seen = 0, False, []
    while not ended:
        told, ended = cut_after(vfs, cuts)
        again = Terminal("/ram", new=False)
        assert again.stored in ((1, OLD), (2, NEXT)), cuts
        assert again.stored == (1, OLD) or told, "the next key is used only once the gateway was told"
        seen.append(again.stored[0])
        again.offer(2 if again.stored[0] == 1 else 3)
        again.use(again.keys.key.generation + 1)
        assert again.keys.key.generation == seen[-1] + 1, "the change goes on, and ends"
        cuts += 1
    assert cuts > 10
    assert seen == sorted(seen)
