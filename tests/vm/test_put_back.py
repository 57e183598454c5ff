# A whole chip is put back to an older image, acks of the other life come late or are played again, and frames of both
# lives reach the gateway together: nothing is freed that the gateway does not have. The real log, uplink, clock and
# answers, on both interpreters; the gateway keeps its rules in a page (SPEC.md, FR-33 and FR-36).
from terminal import answers, clock, counters, log, uplink

from protocol import ack, configuration, frame, limits, mac, record
from tests.vm import folders
from tests.vm.one_key import OneKey

KEY = mac.Key(bytes(range(32)), 1)
NAME = "T0001"
TIMEOUT_MS = 10000
STEPS = 150
SEEDS = 12


class Chance:
    """A generator that gives the same numbers on every interpreter."""

    def __init__(self, seed: int) -> None:
        self._state = seed * 7919 + 1

    def below(self, bound: int) -> int:
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 10) % bound

    def random_bytes(self, count: int) -> bytes:
        return bytes([self.below(256) for _ in range(count)])


class Gateway:
    """Takes frames in batches; answers each start of the terminal for itself."""

    def __init__(self) -> None:
        self.journal: dict[tuple[int, int], bytes] = {}  # (epoch, number): the record but its number
        self.acks: list[bytes] = []  # all that were ever made

    def take(self, batch: "list[bytes]", time_ms: int) -> None:
        fates: dict[tuple[int, int], list[tuple[int, bool]]] = {}  # (epoch, boot_id): (number, whether it is durable)
        echo: dict[tuple[int, int], int] = {}
        for data in batch:
            found = frame.open_frame(data, NAME, {1: KEY})
            start = (found.epoch, found.boot_id)
            echo[start] = max(found.sent_ms, echo.get(start, 0))
            for one in found.records:
                content = record.renumbered(one.raw, 0)
                kept = self.journal.setdefault((found.epoch, one.seq), content)
                fates.setdefault(start, []).append((one.seq, kept == content))
        for start, said in fates.items():
            durable = [(seq, seq) for seq in sorted({seq for seq, good in said if good})]
            refused = [(seq, seq, ack.REFUSED_CONFLICT) for seq in sorted({seq for seq, good in said if not good})]
            self.acks.append(ack.seal_ack(KEY, NAME, start[0], durable, refused, time_ms, (start[1], echo[start])))


class Terminal:
    """A chip with its log and counters; `uptime` is the board's clock."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.random_bytes = chance.random_bytes
        self.folder = folders.new_folder()
        self.flash = folders.RamFlash(counters.BLOCKS)
        self.uptime = 0
        self.records_lost = 0
        self.start()

    def start(self) -> None:
        count = counters.Counters(self.flash)
        self.log = log.Log(self.folder, log_event, self.random_bytes, 100, count)
        self.uptime = 5000  # as after every start: stamps of two lives may well be the same
        self.clock = clock.Clock(self, clock.next_boot(self.folder + "/boot", count), self)
        settings = configuration.Uplink(TIMEOUT_MS, 1 + self.chance.below(8), 1 + self.chance.below(6))
        self.uplink = uplink.Uplink(self.log, settings, self.random_bytes)
        self.uplink.connected(session_present=False)
        self.answers = answers.Answers(
            (NAME, OneKey(KEY)), self.clock, self.log, self.uplink, self, (self, self, self), lambda *_: None
        )

    def rtc_s(self) -> None:
        return None

    def set_rtc_s(self, unix_s: int) -> None:
        pass

    def note(self, unix_s: int, error_s: int) -> None:
        pass

    def uptime_ms(self) -> int:
        return self.uptime

    def heard(self) -> None:
        pass

    def event(self, code: int, _point: "int | None", values) -> None:  # type: ignore[no-untyped-def]
        self.log.append(lambda seq: log_event(seq, code, values))

    def image(self) -> "list[bytes]":
        """The whole chip, without power."""
        self.log.close()
        folders.copy(self.folder, self.folder + ".image")
        blocks = [bytes(one) for one in self.flash.blocks]
        self.start()
        return blocks

    def put_back(self, blocks: "list[bytes]") -> None:
        self.log.close()
        folders.remove(self.folder)
        folders.copy(self.folder + ".image", self.folder)
        self.flash.blocks = [bytearray(one) for one in blocks]
        self.start()

    def send(self) -> "bytes | None":
        found = self.uplink.compose(self.uptime, self.clock.stamp, limits.FRAME_BYTES_MAX)
        if found is None:
            return None
        stamp, records, epoch = found
        return frame.seal_frame(KEY, NAME, epoch, self.clock.boot_id, stamp, records)


def log_event(seq: int, code: int, values) -> bytes:  # type: ignore[no-untyped-def]
    return record.encode_event(seq, record.Event(None, 1, 0, 0, 65535, code, None, list(values)))


class Game:
    """One chip, one gateway, and a broker that keeps, repeats, delays and mixes what it likes."""

    def __init__(self, seed: int) -> None:
        self.chance = Chance(seed)
        self.terminal = Terminal(self.chance)
        self.gateway = Gateway()
        self.sent: list[bytes] = []
        self.image: list[bytes] | None = None
        self.put_back = 0
        self.made = 0

    def step(self) -> None:
        act = self.chance.below(12)
        terminal = self.terminal
        if act < 3:
            self.made += 1
            terminal.event(record.METER_BACK, 1, (self.made,))
        elif act < 6:
            data = terminal.send()
            if data is not None:
                self.sent.append(data)
        elif act < 8 and self.sent:
            some = 1 + self.chance.below(4)
            self.gateway.take([self.sent[self.chance.below(len(self.sent))] for _ in range(some)], terminal.uptime)
        elif act < 10 and self.gateway.acks:
            acks = self.gateway.acks
            terminal.answers.take(acks[self.chance.below(len(acks))], terminal.uptime)
        elif act == 10:
            terminal.uptime += 4 * TIMEOUT_MS
        elif not self.chance.below(3):
            self.restart()

    def restart(self) -> None:
        if self.image is None:
            self.image = self.terminal.image()
        elif self.chance.below(2):
            self.terminal.put_back(self.image)
            self.put_back += 1
        else:
            self.terminal.log.close()
            self.terminal.start()

    def check(self, told: str) -> None:
        """What is not pending is in the journal."""
        store = self.terminal.log
        safe = set(self.gateway.journal.values()) | {content_of(store, seq) for seq in pending_of(store)}
        for seq in range(store.oldest_seq, store.next_seq):
            content = content_of(store, seq)
            assert content is None or content in safe, (told, seq)

    def drain(self, told: str) -> None:
        """Now everybody does what he should."""
        terminal = self.terminal
        for _ in range(200):
            data = terminal.send()
            if data is not None:
                self.gateway.take([data], terminal.uptime)
                terminal.answers.take(self.gateway.acks[-1], terminal.uptime)
            terminal.uptime += TIMEOUT_MS
        assert not terminal.log.pending_count(), told


def content_of(store: log.Log, seq: int) -> "bytes | None":
    data = store.peek(seq)
    return record.renumbered(data, 0) if data else None


def pending_of(store: log.Log) -> "list[int]":
    found, seq = [], store.next_pending(0)
    while seq is not None:
        found.append(seq)
        seq = store.next_pending(seq)
    return found


def test_whatever_acks_of_another_life_come_nothing_is_freed_that_the_gateway_lacks() -> None:
    # P-175, S-08, FR-36
    put_back = 0
    for seed in range(SEEDS):
        game = Game(seed)
        for step in range(STEPS):
            game.step()
            game.check(f"seed {seed}, step {step}")
        game.drain(f"seed {seed}")
        game.check(f"seed {seed}, drained")
        put_back += game.put_back
        game.terminal.log.close()
    assert put_back > SEEDS, "the games put chips back"
