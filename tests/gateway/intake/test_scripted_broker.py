"""Both carriers against a broker that does what brokers do at their worst."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.carriers import Carrier
from gateway.clock import steady_s
from gateway.config import MqttConfig
from gateway.files import write_secret
from gateway.intake import paho_carrier, stream_carrier
from gateway.intake.deliveries import TOPIC_BYTES_MAX, Delivery
from gateway.mqtt import session
from tests.cext import mqtt_reference as wire
from tests.gateway.intake.fake_broker import WAIT_S, FakeBroker, Sent, up
from tests.gateway.support import wait_until

Make = Callable[..., Carrier]
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


@pytest.fixture
def fake() -> Iterator[FakeBroker]:
    one = FakeBroker()
    yield one
    one.close()


@pytest.fixture
def states() -> list[tuple[str, object]]:
    return []


@pytest.fixture(params=["stream", "paho"])
def start(request: pytest.FixtureRequest, fake: FakeBroker, states: list[tuple[str, object]]) -> Iterator[Make]:
    """Starts a carrier to the fake broker; it ends with the test."""
    started: list[Carrier] = []

    def make(**more: object) -> Carrier:
        config = MqttConfig(host="127.0.0.1", port=fake.port, **{"reconnect_max_s": 1, **more})  # type: ignore[arg-type]

        def on_state(state: str, detail: dict[str, object]) -> None:
            states.append((state, detail.get("reason")))

        one: Carrier
        if request.param == "paho":
            one = paho_carrier.PahoIntake(config, steady_s, on_state)
        else:
            one = stream_carrier.StreamIntake(config, steady_s, on_state, lambda: 0.0)
        started.append(one)
        one.start()
        return one

    yield make
    fake.hang_up()
    for one in started:
        one.stop()


only_stream = pytest.mark.parametrize("start", ["stream"], indirect=True)


def take(carrier: Carrier, count: int) -> list[Delivery]:
    """So many deliveries, in the end."""
    found: list[Delivery] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count}"
        found += carrier.take(count - len(found), 0.1, 0)
    return found


def test_nothing_is_acknowledged_before_its_release(fake: FakeBroker, start: Make) -> None:
    """P-71"""
    carrier = start()
    fake.connect()
    fake.send(up(1, 7), up(2, 8), wire.publish(b"wattline/up/T0003", 0, b"qos 0"))
    found = take(carrier, 3)
    assert [(one.terminal, one.data) for one in found] == [
        ("T0001", b"frame"),
        ("T0002", b"frame"),
        ("T0003", b"qos 0"),
    ]
    assert fake.silent()
    carrier.release([found[1].token])
    assert fake.expect(PUBACK).packet_id == 8
    carrier.release([found[2].token])
    assert fake.silent()
    carrier.release([found[0].token])
    assert fake.expect(PUBACK).packet_id == 7


def test_a_topic_that_is_long_or_no_utf_8_is_evidence_of_its_beginning(fake: FakeBroker, start: Make) -> None:
    """S-21: whichever carrier: what follows such a topic is heard, and no more of it is kept than of any other."""
    carrier = start()
    fake.connect()
    fake.send(wire.publish(b"wattline/up/\xff\x1b", 0, b"1"), wire.publish(b"x" * 65_000, 0, b"2"), up(1, 7))
    wrong, long, good = take(carrier, 3)
    assert (wrong.terminal, wrong.topic, wrong.data) == ("", "wattline/up/\\xff\x1b", b"1")
    assert (long.terminal, long.topic, long.data) == ("", "x" * TOPIC_BYTES_MAX, b"2")
    assert (good.terminal, good.data) == ("T0001", b"frame")


@only_stream
def test_a_token_counts_once(fake: FakeBroker, start: Make) -> None:
    carrier = start()
    fake.connect()
    fake.send(up(1, 7))
    (found,) = take(carrier, 1)
    carrier.release([found.token])
    carrier.release([found.token])
    assert fake.expect(PUBACK).packet_id == 7
    assert fake.silent()


def test_a_token_of_an_earlier_connection_acknowledges_nothing(fake: FakeBroker, start: Make) -> None:
    """P-71"""
    carrier = start()
    fake.connect()
    fake.send(up(1, 7))
    (before,) = take(carrier, 1)
    fake.hang_up()
    fake.connect(present=True)
    fake.send(up(2, 7, b"another"))  # the same id, which the broker may give to another message
    (after,) = take(carrier, 1)
    carrier.release([before.token])
    assert fake.silent()
    carrier.release([after.token])
    assert fake.expect(PUBACK).packet_id == 7


def test_who_we_are_and_what_we_take_is_said(fake: FakeBroker, start: Make, tmp_path: object) -> None:
    secret = f"{tmp_path}/password"
    write_secret(Path(secret), "geheim\n")
    start(username="gateway", password_file=secret, client_id="G1", keepalive_s=30, session_expiry_s=3600)
    asked = fake.connect().body
    assert asked.startswith(b"\0\4MQTT\x05\xc0\0\x1e")
    assert asked.endswith(b"\0\2G1\0\7gateway\0\6geheim")
    for one in (b"\x11\0\0\x0e\x10", b"\x21\x07\xd0", b"\x27\0\x10\0\0"):
        assert one in asked


def test_a_refused_subscription_is_asked_for_again(
    fake: FakeBroker, start: Make, states: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (session, paho_carrier):
        monkeypatch.setattr(module, "SUBSCRIBE_AGAIN_S", 0.2)
    carrier = start()
    fake.accept()
    fake.send(wire.connack())
    for refusal in (b"\x87", b"\x00"):  # not authorized; QoS 0, at which nothing can wait for its commit
        asked = fake.expect(SUBSCRIBE)
        fake.send(wire.suback(asked.packet_id, refusal))
        wait_until(lambda: states[-1][0] == "subscribe_refused")
        carrier.take(1, 0.3, 0)
        carrier.take(1, 0, 0)
    fake.send(wire.suback(fake.expect(SUBSCRIBE).packet_id, b"\x01"))
    wait_until(lambda: states[-1][0] == "subscribed")


def test_a_refused_connection_is_tried_again(fake: FakeBroker, start: Make, states: list[tuple[str, object]]) -> None:
    start()
    fake.accept()
    fake.send(wire.connack(0x86))
    fake.connect()
    wait_until(lambda: ("subscribed", None) in states)
    (reason,) = [reason for state, reason in states if state == "connect_refused"]
    assert "user" in str(reason).lower()


@only_stream
@pytest.mark.parametrize(
    ("damage", "reason"), [(b"\x32\x03\0\1t", 0x81), (b"\x34\x06\0\1t\0\1\0", 0x82), (b"\x32\xff\xff\xff\x7f", 0x95)]
)
def test_a_malformed_packet_ends_the_connection_with_its_reason_and_the_next_one_works(
    fake: FakeBroker, start: Make, states: list[tuple[str, object]], damage: bytes, reason: int
) -> None:
    carrier = start()
    fake.connect()
    fake.send(damage)
    assert fake.expect(DISCONNECT).body == bytes((reason,))
    assert fake.closed()
    fake.connect()
    fake.send(up(1, 7))
    assert take(carrier, 1)[0].data == b"frame"
    assert "at byte" in str(next(reason for state, reason in states if state == "disconnected"))


@only_stream
def test_the_brokers_own_reason_to_end_is_shown(
    fake: FakeBroker, start: Make, states: list[tuple[str, object]]
) -> None:
    start()
    fake.connect()
    fake.send(wire.disconnect(0x8E))
    wait_until(lambda: any("client_id" in str(reason) for _, reason in states))
    fake.connect()


@only_stream
def test_a_broker_that_offers_qos_0_only_is_no_broker(fake: FakeBroker, start: Make) -> None:
    start()
    fake.accept()
    fake.send(wire.connack(0, b"\x02\x24\x00"))
    assert fake.expect(DISCONNECT).body == b"\x9b"


@only_stream
def test_no_more_acks_are_in_flight_than_the_broker_allows(fake: FakeBroker, start: Make) -> None:
    """P-73"""
    carrier = start()
    fake.connect(b"\x03\x21\0\3")
    for number in range(10):
        assert carrier.publish_down([("T0001", b"%d" % number)])
    first = [fake.expect(PUBLISH) for _ in range(3)]
    assert fake.silent()
    fake.send(wire.puback(first[1].packet_id))
    more = fake.expect(PUBLISH)
    assert fake.silent()
    fake.send(*(wire.puback(one.packet_id) for one in (first[0], first[2], more)))
    rest: list[Sent] = []
    while len(rest) < 6:
        rest.append(fake.expect(PUBLISH))
        fake.send(wire.puback(rest[-1].packet_id))
    assert [one.payload for one in [*first, more, *rest]] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("present", [True, False])
def test_what_the_broker_has_not_acknowledged_is_sent_again(fake: FakeBroker, start: Make, *, present: bool) -> None:
    """P-73"""
    carrier = start()
    fake.connect()
    for name in (b"a", b"b"):
        carrier.publish_down([("T0001", name)])
    first, second = fake.expect(PUBLISH), fake.expect(PUBLISH)
    fake.send(wire.puback(first.packet_id))
    carrier.take(1, 0.2, 0)  # it is read
    fake.hang_up()
    carrier.publish_down([("T0002", b"c")])
    asked = fake.accept()
    assert asked.body[7] & 0x02 == 0  # not a clean start
    fake.send(wire.connack(present=present))
    found: dict[bytes, Sent] = {}
    while len(found) < 2:
        one = fake.read()
        if one.kind == PUBLISH:
            found[one.payload] = one
    assert set(found) == {b"b", b"c"}
    assert bool(found[b"b"].first & 0x08) or not present
    assert not present or found[b"b"].packet_id == second.packet_id


@only_stream
def test_what_the_broker_refuses_of_ours_is_said(
    fake: FakeBroker, start: Make, states: list[tuple[str, object]]
) -> None:
    """P-73"""
    carrier = start()
    fake.connect(b"\x05\x27\0\0\0\x50")
    carrier.publish_down([("T0001", b"a")])
    fake.send(wire.puback(fake.expect(PUBLISH).packet_id, 0x87))
    wait_until(lambda: ("down_refused", "0x87 not authorized") in states)
    carrier.publish_down([("T0001", bytes(80))])
    wait_until(lambda: ("down_refused", "0x95 packet too large") in states)
    assert fake.silent()


@only_stream
def test_acks_and_pubacks_of_a_batch_leave_together(fake: FakeBroker, start: Make) -> None:
    carrier = start()
    fake.connect()
    fake.send(*(up(number, number) for number in range(1, 101)))
    for one in take(carrier, 100):
        carrier.publish_down([(one.terminal, b"ack")])
        carrier.release([one.token])
    kinds = [fake.read().kind for _ in range(200)]
    assert (kinds.count(PUBLISH), kinds.count(PUBACK)) == (100, 100)


@only_stream
def test_a_broker_that_sends_past_receive_maximum_waits_and_nothing_is_lost(fake: FakeBroker, start: Make) -> None:
    """P-31"""
    carrier = start(receive_maximum=5)
    fake.connect()
    fake.send(*(up(1, number, b"%d" % number) for number in range(1, 1001)))
    wait_until(lambda: carrier.waiting == 5)
    time.sleep(0.2)
    assert carrier.waiting == 5
    found = take(carrier, 1000)
    assert [one.data for one in found] == [b"%d" % number for number in range(1, 1001)]
    for one in found:
        carrier.release([one.token])
    assert [fake.expect(PUBACK).packet_id for _ in range(1000)] == list(range(1, 1001))


@only_stream
def test_a_broker_that_falls_silent_is_left(fake: FakeBroker, start: Make, states: list[tuple[str, object]]) -> None:
    """P-72"""
    start(keepalive_s=1)
    fake.connect()
    assert fake.expect(PINGREQ).body == b""
    fake.send(wire.PINGRESP)
    begun = time.monotonic()
    while (one := fake.read()).kind == PINGREQ:
        pass
    assert one == (0xE0, b"\x8d")
    assert 1 < time.monotonic() - begun < WAIT_S  # a busy machine
    fake.connect()
    wait_until(lambda: [state for state, _ in states].count("subscribed") == 2)


@only_stream
def test_a_broker_that_answers_nothing_is_left(fake: FakeBroker, start: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-72"""
    monkeypatch.setattr(session, "ANSWER_S", 0.3)
    start()
    fake.accept()
    assert fake.closed()
    fake.accept()
    fake.send(wire.connack())
    assert fake.closed()
    fake.connect()


@only_stream
def test_the_brokers_keep_alive_is_kept(fake: FakeBroker, start: Make) -> None:
    start(keepalive_s=600)
    fake.connect(b"\x03\x13\0\1")
    assert fake.expect(PINGREQ).body == b""


@only_stream
def test_a_stop_sends_what_was_said_before_it(fake: FakeBroker, start: Make) -> None:
    carrier = start()
    fake.connect()
    fake.send(up(1, 7))
    (one,) = take(carrier, 1)
    carrier.publish_down([("T0001", b"ack")])
    carrier.release([one.token])
    carrier.stop()
    assert {fake.read().kind, fake.read().kind} == {PUBLISH, PUBACK}
    assert fake.expect(DISCONNECT).body == b"\x00"
    with pytest.raises(EOFError):
        fake.read()


def test_the_pauses_between_attempts_grow_to_their_bound_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-72"""
    jitter = iter([0.0, 1.0, 0.5] * 4)
    carrier = stream_carrier.StreamIntake(
        MqttConfig(host="127.0.0.1", reconnect_max_s=8), lambda: 0.0, lambda *_: None, lambda: next(jitter)
    )
    pauses: list[float] = []

    def wait(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 8:
            carrier._stopping.set()

    monkeypatch.setattr(carrier, "_connect", lambda: ("connect_failed", ""))
    monkeypatch.setattr(carrier._stopping, "wait", wait)
    carrier._run()
    carrier.stop()
    assert pauses == [1.0, 4.0, 6.0, 4.0, 8.0, 6.0, 4.0, 8.0]
