"""Both sides of the mailbox against each other, over everything that a line, a terminal and its visitors can do."""

import re
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from protocol import ack, down, frame, limits, mac, mailbox, record
from protocol.errors import FrameError

TERMINAL = "T0001"
KEY = mac.Key(b"k" * 32, 1)
OTHER_KEY = mac.Key(b"o" * 32, 1)
PATIENCE = 200  # reads within which an undisturbed fetch must end: a frame has 18 blocks


def event(seq: int, filler: int) -> bytes:
    """A record of about 40 bytes; `filler` tells frames of the same records apart."""
    body = record.Event(1_772_323_200 + filler, 1, 900, 3, 1, 1, None, [2**40] * 4)
    return record.encode_event(seq, body)


class World(RuleBasedStateMachine):
    """One terminal with a log of records, one gateway with a journal, a line between them, and strangers on it.

    The terminal offers frames of what its log holds, newest or oldest first, and frees what an authentic ack names.
    Requests and answers are lost, repeated, and delivered late in place of others'; the terminal reboots, sometimes
    with the number that it had; strangers read and write whatever they like.
    """

    late = Bundle("late")

    @initialize(records=st.integers(1, 150), number=st.integers(0, 0xFFFF), whole=st.booleans())
    def begin(self, records: int, number: int, whole: bool) -> None:
        self.log = set(range(records))
        self.all_records = records
        self.journal: set[int] = set()
        self.acked: set[int] = set()
        self.boot = 0
        self.now_ms = 0
        self.sealed: set[bytes] = set()
        self.to_answer: bytes | None = None
        self.fetcher = mailbox.Fetcher(TERMINAL, whole=whole)
        self.reboot(number)

    # --- the terminal

    @rule(number=st.integers(0, 3))
    def reboot(self, number: int) -> None:
        self.boot += 1
        self.box = mailbox.Mailbox(TERMINAL, number, lambda: self.now_ms, self.take)
        self.offer(count=10, live=False)

    @rule(count=st.integers(1, 64), live=st.booleans())
    def offer(self, count: int, live: bool) -> None:
        self.now_ms += 1
        pending = sorted(self.log)
        chosen = pending[-count:] if live else pending[:count]
        if not chosen:
            self.box.withdraw()
            return
        data = frame.seal_frame(
            KEY, TERMINAL, 7, self.boot, self.now_ms, [event(seq, self.now_ms % 50) for seq in chosen]
        )
        self.sealed.add(data)
        self.box.offer(data, mailbox.LIVE if live else mailbox.BACKLOG, self.now_ms)
        self.box.waiting(0, len(pending))

    def take(self, data: bytes, _read_ms: int | None) -> bool:
        try:
            found = down.open_down(data, TERMINAL, {1: KEY})
        except FrameError:
            return False
        assert isinstance(found, ack.Ack)
        for first, last in found.durable:
            self.log -= set(range(first, last + 1))
        self.offer(count=10, live=False)
        return True

    # --- the gateway, and the line

    @rule(target=late)
    def ask(self) -> tuple[int, int, bytes]:
        """A read whose answer is lost, or comes when another is awaited."""
        address, count = self.fetcher.request()
        return address, count, self.box.read(address, count)

    @rule()
    def poll(self) -> None:
        self.feed(self.box.read(*self.fetcher.request()))

    @rule(answer=late)
    def poll_and_hear_an_old_answer(self, answer: tuple[int, int, bytes]) -> None:
        self.box.read(*self.fetcher.request())
        self.feed(answer[2])

    def feed(self, data: bytes) -> int:
        try:
            found = self.fetcher.feed(data)
        except mailbox.FetchError:
            return mailbox.MORE
        if found == mailbox.FRAME:
            assert self.fetcher.frame in self.sealed, "a frame that no terminal ever sealed"
            self.commit(self.fetcher.frame)
        return found

    def commit(self, data: bytes) -> None:
        opened = frame.open_frame(data, TERMINAL, {1: KEY})
        seqs = [one.seq for one in opened.records]
        self.journal |= set(seqs)
        ranges = [(seq, seq) for seq in sorted(seqs)]
        echo = (opened.boot_id, opened.sent_ms)
        self.to_answer = ack.seal_ack(KEY, TERMINAL, 7, ranges, [], 1_772_323_200_000, echo)
        self.acked |= set(seqs)

    @rule(writes=st.lists(st.integers(0, 4), max_size=8))
    def answer(self, writes: list[int]) -> None:
        """The writes of an ack, in any order, some lost, some repeated."""
        if self.to_answer is None:
            return
        parts = mailbox.answer_writes(self.to_answer)
        for at in writes:
            self.box.write(*parts[at % len(parts)])

    # --- strangers

    @rule(first=st.integers(0x7F00, 0xA900), count=st.integers(0, 130))
    def stranger_reads(self, first: int, count: int) -> None:
        before = self.seen()
        try:
            assert len(self.box.read(first, count)) == 2 * count
        except mailbox.AddressError:
            assert count not in range(1, 126) or not 0x8000 <= first < 0x8870 - count
        assert self.seen() == before

    @rule(first=st.one_of(st.just(0xA000), st.integers(0x7F00, 0xA900)), data=st.binary(max_size=260))
    def stranger_writes(self, first: int, data: bytes) -> None:
        self.harmless(first, data)

    @rule(seqs=st.tuples(st.integers(0, 200), st.integers(0, 50)))
    def stranger_forges(self, seqs: tuple[int, int]) -> None:
        """An ack under another key, and one of ours turned round: a frame of the terminal as its own ack."""
        forged = ack.seal_ack(OTHER_KEY, TERMINAL, 7, [(seqs[0], sum(seqs))], [], 0, None)
        for one in [forged, *list(self.sealed)[:1]]:
            for address, data in mailbox.answer_writes(one):
                self.harmless(address, data)

    def harmless(self, address: int, data: bytes) -> None:
        log, before = set(self.log), self.seen()
        with suppress(mailbox.AddressError):
            self.box.write(address, data)
        # what was kept of a long ack may be completed by anyone who writes its length: it is authentic all the same
        assert log - self.log <= self.journal
        if log == self.log:
            assert self.seen()[:14] == before[:14]

    def seen(self) -> list[bytes]:
        """Everything that a reader of the frame sees but how often answers were refused."""
        registers = [self.box.read(at, 1) for at in range(0x8000, 0x8000 + 14)]
        return registers + [self.box.read(at, 120) for at in range(0x8000 + 16, 0x8870 - 120, 120)]

    # --- what holds

    @invariant()
    def nothing_is_freed_that_is_not_durable(self) -> None:
        if hasattr(self, "log"):
            assert set(range(self.all_records)) - self.log <= self.journal

    def teardown(self) -> None:
        """Left in peace, everything comes in and is freed, however it stood."""
        if not hasattr(self, "log"):
            return
        for _ in range(self.all_records // 10 + 2):
            self.drain()
        assert self.log == set()
        assert self.journal == set(range(self.all_records))

    def drain(self) -> None:
        for _ in range(PATIENCE):
            found = self.feed(self.box.read(*self.fetcher.request()))
            if found == mailbox.EMPTY:
                return
            if found == mailbox.FRAME:
                break
        else:
            raise AssertionError("a fetch that does not end")
        assert self.to_answer is not None
        for address, data in mailbox.answer_writes(self.to_answer):
            self.box.write(address, data)


def test_whatever_happens_no_frame_is_torn_nothing_is_freed_unacked_and_all_comes_in() -> None:
    """P-63, FR-65, FR-66, FR-69, FR-70: whatever is lost, repeated, late, rebooted or written by strangers."""
    run_state_machine_as_test(World, settings=settings(stateful_step_count=60))


def said_of(fetcher: mailbox.Fetcher, data: bytes) -> str:
    try:
        assert fetcher.feed(data) in {mailbox.MORE, mailbox.EMPTY, mailbox.FRAME}
    except mailbox.FetchError as error:
        return error.reason
    return ""


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_reason(data: bytes) -> None:
    """FR-70."""
    for whole in (True, False):
        fetcher = mailbox.Fetcher(TERMINAL, whole=whole)
        count = fetcher.request()[1]
        for answer in (
            data,
            (data + bytes(2 * count))[: 2 * count],
            b"\x00\x05\x57\x00\x00\x01" + data[: 2 * count - 6],
        ):
            assert said_of(fetcher, answer) in {"", "count", "mark", "version", "terminal", "range", "torn"}


@given(st.binary(min_size=40, max_size=40))
def test_any_identity_is_a_name_or_none(data: bytes) -> None:
    found = mailbox.read_identity(b"WL" + data[2:6] + b"\x00" + data[7:])
    assert found is None or 1 <= len(found.terminal) <= limits.TERMINAL_CHARS_MAX


@given(st.integers(1, limits.FRAME_BYTES_MAX))
def test_blocks_cover_a_frame_exactly(size: int) -> None:
    """FR-62."""
    blocks = mailbox.blocks_of(size)
    assert mailbox.extent(blocks - 1)[0] < size <= mailbox.extent(blocks - 1)[1]
    assert blocks <= mailbox.BLOCKS
    assert all(mailbox.used(block, size) <= mailbox.BLOCK for block in range(blocks))


def line_s(size: int, baud: int) -> float:
    """What a frame of `size` bytes and its ack cost on an RTU line: 8N1, 3.5 characters or 1.75 ms between frames."""
    character_s = 10 / baud
    fixed_s = 2 * max(0.00175, 3.5 * character_s) + 0.005
    counts = [mailbox.STATUS] + [mailbox.used(block, size) for block in range(mailbox.blocks_of(size)) if size]
    spent_s = sum((8 + 5 + 2 * count) * character_s + fixed_s for count in counts)
    writes = mailbox.answer_writes(bytes(96)) if size else []
    return spent_s + sum((9 + len(data) + 8) * character_s + fixed_s for _, data in writes)


def test_the_costs_in_the_text_are_those_of_the_map() -> None:
    text = (Path(mailbox.__file__).parent / "MAILBOX.md").read_text(encoding="utf-8")
    table = re.findall(
        r"^\| [^|]*?(?:([\d,]+) bytes|nothing waits) \| ([\d.]+) s \| ([\d.]+) s \| ([\d.]+) s \|$", text, re.MULTILINE
    )
    assert len(table) == 4
    for size, *told in table:
        for baud, seconds in zip((9600, 19_200, 115_200), told, strict=True):
            assert float(f"{line_s(int(size.replace(',', '') or 0), baud):.2g}") == float(seconds), (size, baud)
