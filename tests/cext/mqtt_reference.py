"""MQTT 5 as a subscriber gets it, once more: slow, plain, from the standard; what cext.mqtt_stream is held to.

Encoders make packets; `parse` reads a whole stream. Written without a look at the parser under test.
"""

import struct
from typing import NamedTuple

MALFORMED, PROTOCOL_ERROR, TOPIC_ALIAS_INVALID, PACKET_TOO_LARGE = 0x81, 0x82, 0x94, 0x95


class Publish(NamedTuple):
    topic: bytes
    packet_id: int
    payload: bytes


class Puback(NamedTuple):
    packet_id: int
    reason: int


class Other(NamedTuple):
    """Any other packet: its type, and what it says."""

    kind: int
    says: tuple[object, ...]


class Parsed(NamedTuple):
    packets: list[Publish | Puback | Other]
    fault: int | None  # the reason code


class FaultError(Exception):
    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


def length(value: int) -> bytes:
    """A variable byte integer."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F)
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def text(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + length(len(body)) + body


def publish(topic: bytes, packet_id: int, payload: bytes, properties: bytes = b"", *, dup: bool = False) -> bytes:
    """properties: with their length in front. QoS 0 where the id is 0."""
    body = text(topic) + (struct.pack(">H", packet_id) if packet_id else b"") + (properties or b"\0") + payload
    return packet(0x30 | (0x02 if packet_id else 0) | (0x08 if dup and packet_id else 0), body)


def puback(packet_id: int, reason: int | None = None, properties: bytes = b"") -> bytes:
    tail = b"" if reason is None else bytes([reason]) + properties
    return packet(0x40, struct.pack(">H", packet_id) + tail)


def connack(reason: int = 0, properties: bytes = b"\0", *, present: bool = False) -> bytes:
    return packet(0x20, bytes([present, reason]) + properties)


def suback(packet_id: int, reasons: bytes, properties: bytes = b"\0") -> bytes:
    return packet(0x90, struct.pack(">H", packet_id) + properties + reasons)


def disconnect(reason: int | None = None, properties: bytes = b"") -> bytes:
    return packet(0xE0, b"" if reason is None else bytes([reason]) + properties)


PINGRESP = packet(0xD0, b"")

_FORMS = {
    **dict.fromkeys((0x01, 0x24, 0x25, 0x28, 0x29, 0x2A), "1"),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), "2"),
    **dict.fromkeys((0x02, 0x11, 0x27), "4"),
    **dict.fromkeys((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F), "s"),
    0x0B: "v",
    0x26: "ss",
}
_ALLOWED = {
    2: {0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A},
    3: {0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26},
    4: {0x1F, 0x26},
    9: {0x1F, 0x26},
    14: {0x1C, 0x1F, 0x26},
}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, count: int) -> bytes:
        if count > len(self.left):
            raise FaultError(MALFORMED)
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        digits: list[int] = []
        while not digits or digits[-1] & 0x80:
            if len(digits) == 4:
                raise FaultError(MALFORMED)
            digits.append(self.number(1))
        value = sum((digit & 0x7F) << 7 * at for at, digit in enumerate(digits))
        if len(length(value)) != len(digits):
            raise FaultError(MALFORMED)
        return value

    def text(self) -> bytes:
        return self.take(self.number(2))

    def properties(self, kind: int) -> dict[int, int]:
        inner = _Reader(self.take(self.variable()))
        found: dict[int, int] = {}
        while inner.left:
            name = inner.number(1)
            if name not in _ALLOWED[kind]:
                raise FaultError(MALFORMED)
            if name in found and name not in (0x0B, 0x26):
                raise FaultError(PROTOCOL_ERROR)
            found[name] = 0
            for form in _FORMS[name]:
                if form == "s":
                    inner.text()
                else:
                    found[name] = inner.variable() if form == "v" else inner.number(int(form))
        return found


def _publish(reader: _Reader, first: int) -> Publish:
    qos = first >> 1 & 3
    if qos > 1:
        raise FaultError(PROTOCOL_ERROR)
    if first & 0x08 and not qos:
        raise FaultError(MALFORMED)
    topic = reader.text()
    packet_id = reader.number(2) if qos else 0
    if qos and not packet_id:
        raise FaultError(PROTOCOL_ERROR)
    if 0x23 in reader.properties(3):
        raise FaultError(TOPIC_ALIAS_INVALID)
    if not topic:
        raise FaultError(PROTOCOL_ERROR)
    return Publish(topic, packet_id, reader.take(len(reader.left)))


def _puback(reader: _Reader) -> Puback:
    packet_id = reader.number(2)
    reason = reader.number(1) if reader.left else 0
    if reader.left:
        reader.properties(4)
    if reader.left:
        raise FaultError(MALFORMED)
    if not packet_id:
        raise FaultError(PROTOCOL_ERROR)
    return Puback(packet_id, reason)


def _connack(reader: _Reader) -> Other:
    flags, reason = reader.number(1), reader.number(1)
    if flags > 1:
        raise FaultError(MALFORMED)
    if flags and reason:
        raise FaultError(PROTOCOL_ERROR)
    found = reader.properties(2) if reader.left else {}
    if found.get(0x21) == 0 or found.get(0x27) == 0 or found.get(0x24, 0) > 1:
        raise FaultError(PROTOCOL_ERROR)
    largest = min(found.get(0x27, 268435460), 268435460)
    says = (bool(flags), reason, found.get(0x21, 65535), largest, found.get(0x24, 2), found.get(0x13))
    return Other(2, says)


def _other(kind: int, reader: _Reader) -> Other:
    if kind == 2:
        return _connack(reader)
    if kind == 9:
        packet_id = reader.number(2)
        if not packet_id:
            raise FaultError(PROTOCOL_ERROR)
        reader.properties(9)
        if not reader.left:
            raise FaultError(MALFORMED)
        return Other(9, (packet_id, reader.take(len(reader.left))))
    if kind == 13:
        return Other(13, ())
    reason = reader.number(1) if reader.left else 0
    if reader.left:
        reader.properties(14)
    return Other(14, (reason,))


def _frame(data: bytes, packet_max: int) -> tuple[int, int] | None:
    """(where the body begins, where it ends), None if not all is there."""
    value = 0
    for at in range(4):
        if at + 1 >= len(data):
            return None
        value |= (data[at + 1] & 0x7F) << 7 * at
        if not data[at + 1] & 0x80:
            if at and not data[at + 1]:
                raise FaultError(MALFORMED)
            if at + 2 + value > packet_max:
                raise FaultError(PACKET_TOO_LARGE)
            return (at + 2, at + 2 + value) if at + 2 + value <= len(data) else None
    raise FaultError(MALFORMED)


def _next(data: bytes, packet_max: int, *, first: bool) -> tuple[Publish | Puback | Other, bytes] | None:
    """The stream's next packet, and what follows it; None if not all of it is there."""
    kind = data[0] >> 4
    if kind not in (2, 3, 4, 9, 13, 14) or (kind != 3 and data[0] & 0x0F):
        raise FaultError(MALFORMED)
    if (kind == 2) != first:
        raise FaultError(PROTOCOL_ERROR)
    bounds = _frame(data, packet_max)
    if bounds is None:
        return None
    reader = _Reader(data[bounds[0] : bounds[1]])
    one = _publish(reader, data[0]) if kind == 3 else _puback(reader) if kind == 4 else _other(kind, reader)
    if reader.left:
        raise FaultError(MALFORMED)
    return one, data[bounds[1] :]


def parse(data: bytes, packet_max: int) -> Parsed:
    """All packets of a connection's stream."""
    packets: list[Publish | Puback | Other] = []
    try:
        while data and (found := _next(data, packet_max, first=not packets)):
            one, data = found
            packets.append(one)
            if isinstance(one, Other) and one.kind == 14:
                break
    except FaultError as fault:
        return Parsed(packets, fault.reason)
    return Parsed(packets, None)
