# MQTT 5.0 packets (OASIS Standard, 2019), those that the terminal sends and gets: bytes to values and back, no I/O.
# QoS 0 and 1; no topic aliases (the terminal allows none), no extended authentication. Everything received is bounded.
import struct

CONNECT = 1
CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBSCRIBE = 8
SUBACK = 9
PINGREQ = 12
PINGRESP = 13
DISCONNECT = 14

# what came is no valid packet, and what the DISCONNECT then says
MALFORMED = 0x81
PROTOCOL_ERROR = 0x82
PACKET_TOO_LARGE = 0x95

_SESSION_EXPIRY = 0x11
_RECEIVE_MAXIMUM = 0x21
_MAXIMUM_QOS = 0x24
_MAXIMUM_PACKET_SIZE = 0x27
_SERVER_KEEP_ALIVE = 0x13
_PROBLEM_INFORMATION = 0x17

# Properties that a server may send, by the form of their value (2.2.2.2); any other is malformed.
_FORMS = {
    0x01: "B",
    0x02: "I",
    0x03: "s",
    0x08: "s",
    0x09: "s",
    0x0B: "v",
    0x11: "I",
    0x12: "s",
    0x13: "H",
    0x15: "s",
    0x16: "s",
    0x1A: "s",
    0x1C: "s",
    0x1F: "s",
    0x21: "H",
    0x22: "H",
    0x23: "H",
    0x24: "B",
    0x25: "B",
    0x26: "p",
    0x27: "I",
    0x28: "B",
    0x29: "B",
    0x2A: "B",
}
_SIZES = {"B": 1, "H": 2, "I": 4}
_USER_PROPERTY = 0x26  # the one that may stand several times
_SUBSCRIPTION_ID = 0x0B  # it too, in a PUBLISH

# reason codes that a technician meets (2.4); others are shown as numbers
REASONS = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "not accepted",
    0x84: "protocol version not supported: the broker must speak MQTT 5",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8D: "keep alive timeout",
    0x8E: "session taken over: another client has this terminal's identity",
    0x90: "topic name not valid",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x99: "payload format not valid",
}


class MqttError(Exception):
    """What the peer did, and its or our reason code (>= 0x80)."""

    def __init__(self, what: str, reason: int) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return "%s: 0x%02x %s" % (self.what, self.reason, REASONS.get(self.reason, ""))


class Connack:
    """session_present, reason, and what the server is willing to take."""

    def __init__(self, *, session_present: bool, reason: int, found: "dict[int, int]") -> None:
        self.session_present = session_present
        self.reason = reason
        self.receive_maximum = found.get(_RECEIVE_MAXIMUM, 65535)
        self.packet_max = found.get(_MAXIMUM_PACKET_SIZE, 268435460)  # the format's own limit (2.1.4)
        self.maximum_qos = found.get(_MAXIMUM_QOS, 2)
        self.keepalive_s = found.get(_SERVER_KEEP_ALIVE)


def variable(value: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    data = bytearray()
    while True:
        if value < 0x80:
            data.append(value)
            return bytes(data)
        data.append(0x80 | value & 0x7F)
        value >>= 7


def connect(client_id: str, keepalive_s: int, session_expiry_s: int, receive_maximum: int, packet_max: int) -> bytes:
    """CONNECT, the session kept (clean start 0)."""
    properties = struct.pack(
        ">BIBHBIBB",
        _SESSION_EXPIRY,
        session_expiry_s,
        _RECEIVE_MAXIMUM,
        receive_maximum,
        _MAXIMUM_PACKET_SIZE,
        packet_max,
        _PROBLEM_INFORMATION,
        0,  # reason strings would only cost bytes: the codes say it
    )
    body = b"\x00\x04MQTT\x05\x00" + struct.pack(">H", keepalive_s)
    return _packet(CONNECT << 4, body + variable(len(properties)) + properties + _text(client_id))


def publish_head(topic: str, packet_id: int, payload_bytes: int) -> bytes:
    """All of a QoS 1 PUBLISH up to its payload, which follows as it is."""
    body = _text(topic) + struct.pack(">HB", packet_id, 0)
    return bytes((PUBLISH << 4 | 0x02,)) + variable(len(body) + payload_bytes) + body


def puback(packet_id: int) -> bytes:
    """PUBACK with reason 0, in its short form (3.4.2.1)."""
    return struct.pack(">BBH", PUBACK << 4, 2, packet_id)


def subscribe(topic: str, packet_id: int) -> bytes:
    """SUBSCRIBE to one topic at QoS 1."""
    return _packet(SUBSCRIBE << 4 | 0x02, struct.pack(">HB", packet_id, 0) + _text(topic) + b"\x01")


def pingreq() -> bytes:
    return bytes((PINGREQ << 4, 0))


def disconnect(reason: int) -> bytes:
    return bytes((DISCONNECT << 4, 1, reason))


def overhead(topic: str) -> int:
    """At most so many bytes of a PUBLISH are not payload."""
    return 5 + 2 + len(topic.encode()) + 3


def remaining_length(octets: bytes) -> "int | None":
    """The value of the variable byte integer in up to 4 bytes; None: more bytes follow. Raises MqttError."""
    value = 0
    for at, octet in enumerate(octets):
        value |= (octet & 0x7F) << (7 * at)
        if octet < 0x80:
            if at and not octet:
                raise MqttError("length not in its shortest form", MALFORMED)
            return value
    if len(octets) >= 4:
        raise MqttError("length of more than 4 bytes", MALFORMED)
    return None


def read_connack(body: bytes) -> Connack:
    reader = _Reader(body)
    flags = reader.take("B")
    reason = reader.take("B")
    if flags > 1 or (flags and reason):
        raise MqttError("CONNACK flags", MALFORMED)
    found = reader.properties() if reader.left() else {}
    reader.done()
    if found.get(_RECEIVE_MAXIMUM) == 0 or found.get(_MAXIMUM_PACKET_SIZE) == 0:
        raise MqttError("CONNACK with a maximum of 0", PROTOCOL_ERROR)
    return Connack(session_present=bool(flags), reason=reason, found=found)


def read_publish(first: int, body: bytes) -> "tuple[str, int, bytes]":
    """(topic, packet id, payload); the id is 0 at QoS 0. `first` is the packet's first byte."""
    qos = first >> 1 & 3
    if qos > 1:
        raise MqttError("PUBLISH with QoS %d" % qos, PROTOCOL_ERROR)
    reader = _Reader(body)
    topic = reader.text()
    packet_id = reader.take("H") if qos else 0
    if qos and not packet_id:
        raise MqttError("PUBLISH with packet id 0", PROTOCOL_ERROR)
    if 0x23 in reader.properties() or not topic:  # we allow no topic alias (3.3.2.3.4)
        raise MqttError("PUBLISH with a topic alias", PROTOCOL_ERROR)
    return topic, packet_id, reader.rest()


def read_puback(body: bytes) -> "tuple[int, int]":
    """(packet id, reason code)."""
    reader = _Reader(body)
    packet_id = reader.take("H")
    reason = reader.take("B") if reader.left() else 0
    if reader.left():
        reader.properties()
    reader.done()
    return packet_id, reason


def read_suback(body: bytes) -> "tuple[int, int]":
    """(packet id, reason code) for our one topic."""
    reader = _Reader(body)
    packet_id = reader.take("H")
    reader.properties()
    reason = reader.take("B")
    reader.done()
    return packet_id, reason


def read_disconnect(body: bytes) -> int:
    """The reason code."""
    reader = _Reader(body)
    reason = reader.take("B") if reader.left() else 0
    if reader.left():
        reader.properties()
    reader.done()
    return reason


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + variable(len(body)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


class _Reader:
    """Reads a packet's body; raises MqttError where it does not hold what it must."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def left(self) -> int:
        return len(self._data) - self._at

    def skip(self, count: int) -> int:
        """Pass `count` bytes; returns where they begin."""
        at = self._at
        if at + count > len(self._data):
            raise MqttError("packet ends early", MALFORMED)
        self._at = at + count
        return at

    def take(self, form: str) -> int:
        value: int = struct.unpack_from(">" + form, self._data, self.skip(_SIZES[form]))[0]
        return value

    def variable(self) -> int:
        for count in range(1, 5):
            if count > self.left():
                break
            value = remaining_length(self._data[self._at : self._at + count])
            if value is not None:
                self._at += count
                return value
        raise MqttError("packet ends early", MALFORMED)

    def text(self) -> str:
        size = self.take("H")
        at = self.skip(size)
        try:
            return self._data[at : at + size].decode()
        except UnicodeError:
            raise MqttError("text that is not UTF-8", MALFORMED)  # noqa: B904  says it all

    def rest(self) -> bytes:
        return self._data[self._at :]

    def done(self) -> None:
        if self.left():
            raise MqttError("bytes behind the packet's content", MALFORMED)

    def properties(self) -> "dict[int, int]":
        """Those with a number as value; the others are passed over."""
        size = self.variable()
        end = self.skip(size) + size
        self._at = end - size
        found: "dict[int, int]" = {}
        while self._at < end:
            kind = self.take("B")
            value = self._property(kind)
            if kind in found and kind not in (_USER_PROPERTY, _SUBSCRIPTION_ID):
                raise MqttError("property 0x%02x twice" % kind, PROTOCOL_ERROR)
            found[kind] = value
        if self._at != end:
            raise MqttError("properties end early", MALFORMED)
        return found

    def _property(self, kind: int) -> int:
        """The value, if it is a number; 0 for what is passed over."""
        form = _FORMS.get(kind)
        if form is None:
            raise MqttError("property 0x%02x" % kind, MALFORMED)
        if form == "v":
            return self.variable()
        if form in _SIZES:
            return self.take(form)
        for _ in range(2 if form == "p" else 1):
            self.skip(self.take("H"))
        return 0
