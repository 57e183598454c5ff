"""Publications over any course of connections: no ack is lost or sent twice on one, none past the broker's leave."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cext import mqtt_stream
from cext.mqtt_stream import Connack
from gateway.mqtt.publications import ID_MAX, ID_MIN, IN_FLIGHT_MAX, Publications
from tests.cext import mqtt_reference as wire

PACKET_MAX = 60


def connack(receive_maximum: int, *, present: bool) -> Connack:
    return Connack(present, 0, receive_maximum, PACKET_MAX, 2, None)


def read(packets: bytes) -> list[tuple[int, bytes, bool]]:
    """Of each: packet id, payload, and whether it says that it was sent before."""
    found = []
    for one in wire.parse(wire.connack() + packets, 1 << 20).packets[1:]:
        assert isinstance(one, wire.Publish)
        again = wire.publish(one.topic, one.packet_id, one.payload, dup=True)
        found.append((one.packet_id, one.payload, packets.startswith(again)))
        packets = packets[len(again) :]
    assert packets == b""
    return found


class Course(RuleBasedStateMachine):
    """A broker that takes, acknowledges, refuses, goes and comes back, with the session or without."""

    def __init__(self) -> None:
        super().__init__()
        self.publications = Publications("", 20)
        self.number = 0
        self.connected = False
        self.present = False
        self.credit = 0
        self.queued: list[bytes] = []  # accepted, never sent
        self.unacknowledged: dict[int, bytes] = {}  # sent on some connection
        self.here: dict[int, bytes] = {}  # of those, sent on this one

    @rule(count=st.integers(1, 15), large=st.booleans())
    def put(self, count: int, large: bool) -> None:
        numbers = range(self.number, self.number + count)
        self.number += count
        payloads = [b"%d" % number + (bytes(PACKET_MAX) if large else b"") for number in numbers]
        room = 20 - len(self.queued)
        assert self.publications.put([("t", one) for one in payloads]) == min(room, count)
        self.queued += payloads[:room]

    @precondition(lambda self: not self.connected)
    @rule(credit=st.integers(1, 12), present=st.booleans())
    def connect(self, credit: int, present: bool) -> None:
        self.connected, self.present, self.credit, self.here = True, present, credit, {}
        self.publications.connected(connack(credit, present=present))

    @precondition(lambda self: self.connected)
    @rule()
    def disconnect(self) -> None:
        self.connected = False
        self.publications.disconnected()

    @rule()
    def send(self) -> None:
        sendable = self.publications.sendable
        packets, dropped = self.publications.next()
        assert bool(packets or dropped) == sendable
        assert self.connected or not sendable
        large = [one for one in self.queued if len(one) > PACKET_MAX][: len(dropped)]
        assert len(large) == len(dropped)
        self.queued = [one for one in self.queued if one not in large]
        for packet_id, payload, repeated in read(packets):
            assert packet_id not in self.here
            if packet_id in self.unacknowledged:
                assert (payload, repeated) == (self.unacknowledged[packet_id], self.present)
            else:
                assert (payload, repeated) == (self.queued.pop(0), False)
            self.unacknowledged[packet_id] = self.here[packet_id] = payload
        assert len(self.here) <= self.credit

    @precondition(lambda self: self.here and self.connected)
    @rule(data=st.data(), reason=st.sampled_from((0, 0x10, 0x97)))
    def acknowledge(self, data: st.DataObject, reason: int) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.here)))
        del self.here[packet_id], self.unacknowledged[packet_id]
        stray = next(one for one in range(ID_MIN, ID_MAX) if one not in self.unacknowledged)
        assert self.publications.acknowledged([(packet_id, reason), (stray, reason)]) == [reason] * (reason == 0x97)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        again = len(self.unacknowledged) - len(self.here) if self.connected else 0
        assert self.publications.queued >= len(self.queued)
        assert not self.connected or self.publications.queued == len(self.queued) + again


TestCourse = Course.TestCase


@given(st.integers(1, 3000), st.integers(0, ID_MAX - ID_MIN))
def test_ids_never_meet_however_often_they_wrap(count: int, begun: int) -> None:
    publications = Publications("", 10_000)
    publications._last_id = ID_MIN + begun
    publications.connected(connack(65535, present=False))
    for _ in range(count):
        publications.put([("t", b"x")])
    packets, _ = publications.next()
    found = [packet_id for packet_id, _, _ in read(packets)]
    assert len(found) == min(count, IN_FLIGHT_MAX)
    assert len(set(found)) == len(found)
    assert all(ID_MIN <= one <= ID_MAX for one in found)


def test_its_packets_are_those_of_the_standard() -> None:
    publications = Publications("wattline/down/", 10)
    publications.connected(connack(10, present=False))
    publications.put([("T0001", b"ack")])
    assert publications.next() == (wire.publish(b"wattline/down/T0001", ID_MIN, b"ack"), [])
    assert mqtt_stream.PACKET_BYTES_MAX > PACKET_MAX
