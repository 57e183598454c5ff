# The mailbox: its registers bit by bit, and both sides of it against each other. Runs on both interpreters.
from protocol import ack, down, frame, limits, mac, mailbox
from protocol.errors import FrameError
from protocol.host import orders

TERMINAL = "T0001"
KEY = mac.Key(b"k" * 32, 1)
EVENT = b"\x83\x00\x02\x88\x1a\x69\xa3\x84\x00\x01\x19\x03\x84\x03\x01\x01\xf6\x81\x01"


class Clock:
    def __init__(self, now_ms: int = 5000000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class Terminal:
    # A mailbox, its clock, and the answers that it was given.
    def __init__(self, number: int = 100) -> None:
        self.clock = Clock()
        self.answers: list[tuple[bytes, int | None]] = []
        self.box = mailbox.Mailbox(TERMINAL, number, self.clock, self.take)

    def take(self, data: bytes, read_ms: "int | None") -> bool:
        try:
            down.open_down(data, TERMINAL, {1: KEY})
        except FrameError:
            return False
        self.answers.append((data, read_ms))
        return True


def pattern(size: int, seed: int = 0) -> bytes:
    return bytes((at * 7 + seed + (at >> 8)) & 0xFF for at in range(size))


def fetched(box: mailbox.Mailbox, fetcher: mailbox.Fetcher) -> "tuple[int, int]":
    # (how it ended, how many reads it took)
    for reads in range(1, 40):
        found = fetcher.feed(box.read(*fetcher.request()))
        if found != mailbox.MORE:
            return found, reads
    raise AssertionError("endless")


def refused(box: mailbox.Mailbox, address: int, count: int) -> bool:
    try:
        box.read(address, count)
    except mailbox.AddressError:
        return True
    return False


def write_refused(box: mailbox.Mailbox, address: int, data: bytes) -> bool:
    try:
        box.write(address, data)
    except mailbox.AddressError:
        return True
    return False


def reason_of(fetcher: mailbox.Fetcher, data: bytes) -> str:
    try:
        fetcher.feed(data)
    except mailbox.FetchError as error:
        return error.reason
    return ""


def sealed_ack(ranges: "list[tuple[int, int]]") -> bytes:
    return ack.seal_ack(KEY, TERMINAL, 7, ranges, [], 1772323200000, (1, 2))


def test_the_status_is_what_the_text_says() -> None:
    # FR-61
    one = Terminal(0xFFFE)
    one.box.waiting(3, 70000)
    one.box.offer(b"abc", mailbox.LIVE, 0)
    assert one.box.read(0x8000, 18) == bytes.fromhex(
        "ffff5700000100010003352441c20003ffff5169b5ee00001388000000000000616263" + "00"
    ), one.box.read(0x8000, 18)
    one.box.offer(b"abcd", mailbox.BACKLOG, 0)
    assert one.box.read(0x8000, 5) == bytes.fromhex("00005700000100020004")
    one.box.withdraw()
    assert one.box.read(0x8000, 7) == bytes.fromhex("0001570000010000000000000000")


def test_every_block_carries_number_and_mark_and_the_bytes_in_order() -> None:
    # FR-60, FR-62
    one = Terminal(41)
    data = pattern(limits.FRAME_BYTES_MAX)
    one.box.offer(data, mailbox.BACKLOG, 0)
    collected = b""
    for block in range(mailbox.BLOCKS):
        registers = one.box.read(0x8000 + 120 * block, 120)
        assert registers[:4] == bytes((0, 42, 0x57, block))
        collected += registers[32 if block == 0 else 4 :]
    assert collected == data + bytes(len(collected) - len(data))
    assert one.box.read(0x8000 + 118, 4) == data[204:208] + bytes((0, 42, 0x57, 1))


def test_what_is_no_register_of_the_mailbox_is_refused() -> None:
    # FR-60, FR-63
    one = Terminal()
    for address, count in (
        (0x7FFF, 2),
        (0x886F, 2),
        (0x8870, 1),
        (0x8000, 0),
        (0x8000, 126),
        (0x9000, 21),
        (0xA000, 1),
    ):
        assert refused(one.box, address, count), (address, count)
    for address, size in (
        (0x8000, 2),
        (0x9000, 2),
        (0x9FFF, 4),
        (0xA000 + 2048, 4),
        (0xA000, 0),
        (0xA000, 248),
        (0xA001, 3),
    ):
        assert write_refused(one.box, address, bytes(size)), (address, size)
    assert not refused(one.box, 0x886F, 1)
    assert not write_refused(one.box, 0xA000 + 2048, bytes(2))
    assert one.box.refused == 0


def test_who_answers_can_be_read() -> None:
    # FR-63
    data = Terminal().box.read(0x9000, 20)
    assert data == b"WL\x00\x01\x00\x01\x00\x05T0001" + bytes(27)
    assert mailbox.read_identity(data) == (1, 1, TERMINAL)
    for wrong in (data[:-2], b"XL" + data[2:], data[:7] + b"\x21" + data[8:], data[:7] + b"\x06" + data[8:], bytes(40)):
        assert mailbox.read_identity(wrong) is None


def test_a_frame_of_any_size_comes_out_as_it_went_in() -> None:
    # FR-62
    for whole in (True, False):
        one = Terminal()
        fetcher = mailbox.Fetcher(TERMINAL, whole=whole)
        assert fetched(one.box, fetcher) == (mailbox.EMPTY, 1)
        for size in (1, 2, 207, 208, 209, 443, 444, 445, 680, 4095, 4096):
            data = pattern(size, size)
            one.box.offer(data, mailbox.LIVE, 0)
            found, reads = fetched(one.box, fetcher)
            assert (found, fetcher.frame) == (mailbox.FRAME, data)
            assert reads == mailbox.blocks_of(size) + (not whole)
            assert fetcher.status is not None
            assert (fetcher.status.lane, fetcher.status.size) == (mailbox.LIVE, size)


def test_a_sealed_frame_is_fetched_and_its_ack_brought_down() -> None:
    # FR-60, FR-64: the same bytes as over MQTT, both ways
    one = Terminal()
    up = frame.seal_frame(KEY, TERMINAL, 7, 1, 2, [EVENT])
    one.box.offer(up, mailbox.LIVE, 0)
    fetcher = mailbox.Fetcher(TERMINAL, whole=False)
    fetched(one.box, fetcher)
    assert frame.open_frame(fetcher.frame, TERMINAL, {1: KEY}).epoch == 7
    down = sealed_ack([(0, 0)])
    for address, data in mailbox.answer_writes(down):
        one.box.write(address, data)
    assert one.answers == [(down, 5000000)]
    assert (one.box.taken, one.box.refused) == (1, 0)


def test_an_answer_of_any_size_arrives_and_a_short_one_in_one_write() -> None:
    # FR-64
    for size in (1, 2, 3, 243, 244, 245, 246, 4095, 4096):
        heard: list[bytes] = []
        box = mailbox.Mailbox(TERMINAL, 0, Clock(), lambda data, _read_ms, heard=heard: heard.append(data) or True)
        data = pattern(size)
        writes = mailbox.answer_writes(data)
        assert (len(writes) == 1) == (size <= 244)
        for address, part in writes:
            assert heard == []
            box.write(address, part)
        assert heard == [data]


def test_the_longest_ack_fits() -> None:
    # FR-64
    top = limits.UINT32_MAX
    durable = [(top - 2 * at, top - 2 * at) for at in range(64)]
    durable.reverse()
    refused_for_good = [(first, last, 255) for first, last in durable]
    longest = ack.seal_ack(
        KEY, "x" * 32, top, durable, refused_for_good, limits.TIME_MS_MAX, (top, limits.UPTIME_MS_MAX)
    )
    assert len(longest) < limits.FRAME_BYTES_MAX
    assert mailbox.answer_writes(longest)[-1][0] == mailbox.ANSWER


def test_requests_and_configurations_come_down_as_acks_do() -> None:
    # FR-64
    terminal = Terminal()
    top = limits.UINT32_MAX
    echo = (top, limits.UPTIME_MS_MAX)
    ranges = [(2 * at, 2 * at) for at in range(limits.ACK_RANGES_MAX)]
    request = orders.seal_request(KEY, TERMINAL, top, ranges, echo)
    configuration = orders.seal_configuration(KEY, TERMINAL, top, b" " * limits.DOCUMENT_BYTES_MAX, echo)
    for data in (request, configuration):
        for address, part in mailbox.answer_writes(data):
            terminal.box.write(address, part)
    assert [data for data, _ in terminal.answers] == [request, configuration]


def test_writes_without_a_mac_change_nothing_but_a_count() -> None:
    # FR-65
    one = Terminal()
    one.box.offer(pattern(600), mailbox.LIVE, 0)
    before = one.box.read(0x8000, 14)
    for data in (b"\x00\x00", b"\x00\x01\x00\x00", b"\xff\xff", b"\x10\x01", bytes(246), b"\x00\xf4" + bytes(244)):
        one.box.write(0xA000, data)
    for address in range(0xA001, 0xA801, 100):
        one.box.write(address, b"\xa5" * 2)
    forged = bytearray(sealed_ack([(0, 9)]))
    forged[-1] ^= 1
    for address, part in mailbox.answer_writes(bytes(forged)):
        one.box.write(address, part)
    assert one.answers == []
    assert one.box.read(0x8000, 13) == before[:26]
    assert one.box.read(0x800E, 1) == b"\x00\x07"
    down = sealed_ack([(0, 9)])
    for address, part in mailbox.answer_writes(down):
        one.box.write(address, part)
    assert [data for data, _ in one.answers] == [down]


def test_an_answer_written_twice_is_taken_twice_and_a_lost_end_costs_nothing() -> None:
    # FR-66
    one = Terminal()
    down = sealed_ack([(2 * at, 2 * at) for at in range(64)])
    writes = mailbox.answer_writes(down)
    assert len(writes) > 1
    for address, data in writes[:-1]:
        one.box.write(address, data)
    assert one.answers == []
    for address, data in writes + writes[-1:]:
        one.box.write(address, data)
    assert [data for data, _ in one.answers] == [down, down]


def test_the_instant_of_the_first_whole_read_is_told() -> None:
    # FR-67
    one = Terminal()
    one.box.offer(pattern(600), mailbox.LIVE, 0)
    down = sealed_ack([(0, 0)])
    ((address, data),) = mailbox.answer_writes(down)
    for part in ((0x8000, 16), (0x8000 + 120, 120), (0x8000, 119)):
        one.box.read(*part)
    one.box.write(address, data)
    one.clock.now_ms = 6000000
    one.box.read(0x8000, 120)
    one.box.read(0x8000 + 240, 79)
    one.box.write(address, data)
    one.clock.now_ms = 7000000
    one.box.read(0x8000 + 240, 80)
    one.clock.now_ms = 8000000
    fetched(one.box, mailbox.Fetcher(TERMINAL, whole=True))
    one.box.write(address, data)
    one.box.offer(pattern(600), mailbox.LIVE, 0)
    one.box.write(address, data)
    assert [read_ms for _, read_ms in one.answers] == [None, None, 7000000, None]


def test_a_frame_has_its_turn_for_a_minute() -> None:
    # FR-68
    one = Terminal()
    assert one.box.due(0)
    one.box.offer(b"x", mailbox.LIVE, 1000)
    assert not one.box.due(60999)
    assert one.box.due(61000)
    one.box.withdraw()
    assert one.box.due(1001)


def test_a_frame_that_changes_between_reads_is_torn_and_then_fetched() -> None:
    # FR-69
    for whole in (True, False):
        one = Terminal()
        fetcher = mailbox.Fetcher(TERMINAL, whole=whole)
        one.box.offer(pattern(1000, 1), mailbox.BACKLOG, 0)
        while fetcher.request()[0] == mailbox.BASE:
            assert fetcher.feed(one.box.read(*fetcher.request())) == mailbox.MORE
        one.box.offer(pattern(1000, 2), mailbox.LIVE, 0)
        assert reason_of(fetcher, one.box.read(*fetcher.request())) == "torn"
        assert fetched(one.box, fetcher)[0] == mailbox.FRAME
        assert fetcher.frame == pattern(1000, 2)


def test_a_frame_of_the_same_number_after_a_reboot_is_torn_all_the_same() -> None:
    # FR-69: the CRC holds where chance gave the same number twice
    one, two = Terminal(5), Terminal(5)
    one.box.offer(pattern(1000, 1), mailbox.BACKLOG, 0)
    two.box.offer(pattern(1000, 2), mailbox.BACKLOG, 0)
    fetcher = mailbox.Fetcher(TERMINAL, whole=True)
    fetcher.feed(one.box.read(*fetcher.request()))
    while len(fetcher._parts) < mailbox.blocks_of(1000) - 1:
        fetcher.feed(two.box.read(*fetcher.request()))
    assert reason_of(fetcher, two.box.read(*fetcher.request())) == "torn"
    assert fetched(two.box, fetcher)[0] == mailbox.FRAME
    assert fetcher.frame == pattern(1000, 2)


def test_a_frame_that_grew_between_status_and_read_is_asked_for_again() -> None:
    one = Terminal()
    one.box.offer(pattern(10), mailbox.LIVE, 0)
    fetcher = mailbox.Fetcher(TERMINAL, whole=False)
    fetcher.feed(one.box.read(*fetcher.request()))
    one.box.offer(pattern(200), mailbox.LIVE, 0)
    assert fetched(one.box, fetcher) == (mailbox.FRAME, 2)
    one.box.withdraw()
    assert fetched(one.box, fetcher) == (mailbox.EMPTY, 1)


def test_answers_to_other_requests_are_not_taken() -> None:
    # FR-70
    one = Terminal()
    one.box.offer(pattern(1000), mailbox.LIVE, 0)
    fetcher = mailbox.Fetcher(TERMINAL, whole=True)
    first = one.box.read(*fetcher.request())
    fetcher.feed(first)
    assert reason_of(fetcher, first) == "mark"
    assert reason_of(fetcher, one.box.read(0x8000 + 240, 120)) == "mark"
    assert reason_of(fetcher, one.box.read(0x8000 + 120, 119)) == "count"
    assert reason_of(fetcher, one.box.read(0x9000, 20) + bytes(200)) == "mark"
    assert reason_of(fetcher, b"") == "count"
    assert fetched(one.box, fetcher)[0] == mailbox.FRAME  # what was read so far was kept
    assert fetcher.frame == pattern(1000)


def test_another_terminal_another_map_and_nonsense_are_not_taken() -> None:
    # FR-70
    other = mailbox.Mailbox("T0002", 0, Clock(), lambda _data, _read_ms: True)
    fetcher = mailbox.Fetcher(TERMINAL, whole=False)
    assert reason_of(fetcher, other.read(*fetcher.request())) == "terminal"
    good = Terminal().box.read(0x8000, 16)
    for at, value, reason in ((5, 2, "version"), (7, 3, "range"), (7, 1, "range"), (9, 1, "range"), (2, 0, "mark")):
        wrong = bytearray(good)
        wrong[at] = value
        assert reason_of(fetcher, bytes(wrong)) == reason, at
    assert reason_of(fetcher, good[:6] + b"\x00\x01\x10\x01" + good[10:]) == "range"
    assert reason_of(fetcher, good) == ""
