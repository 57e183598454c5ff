"""MQTT 5 as a broker speaks it (OASIS Standard, 2019): what it reads, and what it answers. QoS 0 and 1. No I/O."""

import struct
from typing import NamedTuple

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
PINGRESP = b"\xd0\x00"
TAKEN_OVER = 0x8E
_SIZES = {0x01: 1, 0x02: 4, 0x11: 4, 0x17: 1, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x27: 4}  # by property, in bytes
_RECEIVE_MAXIMUM, _PACKET_MAX = 0x21, 0x27


class Connect(NamedTuple):
    """A client's first packet."""

    client: str
    clean: bool
    keepalive_s: int
    receive_maximum: int
    packet_max: int


class Publish(NamedTuple):
    """A message. packet_id: 0 at QoS 0."""

    topic: str
    packet_id: int
    payload: bytes


def read_connect(body: bytes) -> Connect:
    """A CONNECT's content. Raises ValueError, struct.error."""
    if body[:7] != b"\x00\x04MQTT\x05":
        raise ValueError("not MQTT 5")
    flags, keepalive_s = struct.unpack_from(">BH", body, 7)
    found, at = _properties(body, 10)
    client, _ = _text(body, at)
    receive_maximum = found.get(_RECEIVE_MAXIMUM, 65535)
    return Connect(client, bool(flags & 2), keepalive_s, receive_maximum, found.get(_PACKET_MAX, 1 << 28))


def read_publish(first: int, body: bytes) -> Publish:
    """A PUBLISH's content; `first` is its first byte. Raises ValueError, struct.error."""
    topic, at = _text(body, 0)
    packet_id = 0
    if first & 0x06:
        packet_id = int.from_bytes(body[at : at + 2], "big")
        at += 2
    _, at = _properties(body, at)
    return Publish(topic, packet_id, body[at:])


def read_subscribe(body: bytes) -> tuple[int, str]:
    """(packet id, topic filter) of a SUBSCRIBE to one topic. Raises ValueError, struct.error."""
    _, at = _properties(body, 2)
    return int.from_bytes(body[:2], "big"), _text(body, at)[0]


def connack(*, session_present: bool, receive_maximum: int, packet_max: int) -> bytes:
    """CONNACK of success, with what the broker is willing to take."""
    properties = struct.pack(">BHBI", _RECEIVE_MAXIMUM, receive_maximum, _PACKET_MAX, packet_max)
    return packet(0x20, bytes((session_present, 0)) + variable(len(properties)) + properties)


def publish(message: Publish, *, dup: bool) -> bytes:
    """A PUBLISH at QoS 1."""
    topic = message.topic.encode()
    head = struct.pack(">H", len(topic)) + topic + struct.pack(">HB", message.packet_id, 0)
    return packet(0x32 | (8 if dup else 0), head + message.payload)


def puback(packet_id: int) -> bytes:
    """PUBACK of success."""
    return packet(0x40, struct.pack(">H", packet_id))


def suback(packet_id: int) -> bytes:
    """SUBACK: QoS 1 is granted."""
    return packet(0x90, struct.pack(">HBB", packet_id, 0, 1))


def disconnect(reason: int) -> bytes:
    """DISCONNECT."""
    return packet(0xE0, bytes((reason, 0)))


def packet(first: int, body: bytes) -> bytes:
    """A packet of this first byte."""
    return bytes((first,)) + variable(len(body)) + body


def variable(value: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    data = bytearray()
    while value > 0x7F:
        data.append(0x80 | value & 0x7F)
        value >>= 7
    data.append(value)
    return bytes(data)


def _text(body: bytes, at: int) -> tuple[str, int]:
    size = int.from_bytes(body[at : at + 2], "big")
    if at + 2 + size > len(body):
        raise ValueError("text ends early")
    return body[at + 2 : at + 2 + size].decode(), at + 2 + size


def _properties(body: bytes, at: int) -> tuple[dict[int, int], int]:
    """(those with a number, where the rest begins); the terminals and the gateway send no others."""
    size, at = _length(body, at)
    end = at + size
    found = {}
    while at < end:
        kind = body[at]
        width = _SIZES.get(kind)
        if width is None:
            raise ValueError(f"property 0x{kind:02x}")
        found[kind] = int.from_bytes(body[at + 1 : at + 1 + width], "big")
        at += 1 + width
    return found, end


def _length(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 28, 7):
        value |= (body[at] & 0x7F) << shift
        at += 1
        if body[at - 1] < 0x80:
            return value, at
    raise ValueError("length of more than 4 bytes")
