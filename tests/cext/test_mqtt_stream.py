"""The MQTT stream parser: whatever bytes, in whatever pieces, it finds what the reference finds, and nothing else."""

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cext import mqtt_stream
from cext.mqtt_stream import Connack, Disconnect, Packets, Parser, Pingresp, StreamFault, Suback
from protocol.host.tables import is_terminal_id
from tests.cext import mqtt_reference as wire
from tests.cext.mqtt_reference import Puback, Publish

PACKET_MAX, TOPIC_MAX, PAYLOAD_MAX, PREFIX = 3000, 40, 1000, b"wattline/up/"


class Seen(NamedTuple):
    """What a stream gave, over all calls."""

    publishes: list[tuple[str, str, int, bytes, int]]  # name, topic, packet id, payload, size
    pubacks: list[tuple[int, int]]
    controls: list[Connack | Suback | Pingresp | Disconnect]
    fault: StreamFault | None


def read(pieces: list[bytes], count: int = 1000) -> Seen:
    """All that the parser finds in the pieces, `count` messages a call at most."""
    parser = Parser(PACKET_MAX, TOPIC_MAX, PAYLOAD_MAX, PREFIX)
    seen = Seen([], [], [], None)
    for piece in pieces:
        found = parser.feed(piece, count)
        seen = gathered(seen, found, count)
        while found.more:
            found = parser.feed(b"", count)
            seen = gathered(seen, found, count)
    return seen


def gathered(seen: Seen, found: Packets, count: int) -> Seen:
    publishes = list(zip(found.names, found.topics, found.packet_ids, found.payloads, found.sizes, strict=True))
    assert len(publishes) <= count
    assert seen.fault is None or (found.fault == seen.fault and not (publishes or found.pubacks or found.controls))
    return Seen(seen.publishes + publishes, seen.pubacks + found.pubacks, seen.controls + found.controls, found.fault)


def expected(data: bytes) -> tuple[Seen, int | None]:
    """What the reference finds, as the parser shows it, and the fault's reason."""
    parsed = wire.parse(data, PACKET_MAX)
    seen = Seen([], [], [], None)
    kinds = {2: Connack, 9: Suback, 13: Pingresp, 14: Disconnect}
    for one in parsed.packets:
        if isinstance(one, Publish):
            topic = one.topic[:TOPIC_MAX].decode("utf-8", "backslashreplace")
            name = topic.removeprefix(PREFIX.decode())
            name = name if is_terminal_id(name) and one.topic == PREFIX + name.encode() else ""
            seen.publishes.append((name, topic, one.packet_id, one.payload[:PAYLOAD_MAX], len(one.payload)))
        elif isinstance(one, Puback):
            seen.pubacks.append((one.packet_id, one.reason))
        else:
            seen.controls.append(kinds[one.kind](*one.says))
    return seen, parsed.fault


def expect_same(data: bytes, pieces: list[bytes], count: int = 1000) -> Seen:
    seen, (wanted, fault) = read(pieces, count), expected(data)
    assert seen._replace(fault=None) == wanted, data.hex()
    assert (seen.fault.reason if seen.fault else None) == fault, (seen.fault, data.hex())
    if seen.fault:
        assert 0 <= seen.fault.offset <= len(data)
        assert (seen.fault.reason, seen.fault.what) in mqtt_stream.FAULTS
    return seen


ids = st.integers(1, 0xFFFF)
user_properties = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=2)


@st.composite
def properties(draw: st.DrawFn) -> bytes:
    """Of a PUBLISH, packed by paho."""
    packed = Properties(PacketTypes.PUBLISH)
    if draw(st.booleans()):
        packed.MessageExpiryInterval = draw(st.integers(0, 0xFFFFFFFF))
        packed.CorrelationData = draw(st.binary(max_size=5))
    if draw(st.booleans()):
        packed.ContentType = draw(st.text(max_size=5))
        packed.SubscriptionIdentifier = draw(st.integers(1, 268435455))
    for pair in draw(user_properties):
        packed.UserProperty = pair
    return bytes(packed.pack())


publishes = st.builds(
    wire.publish,
    st.one_of(st.just(b"wattline/up/T0001"), st.binary(min_size=1, max_size=60), st.text(min_size=1).map(str.encode)),
    st.one_of(ids, st.just(0)),
    st.one_of(st.binary(max_size=20), st.integers(0, 1500).map(bytes)),
    properties(),
    dup=st.booleans(),
)


@st.composite
def connacks(draw: st.DrawFn) -> bytes:
    packed = Properties(PacketTypes.CONNACK)
    if draw(st.booleans()):
        packed.ReceiveMaximum = draw(st.integers(1, 65535))
        packed.MaximumPacketSize = draw(st.integers(1, 268435455))
        packed.MaximumQoS = draw(st.integers(0, 1))
    if draw(st.booleans()):
        packed.ServerKeepAlive = draw(st.integers(0, 65535))
        packed.AssignedClientIdentifier = draw(st.text(max_size=5))
        packed.TopicAliasMaximum = 10
    reason = draw(st.sampled_from((0, 0, 0x87)))
    return wire.connack(reason, bytes(packed.pack()), present=draw(st.booleans()) and not reason)


others = st.one_of(
    st.builds(wire.puback, ids, st.none()),
    st.builds(wire.puback, ids, st.sampled_from((0, 0x10, 0x97))),
    st.builds(wire.puback, ids, st.just(0x87), st.just(b"\x04\x1f\0\1x")),
    st.builds(wire.suback, ids, st.binary(min_size=1, max_size=3)),
    st.just(wire.PINGRESP),
)
ends = st.sampled_from((b"", wire.disconnect(), wire.disconnect(0x8E), wire.disconnect(0x9D, b"\x04\x1c\0\1x")))
streams = st.builds(
    lambda first, middle, end: first + b"".join(middle) + end,
    connacks(),
    st.lists(st.one_of(publishes, publishes, others), max_size=12),
    ends,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A stream with bytes changed, left out or put in."""
    data = bytearray(draw(streams))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(("change", "cut", "insert", "flip")))
        if how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 20))]
        elif at < len(data):
            data[at] = draw(st.integers(0, 255)) if how == "change" else data[at] ^ 1 << draw(st.integers(0, 7))
    return bytes(data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, *(place % (len(data) + 1) for place in places), len(data)})
    return [data[begin:end] for begin, end in pairwise(edges)]


cuts = st.lists(st.integers(0, 1 << 20), max_size=10)


@given(streams, cuts, st.integers(1, 5))
def test_any_cut_and_any_count_a_call_give_the_same_packets(data: bytes, places: list[int], count: int) -> None:
    """P-70"""
    whole = expect_same(data, [data])
    assert whole.fault is None
    assert read(cut(data, places)) == whole
    assert read(cut(data, places), count) == whole
    assert read([bytes((octet,)) for octet in data]) == whole


@given(
    st.one_of(damaged(), st.binary(max_size=60), st.binary(max_size=60).map(lambda tail: wire.connack() + tail)), cuts
)
def test_of_any_bytes_it_finds_what_the_reference_finds(data: bytes, places: list[int]) -> None:
    """P-70"""
    assert expect_same(data, cut(data, places)) == expect_same(data, [data])


def test_every_cut_of_one_stream() -> None:
    tail = wire.publish(b"wattline/up/T1", 7, b"x" * 200, dup=True) + wire.puback(9, 0x87, b"\x04\x1f\0\1x")
    data = wire.connack(0, b"\x03\x21\0\x14") + wire.suback(1, b"\1") + tail + wire.disconnect(0x8B)
    whole = expect_same(data, [data])
    assert whole.controls[0][1:] == (0, 20, mqtt_stream.PACKET_BYTES_MAX, 2, None)
    for first in range(len(data)):
        for second in range(first, len(data), 7):
            assert read([data[:first], data[first:second], data[second:]]) == whole


@pytest.mark.parametrize(
    ("tail", "reason", "what"),
    [
        (b"\x00\x00", 0x81, "no packet"),
        (b"\x10\x00", 0x81, "no packet"),  # CONNECT, from a server
        (b"\x50\x02\0\1", 0x81, "no packet"),  # PUBREC: we never publish at QoS 2
        (b"\xf0\x00", 0x81, "no packet"),  # AUTH: we asked for none
        (b"\x41\x02\0\1", 0x81, "flags"),
        (b"\xd0\x80\x00", 0x81, "shortest"),
        (b"\xd0\xff\xff\xff\xff", 0x81, "4 bytes"),
        (b"\xd0\x01\x00", 0x81, "behind"),
        (wire.publish(b"t", 1, bytes(3000)), 0x95, "larger than we allowed"),
        (b"\x32\x03\0\1t", 0x81, "ends early"),
        (b"\x34\x06\0\1t\0\1\0", 0x82, "QoS"),
        (b"\x36\x06\0\1t\0\1\0", 0x82, "QoS"),
        (b"\x38\x04\0\1t\0", 0x81, "DUP"),
        (b"\x32\x06\0\1t\0\0\0", 0x82, "packet id 0"),
        (b"\x32\x05\0\0\0\1\0", 0x82, "without a topic"),
        (wire.publish(b"t", 1, b"", b"\x03\x23\0\1"), 0x94, "alias"),
        (wire.publish(b"t", 1, b"", b"\x03\x21\0\1"), 0x81, "does not belong"),
        (wire.publish(b"t", 1, b"", b"\x04\x01\0\x01\0"), 0x82, "twice"),
        (wire.publish(b"t", 1, b"", b"\x05\x02\0\0\0"), 0x81, "ends early"),
        (wire.connack(), 0x82, "CONNACK"),
        (wire.puback(0), 0x82, "packet id 0"),
        (wire.suback(1, b""), 0x81, "ends early"),
        (wire.disconnect(0, b"\x05\x11\0\0\0\1"), 0x81, "does not belong"),
    ],
)
def test_each_fault_has_its_reason(tail: bytes, reason: int, what: str) -> None:
    good = wire.connack() + wire.publish(b"wattline/up/T1", 1, b"before")
    seen = expect_same(good + tail, [good + tail + b"\xd0\x00"])
    assert seen.fault is not None
    assert seen.fault.reason == reason
    assert what in seen.fault.what
    assert len(good) <= seen.fault.offset <= len(good + tail)
    assert [topic for _, topic, *_ in seen.publishes] == ["wattline/up/T1"]


@pytest.mark.parametrize(
    "data",
    [
        wire.PINGRESP,
        wire.connack(0x87, present=True),
        wire.connack(0, b"\x03\x21\0\0"),
        wire.connack(0, b"\x05\x27\0\0\0\0"),
        wire.connack(0, b"\x02\x24\2"),
        b"\x20\x03\x02\0\0",
    ],
)
def test_a_connection_begins_with_a_connack_that_makes_sense(data: bytes) -> None:
    assert expect_same(data, [data]).fault is not None


def test_a_refusal_of_an_older_protocol_is_understood() -> None:
    assert read([b"\x20\x02\x00\x01"]).controls[0][1:] == (1, 65535, mqtt_stream.PACKET_BYTES_MAX, 2, None)


def test_what_a_stranger_may_choose_breaks_nothing() -> None:
    odd = [b"\xff\xfe", b"a\0b", b"wattline/up/" + b"x" * 2000, b"wattline/up/#", "wattline/up/电".encode()]
    data = wire.connack() + b"".join(wire.publish(topic, 1, b"", b"\x05\x03\0\2\xff\xfe") for topic in odd)
    seen = expect_same(data, [data])
    assert [topic for _, topic, *_ in seen.publishes] == [
        "\\xff\\xfe",
        "a\0b",
        "wattline/up/" + "x" * (TOPIC_MAX - 12),
        "wattline/up/#",
        "wattline/up/电",
    ]


def test_memory_is_bounded_by_the_largest_packet_and_one_read() -> None:
    parser = Parser(PACKET_MAX, TOPIC_MAX, PAYLOAD_MAX, PREFIX)
    with pytest.raises(ValueError, match="more bytes"):
        parser.feed(bytes(mqtt_stream.READ_BYTES_MAX + 1), 1)
    one = wire.publish(b"t", 1, bytes(2000))
    many = one * (mqtt_stream.READ_BYTES_MAX // len(one))
    parser.feed(wire.connack() + many[: len(many) - 20], 0)
    parser.feed(one, 0)
    with pytest.raises(ValueError, match="more bytes"):
        parser.feed(many, 0), parser.feed(one, 0)
    for bad in (0, mqtt_stream.PACKET_BYTES_MAX + 1):
        with pytest.raises(ValueError, match="packet_bytes_max"):
            Parser(bad, 1, 1, b"")


@given(st.lists(ids, max_size=50))
def test_pubacks_are_those_of_the_standard(numbers: list[int]) -> None:
    assert mqtt_stream.pubacks(numbers) == b"".join(wire.puback(number) for number in numbers)


@given(
    st.text(max_size=5),
    st.dictionaries(ids, st.tuples(st.text(min_size=1, max_size=50), st.integers(0, 500).map(bytes)), max_size=9),
    st.one_of(st.integers(0, 300), st.just(mqtt_stream.PACKET_BYTES_MAX)),
    st.booleans(),
)
def test_publishes_are_those_of_the_standard(
    prefix: str,
    messages: dict[int, tuple[str, bytes]],
    largest: int,
    dup: bool,
) -> None:
    made = {
        packet_id: wire.publish((prefix + name).encode(), packet_id, payload, dup=dup)
        for packet_id, (name, payload) in messages.items()
    }
    assert mqtt_stream.publishes(prefix.encode(), messages, largest, dup) == (
        b"".join(packet for packet in made.values() if len(packet) <= largest),
        [packet_id for packet_id, packet in made.items() if len(packet) > largest],
    )


@pytest.mark.parametrize("size", [0, 122, 123, 16_378, 16_379, 2_097_146, 2_097_147])
def test_a_publish_at_the_edges_of_its_length(size: int) -> None:
    made = mqtt_stream.publishes(b"", {1: ("t", bytes(size))}, mqtt_stream.PACKET_BYTES_MAX, dup=False)
    assert made == (wire.publish(b"t", 1, bytes(size)), [])


def publish(packet_id: Any, name: Any, payload: Any, largest: int = 1000) -> None:
    mqtt_stream.publishes(b"", {packet_id: (name, payload)}, largest, dup=False)


def test_what_mqtt_cannot_say_is_refused() -> None:
    for packet_id, name in ((1, ""), (1, "x" * 65536), (0, "t")):
        with pytest.raises(ValueError, match="to 65535"):
            publish(packet_id, name, b"")
    with pytest.raises(ValueError, match="268435460"):
        publish(1, "t", b"", mqtt_stream.PACKET_BYTES_MAX + 1)
    for wrong in ((1, b"t", b""), (1, None, b""), (1, "t", "payload"), (1, "t", None)):
        with pytest.raises(TypeError):
            publish(*wrong)
    with pytest.raises(OverflowError):
        publish(65536, "t", b"")
    with pytest.raises(OverflowError):
        mqtt_stream.pubacks([65536])
