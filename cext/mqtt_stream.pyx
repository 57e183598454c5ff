# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""The receiving side of MQTT 5 (OASIS Standard, 2019) for a client that subscribes and publishes at QoS 1. No I/O.

Bytes of one connection in, in pieces of any size; packets out, a batch a call; the same packets for every way to cut
the bytes. A message costs the objects that carry it and nothing else. Packets' insides: mqtt_body.pxd.
"""

from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from cext.mqtt_body cimport *

cdef extern from "Python.h":
    str PyUnicode_DecodeASCII(const char *data, Py_ssize_t size, const char *errors)
    str PyUnicode_DecodeUTF8(const char *data, Py_ssize_t size, const char *errors)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

# What a call of Parser.feed gives; message i is names[i], topics[i], payloads[i], sizes[i], packet_ids[i].
Packets = namedtuple(
    "Packets", ("names", "topics", "payloads", "sizes", "packet_ids", "pubacks", "controls", "fault", "more")
)
Connack = namedtuple(
    "Connack", ("session_present", "reason", "receive_maximum", "packet_bytes_max", "maximum_qos", "keepalive_s")
)
Suback = namedtuple("Suback", ("packet_id", "reasons"))
Pingresp = namedtuple("Pingresp", ())
Disconnect = namedtuple("Disconnect", ("reason",))
# Why the connection must end: `reason` for our DISCONNECT, `what` in words, `offset` the byte of the stream.
StreamFault = namedtuple("StreamFault", ("reason", "what", "offset"))

PACKET_BYTES_MAX = 268435460  # the format's own limit (2.1.4): 5 bytes of header, 4 x 7 bits of length
NAME_BYTES_MAX = 32  # of a terminal (protocol/limits.py)
READ_BYTES_MAX = 1 << 20  # at most so much a call of feed: memory is bounded by it and by packet_bytes_max

_MALFORMED, _PROTOCOL_ERROR, _TOPIC_ALIAS_INVALID, _PACKET_TOO_LARGE = 0x81, 0x82, 0x94, 0x95
FAULTS = (
    (0, ""),
    (_MALFORMED, "no packet that a server sends to us"),
    (_MALFORMED, "flags of the first byte"),
    (_MALFORMED, "length not in its shortest form, or of more than 4 bytes"),
    (_PACKET_TOO_LARGE, "packet larger than we allowed"),
    (_MALFORMED, "packet ends early"),
    (_MALFORMED, "bytes behind the packet's content"),
    (_PROTOCOL_ERROR, "PUBLISH with a QoS above 1"),
    (_MALFORMED, "PUBLISH with DUP at QoS 0"),
    (_PROTOCOL_ERROR, "packet id 0"),
    (_PROTOCOL_ERROR, "PUBLISH without a topic"),
    (_TOPIC_ALIAS_INVALID, "PUBLISH with a topic alias: we allowed none"),
    (_MALFORMED, "property that does not belong here"),
    (_PROTOCOL_ERROR, "property twice"),
    (_PROTOCOL_ERROR, "value out of its range"),
    (_PROTOCOL_ERROR, "CONNACK not first, or not once"),
)


cdef struct Header:
    uint8_t first
    uint32_t body_at
    uint32_t end


cdef class Parser:
    """The packets of one connection, from its first byte on: CONNACK first, and once; nothing after DISCONNECT.

    A packet larger than packet_bytes_max is a fault. Topics and payloads are cut at topic_bytes_max and
    payload_bytes_max bytes; `sizes` tells the payloads' real ones. Bytes of a topic that are no UTF-8 are given as \\xNN.
    A name is what follows `prefix` in the topic, where it is a terminal's: 1 to 32 of A-Z a-z 0-9 _ -; "" where it is none.
    """

    cdef uint8_t *data  # [begin:filled] is not parsed yet
    cdef size_t capacity
    cdef uint32_t begin
    cdef uint32_t filled
    cdef uint64_t passed  # bytes of the stream before data[0]
    cdef uint32_t packet_bytes_max
    cdef uint32_t topic_bytes_max
    cdef uint32_t payload_bytes_max
    cdef bytes prefix
    cdef bint connected
    cdef bint ended
    cdef object fault

    def __cinit__(
        self, uint32_t packet_bytes_max, uint32_t topic_bytes_max, uint32_t payload_bytes_max, bytes prefix not None
    ):
        if not 0 < packet_bytes_max <= PACKET_BYTES_MAX:
            raise ValueError("packet_bytes_max is 1 to 268435460")
        self.packet_bytes_max = packet_bytes_max
        self.topic_bytes_max = topic_bytes_max
        self.payload_bytes_max = payload_bytes_max
        self.prefix = prefix

    def __dealloc__(self):
        free(self.data)

    def feed(self, const uint8_t[::1] data not None, Py_ssize_t count):
        """Take the next bytes; give at most `count` messages, and all other packets before the first one left over.

        `more` says that messages may be left: feed b"" for them. After a fault, or DISCONNECT, no packets come any more.
        Raises ValueError for more than READ_BYTES_MAX bytes, or while more than that and one largest packet wait already.
        """
        cdef Py_ssize_t size = data.shape[0]
        cdef list names = [], topics = [], payloads = [], sizes = [], packet_ids = [], pubacks = [], controls = []
        cdef Header header
        cdef Cursor body
        cdef bint more = False
        if size and not self.ended:
            self.append(&data[0], size)
        while not self.ended:
            if not self.next_header(&header):
                break
            if header.first >> 4 == PUBLISH and PyList_GET_SIZE(topics) >= count:
                more = True
                break
            body = cursor_over(self.data, header.body_at, header.end)
            if header.first >> 4 == PUBLISH:
                self.add_publish(&body, header.first, names, topics, payloads, sizes, packet_ids)
            elif header.first >> 4 == PUBACK:
                self.add_puback(&body, pubacks)
            else:
                self.add_control(&body, header.first >> 4, controls)
            if body.fault != NO_FAULT:
                self.fail(body.fault, body.fault_at)
            self.begin = header.end
        return Packets(names, topics, payloads, sizes, packet_ids, pubacks, controls, self.fault, more)

    cdef int append(self, const uint8_t *data, Py_ssize_t size) except -1:
        cdef size_t left = self.filled - self.begin
        cdef size_t needed = left + <size_t> size
        cdef uint8_t *grown
        if size > READ_BYTES_MAX or left > <size_t> self.packet_bytes_max + READ_BYTES_MAX:
            raise ValueError("more bytes than can wait")
        if self.begin:
            memmove(self.data, self.data + self.begin, left)
            self.passed += self.begin
            self.begin = 0
        if needed > self.capacity:
            grown = <uint8_t *> realloc(self.data, needed)
            if grown == NULL:
                raise MemoryError
            self.data = grown
            self.capacity = needed
        memcpy(self.data + left, data, <size_t> size)
        self.filled = <uint32_t> needed
        return 0

    cdef bint next_header(self, Header *header) except -1:
        """Whether the next packet is here in whole. Its type, flags and size are good then."""
        cdef Cursor c
        cdef uint32_t length, shown = min(self.filled - self.begin, 5)
        if shown == 0 or not self.check_first(self.data[self.begin]):
            return False
        c = cursor_over(self.data, self.begin + 1, self.begin + shown)
        length = read_variable(&c)
        if c.fault == ENDS_EARLY:
            return False
        if c.fault != NO_FAULT:
            self.fail(BAD_LENGTH, self.begin + 1)
            return False
        if c.at - self.begin + length > self.packet_bytes_max:
            self.fail(TOO_LARGE, self.begin + 1)
            return False
        header.first = self.data[self.begin]
        header.body_at = c.at
        header.end = c.at + length
        return header.end <= self.filled

    cdef bint check_first(self, uint8_t first) except -1:
        """Type and flags, and the order of types."""
        cdef uint8_t kind = first >> 4
        cdef Fault fault = NO_FAULT
        if kind != CONNACK and kind != PUBLISH and kind != PUBACK and kind != SUBACK and kind != PINGRESP:
            if kind != DISCONNECT:
                fault = BAD_TYPE
        if fault == NO_FAULT and kind != PUBLISH and first & 0x0F:
            fault = BAD_FLAGS
        if fault == NO_FAULT and (kind == CONNACK) == self.connected:
            fault = BAD_ORDER
        if fault != NO_FAULT:
            self.fail(fault, self.begin)
        return fault == NO_FAULT

    cdef int fail(self, Fault fault, uint32_t at) except -1:
        reason, what = FAULTS[<int> fault]
        self.fault = StreamFault(reason, what, self.passed + at)
        self.ended = True
        return 0

    cdef int add_publish(
        self, Cursor *body, uint8_t first, list names, list topics, list payloads, list sizes, list packet_ids
    ) except -1:
        cdef PublishRow row = read_publish(body, first)
        cdef const char *data = <const char *> body.data
        if body.fault != NO_FAULT:
            return 0
        names.append(self.name_in(data + row.topic_at, row.topic_bytes))
        topics.append(
            PyUnicode_DecodeUTF8(data + row.topic_at, min(row.topic_bytes, self.topic_bytes_max), b"backslashreplace")
        )
        payloads.append(
            PyBytes_FromStringAndSize(data + row.payload_at, min(row.payload_bytes, self.payload_bytes_max))
        )
        sizes.append(row.payload_bytes)
        packet_ids.append(row.packet_id)
        return 0

    cdef object name_in(self, const char *topic, uint32_t topic_bytes):
        cdef size_t size = <size_t> PyBytes_GET_SIZE(self.prefix), i
        if not size < topic_bytes <= size + NAME_BYTES_MAX or memcmp(topic, PyBytes_AS_STRING(self.prefix), size):
            return ""
        for i in range(size, topic_bytes):
            if not in_name(topic[i]):
                return ""
        return PyUnicode_DecodeASCII(topic + size, topic_bytes - <Py_ssize_t> size, NULL)

    cdef int add_puback(self, Cursor *body, list pubacks) except -1:
        cdef Properties found
        cdef uint32_t packet_id = read_number(body, 2)
        cdef uint32_t reason = 0
        if body.at < body.end:
            reason = read_number(body, 1)
            if body.at < body.end:
                read_properties(body, PUBACK, &found)
        read_done(body)
        if packet_id == 0:
            fail_at(body, PACKET_ID_0, body.at)
        if body.fault == NO_FAULT:
            pubacks.append((packet_id, reason))
        return 0

    cdef int add_control(self, Cursor *body, uint8_t kind, list controls) except -1:
        if kind == CONNACK:
            control = read_connack(body)
            self.connected = True
        elif kind == SUBACK:
            control = read_suback(body)
        elif kind == PINGRESP:
            control = Pingresp()
        else:
            control = read_disconnect(body)
        read_done(body)
        if body.fault == NO_FAULT:
            controls.append(control)
            if kind == DISCONNECT:
                self.ended = True
        return 0


cdef inline bint in_name(char c) noexcept nogil:
    return 97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 45 or c == 95  # a-z A-Z 0-9 - _


cdef object read_connack(Cursor *body):
    cdef Properties found
    cdef uint32_t begin = body.at, flags = read_number(body, 1), reason = read_number(body, 1)
    if flags > 1:
        fail_at(body, BAD_FLAGS, begin)
    elif flags and reason:
        fail_at(body, BAD_VALUE, begin)
    memset(&found, 0, sizeof(Properties))
    if body.at < body.end:  # a server that does not speak MQTT 5 refuses without properties
        read_properties(body, CONNACK, &found)
    if absurd(&found, RECEIVE_MAXIMUM, 1, 0xFFFF) or absurd(&found, MAXIMUM_PACKET_SIZE, 1, 0xFFFFFFFF):
        fail_at(body, BAD_VALUE, begin)
    if absurd(&found, MAXIMUM_QOS, 0, 1):
        fail_at(body, BAD_VALUE, begin)
    return Connack(
        flags != 0,
        reason,
        number(&found, RECEIVE_MAXIMUM, 0xFFFF),
        min(number(&found, MAXIMUM_PACKET_SIZE, PACKET_BYTES_MAX), PACKET_BYTES_MAX),
        number(&found, MAXIMUM_QOS, 2),
        number(&found, SERVER_KEEP_ALIVE, 0) if found.present >> SERVER_KEEP_ALIVE & 1 else None,
    )


cdef bint absurd(const Properties *found, uint8_t kind, uint32_t minimum, uint32_t maximum) noexcept:
    return found.present >> kind & 1 and not minimum <= found.number[kind] <= maximum


cdef uint32_t number(const Properties *found, uint8_t kind, uint32_t otherwise) noexcept:
    return found.number[kind] if found.present >> kind & 1 else otherwise


cdef object read_suback(Cursor *body):
    cdef Properties found
    cdef uint32_t packet_id = read_number(body, 2), at
    if packet_id == 0:
        fail_at(body, PACKET_ID_0, body.at)
    read_properties(body, SUBACK, &found)
    if body.at == body.end:
        fail_at(body, ENDS_EARLY, body.end)  # at least one reason (3.9.3)
    at = skip(body, body.end - body.at)
    return Suback(packet_id, PyBytes_FromStringAndSize(<const char *> body.data + at, body.at - at))


cdef object read_disconnect(Cursor *body):
    cdef Properties found
    cdef uint32_t reason = 0
    if body.at < body.end:
        reason = read_number(body, 1)
        if body.at < body.end:
            read_properties(body, DISCONNECT, &found)
    return Disconnect(reason)


def pubacks(list packet_ids not None):
    """A PUBACK of success for each, one after the other (3.4.2.1, the short form)."""
    cdef Py_ssize_t count = len(packet_ids), i
    cdef bytes packets = PyBytes_FromStringAndSize(NULL, 4 * count)
    cdef uint8_t *out = <uint8_t *> PyBytes_AS_STRING(packets)
    cdef uint16_t packet_id
    for i in range(count):
        packet_id = packet_ids[i]
        out[4 * i] = PUBACK << 4
        out[4 * i + 1] = 2
        out[4 * i + 2] = <uint8_t> (packet_id >> 8)
        out[4 * i + 3] = <uint8_t> (packet_id & 0xFF)
    return packets


cdef struct Publish:  # to be sent
    const char *name
    Py_ssize_t name_bytes
    const char *payload
    Py_ssize_t payload_bytes
    size_t length  # of all that follows the packet's own length
    size_t packet_bytes


cdef int measure(Publish *one, Py_ssize_t prefix_bytes, str name, bytes payload) except -1:
    if payload is None:
        raise TypeError("a payload is bytes")
    one.name = PyUnicode_AsUTF8AndSize(name, &one.name_bytes)
    one.payload = PyBytes_AS_STRING(payload)
    one.payload_bytes = PyBytes_GET_SIZE(payload)
    if not 0 < prefix_bytes + one.name_bytes <= 0xFFFF:
        raise ValueError("a topic has 1 to 65535 bytes")
    one.length = <size_t> (2 + prefix_bytes + one.name_bytes + 2 + 1 + one.payload_bytes)
    one.packet_bytes = 2 + (one.length > 0x7F) + (one.length > 0x3FFF) + (one.length > 0x1FFFFF) + one.length
    return 0


cdef uint8_t *write(uint8_t *out, const Publish *one, bytes prefix, uint16_t packet_id, bint dup):
    cdef Py_ssize_t prefix_bytes = PyBytes_GET_SIZE(prefix), topic_bytes = prefix_bytes + one.name_bytes
    cdef size_t left = one.length
    out[0] = PUBLISH << 4 | 0x02 | (0x08 if dup else 0)
    out += 1
    while left > 0x7F:
        out[0] = <uint8_t> (left & 0x7F | 0x80)
        left >>= 7
        out += 1
    out[0] = <uint8_t> left
    out[1] = <uint8_t> (topic_bytes >> 8)
    out[2] = <uint8_t> (topic_bytes & 0xFF)
    memcpy(out + 3, PyBytes_AS_STRING(prefix), <size_t> prefix_bytes)
    memcpy(out + 3 + prefix_bytes, one.name, <size_t> one.name_bytes)
    out += 3 + topic_bytes
    out[0] = <uint8_t> (packet_id >> 8)
    out[1] = <uint8_t> (packet_id & 0xFF)
    out[2] = 0  # no properties
    memcpy(out + 3, one.payload, <size_t> one.payload_bytes)
    return out + 3 + one.payload_bytes


def publishes(bytes prefix not None, dict messages not None, uint32_t packet_bytes_max, bint dup):
    """A PUBLISH at QoS 1 for each packet id: (name, payload), topic prefix + name, one after the other.

    Gives the bytes, and the packet ids of what is larger than packet_bytes_max, which is left out. Raises ValueError.
    """
    cdef Publish one
    cdef list too_large = []
    cdef size_t total = 0
    cdef uint8_t *out
    cdef uint8_t *end
    cdef uint16_t packet_id
    cdef bytes packets
    if packet_bytes_max > PACKET_BYTES_MAX:
        raise ValueError("packet_bytes_max is at most 268435460")
    for packet_id, (name, payload) in messages.items():
        measure(&one, PyBytes_GET_SIZE(prefix), name, payload)
        if packet_id == 0:
            raise ValueError("a packet id is 1 to 65535")
        if one.packet_bytes > packet_bytes_max:
            too_large.append(packet_id)
        else:
            total += one.packet_bytes
    packets = PyBytes_FromStringAndSize(NULL, <Py_ssize_t> total)
    out = <uint8_t *> PyBytes_AS_STRING(packets)
    end = out + total
    for packet_id, (name, payload) in messages.items():
        measure(&one, PyBytes_GET_SIZE(prefix), name, payload)
        if one.packet_bytes <= packet_bytes_max and one.packet_bytes <= <size_t> (end - out):
            out = write(out, &one, prefix, packet_id, dup)
    return packets, too_large
