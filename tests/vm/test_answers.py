# What came down is authenticated, fresh, and obeyed: acks, requests, configurations. Runs on both interpreters.
from terminal import answers, clock

from protocol import ack, cbor, limits, mac, record
from protocol.host import orders
from tests.vm.one_key import OneKey

KEY = mac.Key(bytes(range(32)), 1)
NAME = "T0001"
EPOCH = 77


class Updates:
    """What is said to terminal.update: the calls are noted."""

    def __init__(self, calls: "list[tuple[object, ...]]") -> None:
        self.calls = calls
        self.on_trial: object = None

    def heard(self) -> None:
        self.calls.append(("update heard",))

    def take(self, found: object) -> None:
        self.calls.append(("release", found))


class Documents:
    """What is said to terminal.certificates: the calls are noted."""

    def __init__(self, calls: "list[tuple[object, ...]]") -> None:
        self.calls = calls

    def heard(self) -> None:
        self.calls.append(("certificates heard",))

    def offer(self, version: int, document: bytes) -> None:
        self.calls.append(("certificates", version, document))


class World:
    """A clock that is real, and everything else by its name: the calls are noted."""

    def __init__(self) -> None:
        self.uptime = 1000000
        self.clock = clock.Clock(self, 4, self)
        self.calls: list[tuple[object, ...]] = []
        self.events: list[tuple[int, list[int]]] = []
        self.here: list[tuple[int, int]] = []
        self.gone: list[tuple[int, int]] = []
        self.records_refused = 0
        self.next_seq = 100
        self.updates = Updates(self.calls)
        orders = (self, Documents(self.calls), self.updates)
        self.keys = OneKey(KEY)
        self.answers = answers.Answers((NAME, self.keys), self.clock, self, self, self, orders, lambda *_: None)
        self.echo = (self.clock.boot_id, self.clock.stamp())

    def uptime_ms(self) -> int:
        return self.uptime

    def rtc_s(self) -> None:
        return None

    def random_bytes(self, count: int) -> bytes:
        return bytes(count - 1) + b"\4"

    def note(self, unix_s: int, error_s: int) -> None:
        pass

    def set_rtc_s(self, unix_s: int) -> None:
        self.calls.append(("rtc", unix_s))

    def knows(self, epoch: int) -> bool:
        return epoch == EPOCH

    def acknowledged(self, found: ack.Ack, _now_ms: int) -> None:
        self.calls.append(("acknowledged", found.durable, found.refused))

    def recall(self, ranges, epoch: int):  # type: ignore[no-untyped-def]
        self.calls.append(("recall", ranges, epoch))
        return self.here, self.gone

    def recalled(self) -> None:
        self.calls.append(("recalled",))

    def event(self, code: int, _point: "int | None", values) -> None:  # type: ignore[no-untyped-def]
        self.events.append((code, list(values)))

    def heard(self) -> None:
        self.calls.append(("heard",))

    def offer(self, version: int, document: bytes) -> None:
        self.calls.append(("offer", version, document))

    def request(self, echo: "tuple[int, int] | None" = None, epoch: int = EPOCH) -> bytes:
        return orders.seal_request(KEY, NAME, epoch, [(1, 5), (9, 9)], echo or self.echo)

    def configuration(self, echo: "tuple[int, int] | None" = None) -> bytes:
        return orders.seal_configuration(KEY, NAME, 3, b"{}", echo or self.echo)


def test_an_ack_frees_sets_the_clock_and_ends_a_trial() -> None:
    world = World()
    data = ack.seal_ack(KEY, NAME, EPOCH, [(1, 2)], [], 1790000000000, world.echo)
    assert world.answers.take(data, 0)
    assert [one[0] for one in world.calls] == ["heard", "certificates heard", "update heard", "rtc", "acknowledged"]
    assert world.events == [(record.CLOCK_SET, [0])]


def test_an_ack_that_echoes_nothing_fresh_frees_and_nothing_else() -> None:
    # FR-36
    world = World()
    unknown = (4, world.echo[1] + 1)
    assert world.answers.take(ack.seal_ack(KEY, NAME, EPOCH, [(1, 2)], [], 1790000000000, unknown), 0)
    world.uptime += limits.ECHO_MS_MAX + 1
    assert world.answers.take(ack.seal_ack(KEY, NAME, EPOCH, [(1, 2)], [], 1790000000000, world.echo), 0)
    assert {one[0] for one in world.calls} == {"acknowledged"}
    assert world.events == []


def test_an_ack_of_another_start_changes_nothing() -> None:
    # P-175, FR-36
    world = World()
    for echo in (None, (3, world.echo[1])):
        assert world.answers.take(ack.seal_ack(KEY, NAME, EPOCH, [(1, 2)], [(3, 3, 1)], 1790000000000, echo), 0)
    assert (world.calls, world.events, world.answers.ignored) == ([], [], 2)


def test_an_ack_over_modbus_says_when_its_frame_was_read() -> None:
    # FR-67: the error is half of the time since the frame was read, not since it was sealed
    world = World()
    world.uptime += 60000
    data = ack.seal_ack(KEY, NAME, EPOCH, [(1, 2)], [], 1790000000000, world.echo)
    assert world.answers.take(data, 0, world.uptime - 4000)
    assert world.clock.error_s() <= 3


def test_a_request_recalls_and_names_what_is_gone() -> None:
    # FR-38: at most 16 runs, the lowest first, and none that was not given out yet
    world = World()
    world.gone = [(at, at) for at in range(1, 60, 2)] + [(99, 120), (130, 140)]
    assert world.answers.take(world.request(), 0)
    assert world.calls == [("recall", [(1, 5), (9, 9)], EPOCH), ("recalled",)]
    assert world.events == [(record.REQUEST_UNMET, [at, at]) for at in range(1, 32, 2)]
    world.events.clear()
    world.gone = [(98, 98), (99, 120), (130, 140)]
    assert world.answers.take(world.request(), 0)
    assert world.events == [(record.REQUEST_UNMET, [98, 98]), (record.REQUEST_UNMET, [99, 99])]


def test_a_request_for_another_epoch_changes_nothing() -> None:
    # FR-38
    world = World()
    assert world.answers.take(world.request(epoch=EPOCH + 1), 0)
    assert (world.calls, world.events) == ([], [])


def test_any_number_of_orders_may_echo_a_frame_but_none_that_is_old_or_of_another_boot() -> None:
    # P-472 FR-39
    world = World()
    assert world.answers.take(world.configuration(), 0)
    assert world.answers.take(world.request(), 0)
    assert world.answers.take(world.configuration(), 0)
    assert [one[0] for one in world.calls] == ["offer", "recall", "recalled", "offer"]
    world.calls.clear()
    for echo in ((3, world.echo[1]), (4, world.echo[1] - 1)):
        assert world.answers.take(world.configuration(echo), 0)
    world.uptime += limits.ECHO_MS_MAX + 1
    assert world.answers.take(world.configuration(), 0)
    assert world.answers.take(world.request(), 0)
    assert (world.calls, world.events) == ([], [])
    assert world.answers.ignored == 4


def test_keys_and_certificates_go_to_who_minds_them() -> None:
    # FR-91 FR-93 FR-95: fresh, as all orders
    world = World()
    aad = mac.external_aad(NAME, limits.DOWN, limits.VERSION)
    payloads = [
        orders.key_offer_payload(2, bytes(64), world.echo),
        orders.key_use_payload(world.echo),
        orders.certificates_payload(3, b"\x30\x00", world.echo),
    ]
    for payload in payloads:
        assert world.answers.take(mac.seal(KEY, aad, payload), 0)
    assert [type(one).__name__ for one in world.keys.offers] == ["KeyOffer", "KeyUse"]
    assert world.calls == [("certificates", 3, b"\x30\x00")]
    world.uptime += limits.ECHO_MS_MAX + 1
    for payload in payloads:
        assert world.answers.take(mac.seal(KEY, aad, payload), 0)
    assert len(world.calls) + len(world.keys.offers) == 3


def test_neither_configuration_nor_certificates_end_the_trial_of_a_release() -> None:
    # P-465 FR-87: they would need a start; what gets no answer is sent again
    world = World()
    certificates = orders.certificates_payload(3, b"\x30\x00", world.echo)
    both = world.configuration(), mac.seal(KEY, mac.external_aad(NAME, limits.DOWN, limits.VERSION), certificates)
    world.updates.on_trial = world
    for data in both:
        assert world.answers.take(data, 0)
    assert (world.calls, world.events) == ([], [])
    world.updates.on_trial = None
    for data in both:
        assert world.answers.take(data, 0)
    assert [one[0] for one in world.calls] == ["offer", "certificates"]


def test_what_is_not_authentic_changes_nothing() -> None:
    # FR-35
    world = World()
    good = world.configuration()
    other = mac.Key(bytes(32), 1)
    for data in (
        b"",
        good[:-1],
        good + b"\0",
        good[:40] + bytes((good[40] ^ 1,)) + good[41:],
        orders.seal_configuration(other, NAME, 3, b"{}", world.echo),
        orders.seal_configuration(KEY, "T0002", 3, b"{}", world.echo),
    ):
        assert not world.answers.take(data, 0)
    assert (world.calls, world.events) == ([], [])


def test_a_kind_of_a_newer_text_is_authentic_and_obeyed_in_nothing() -> None:
    # FR-37
    world = World()
    payload = cbor.array([cbor.integer(limits.VERSION), cbor.integer(99), cbor.integer(0)])
    data = mac.seal(KEY, mac.external_aad(NAME, limits.DOWN, limits.VERSION), payload)
    assert world.answers.take(data, 0)
    assert (world.calls, world.events, world.answers.ignored) == ([], [], 1)
