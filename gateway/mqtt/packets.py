"""The MQTT 5 packets that a client sends seldom (OASIS Standard, 2019); cext.mqtt_stream makes the frequent ones."""

import struct

PINGREQ = b"\xc0\x00"
_CONNECT, _SUBSCRIBE, _DISCONNECT = 0x10, 0x82, 0xE0
_SESSION_EXPIRY, _RECEIVE_MAXIMUM, _MAXIMUM_PACKET_SIZE, _PROBLEM_INFORMATION = 0x11, 0x21, 0x27, 0x17
_CLEAN_START, _USERNAME, _PASSWORD = 0x02, 0x80, 0x40
_QOS_1 = 1

# reason codes that an operator meets (2.4); others are shown as numbers
_REASONS = {
    0x00: "normal disconnection",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "protocol version not supported: the broker must speak MQTT 5",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    0x8E: "session taken over: another client has this gateway's client_id",
    0x8F: "topic filter not valid",
    0x90: "topic name not valid",
    0x93: "receive maximum exceeded",
    0x94: "topic alias not valid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format not valid",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
}


def reason_text(code: int) -> str:
    """The code, in words where we have them."""
    return f"0x{code:02x} {_REASONS.get(code, '')}".rstrip()


def connect(
    client_id: str,
    login: tuple[str, str | None] | None,
    keepalive_s: int,
    session_expiry_s: int,
    receive_maximum: int,
    packet_bytes_max: int,
    *,
    clean_start: bool = False,
) -> bytes:
    """CONNECT. login: user name, and a password if there is one; clean_start: drop what an earlier session left."""
    properties = struct.pack(
        ">BIBHBIBB",
        *(_SESSION_EXPIRY, session_expiry_s),
        *(_RECEIVE_MAXIMUM, receive_maximum),
        *(_MAXIMUM_PACKET_SIZE, packet_bytes_max),
        *(_PROBLEM_INFORMATION, 0),  # reason strings would only cost bytes: the codes say it
    )
    flags, payload = _CLEAN_START if clean_start else 0, _text(client_id)
    if login is not None:
        user, password = login
        flags, payload = flags | _USERNAME, payload + _text(user)
        if password is not None:
            flags, payload = flags | _PASSWORD, payload + _text(password)
    head = _text("MQTT") + struct.pack(">BBH", 5, flags, keepalive_s)
    return _packet(_CONNECT, head + _length(len(properties)) + properties + payload)


def subscribe(topic_filter: str, packet_id: int) -> bytes:
    """SUBSCRIBE to one filter at QoS 1."""
    return _packet(_SUBSCRIBE, struct.pack(">HB", packet_id, 0) + _text(topic_filter) + bytes((_QOS_1,)))


def disconnect(reason: int) -> bytes:
    """DISCONNECT; 0 is the normal end."""
    return _packet(_DISCONNECT, bytes((reason,)))


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _length(len(body)) + body


def _length(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return struct.pack(">H", len(data)) + data
