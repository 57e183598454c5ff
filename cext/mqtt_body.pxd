"""The inside of an MQTT 5 packet, as a server may send it: every byte passes through the Cursor.

The first fault sticks: it records what and where and leaves nothing to read, so that what follows reads zeros and the
caller asks `fault` once. Framing is strict. The contents of texts are not judged: a publisher chose them, and a message
that ends every connection that it comes by would stop intake for ever.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

cdef enum Fault:  # in the order of FAULTS in mqtt_stream.pyx
    NO_FAULT = 0
    BAD_TYPE
    BAD_FLAGS
    BAD_LENGTH
    TOO_LARGE
    ENDS_EARLY
    TRAILING
    BAD_QOS
    DUP_AT_QOS_0
    PACKET_ID_0
    NO_TOPIC
    TOPIC_ALIAS
    BAD_PROPERTY
    PROPERTY_TWICE
    BAD_VALUE
    BAD_ORDER

cdef enum:
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBACK = 9
    PINGRESP = 13
    DISCONNECT = 14

cdef enum:  # properties whose value is used (2.2.2.2)
    SUBSCRIPTION_ID = 0x0B
    SERVER_KEEP_ALIVE = 0x13
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_ID = 0x23
    MAXIMUM_QOS = 0x24
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    PROPERTIES = 0x2B  # no id is larger than 0x2A

cdef enum Form:
    NO_FORM = 0
    BYTE = 1  # these three: their size in bytes
    TWO_BYTES = 2
    FOUR_BYTES = 4
    VARIABLE = 8
    TEXT = 16  # or binary data: framed alike
    PAIR = 32

cdef struct Cursor:
    const uint8_t *data  # data[at] is read only where at < end
    uint32_t at
    uint32_t end
    Fault fault
    uint32_t fault_at

cdef struct Properties:
    uint64_t present  # a bit for each id
    uint32_t number[PROPERTIES]  # the values that are numbers

cdef struct PublishRow:  # positions in the cursor's data
    uint32_t topic_at
    uint32_t topic_bytes
    uint32_t payload_at
    uint32_t payload_bytes
    uint16_t packet_id  # 0 at QoS 0


cdef inline Form form_of(uint8_t kind) noexcept nogil:
    if kind == 0x01 or kind == 0x24 or kind == 0x25 or kind == 0x28 or kind == 0x29 or kind == 0x2A:
        return BYTE
    if kind == 0x13 or 0x21 <= kind <= 0x23:
        return TWO_BYTES
    if kind == 0x02 or kind == 0x11 or kind == 0x27:
        return FOUR_BYTES
    if kind == SUBSCRIPTION_ID:
        return VARIABLE
    if kind == USER_PROPERTY:
        return PAIR
    if kind == 0x03 or kind == 0x08 or kind == 0x09 or kind == 0x12 or kind == 0x15 or kind == 0x16:
        return TEXT
    if kind == 0x1A or kind == 0x1C or kind == 0x1F:
        return TEXT
    return NO_FORM


cdef inline bint belongs(uint8_t kind, uint8_t packet) noexcept nogil:
    """Whether the property may stand in this packet, from a server (table 2-4)."""
    if kind == USER_PROPERTY:
        return True
    if packet == PUBLISH:
        return 0x01 <= kind <= 0x03 or kind == 0x08 or kind == 0x09 or kind == SUBSCRIPTION_ID or kind == TOPIC_ALIAS_ID
    if kind == 0x1F:
        return True  # a reason string: everywhere but in PUBLISH
    if packet == DISCONNECT:
        return kind == 0x1C
    if packet != CONNACK:
        return False
    return 0x11 <= kind <= 0x1C or 0x21 <= kind <= 0x2A and kind != TOPIC_ALIAS_ID


cdef inline Cursor cursor_over(const uint8_t *data, uint32_t at, uint32_t end) noexcept nogil:
    cdef Cursor c
    c.data = data
    c.at = at
    c.end = end
    c.fault = NO_FAULT
    c.fault_at = 0
    return c


cdef inline void fail_at(Cursor *c, Fault fault, uint32_t at) noexcept nogil:
    if c.fault == NO_FAULT:
        c.fault = fault
        c.fault_at = at
        c.end = c.at


cdef inline uint32_t skip(Cursor *c, uint32_t count) noexcept nogil:
    """Pass `count` bytes; where they begin. Check `fault` before reading there."""
    cdef uint32_t at = c.at
    if count > c.end - c.at:
        fail_at(c, ENDS_EARLY, c.end)
        return at
    c.at += count
    return at


cdef inline uint32_t read_number(Cursor *c, uint32_t size) noexcept nogil:
    """Of 1, 2 or 4 bytes; 0 when it failed."""
    cdef uint32_t at = skip(c, size), value = 0, i
    if c.fault != NO_FAULT:
        return 0
    for i in range(size):
        value = value << 8 | c.data[at + i]
    return value


cdef inline uint32_t read_variable(Cursor *c) noexcept nogil:
    """A variable byte integer in its shortest form (1.5.5); 0 when it failed."""
    cdef uint32_t begin = c.at, value = 0, shift = 0
    cdef uint8_t octet = 0x80
    while octet & 0x80:
        if shift > 21:
            fail_at(c, BAD_LENGTH, begin)
            return 0
        octet = <uint8_t> read_number(c, 1)
        if c.fault != NO_FAULT:
            return 0
        value |= <uint32_t> (octet & 0x7F) << shift
        shift += 7
    if octet == 0 and shift > 7:
        fail_at(c, BAD_LENGTH, begin)
        return 0
    return value


cdef inline void skip_text(Cursor *c) noexcept nogil:
    skip(c, read_number(c, 2))


cdef inline uint32_t read_property(Cursor *c, uint8_t kind) noexcept nogil:
    """The value where it is a number; what is none is passed over."""
    cdef Form form = form_of(kind)
    if form == PAIR:
        skip_text(c)
    if form == TEXT or form == PAIR:
        skip_text(c)
        return 0
    return read_variable(c) if form == VARIABLE else read_number(c, <uint32_t> form)


cdef inline void read_properties(Cursor *c, uint8_t packet, Properties *found) noexcept nogil:
    cdef uint32_t size = read_variable(c), end = c.end, at
    cdef uint8_t kind
    memset(found, 0, sizeof(Properties))
    if size > c.end - c.at:
        fail_at(c, ENDS_EARLY, c.end)
    if c.fault != NO_FAULT:
        return
    c.end = c.at + size
    while c.at < c.end:
        at = c.at
        kind = <uint8_t> read_number(c, 1)
        if form_of(kind) == NO_FORM or not belongs(kind, packet):
            fail_at(c, BAD_PROPERTY, at)
            return
        if found.present >> kind & 1 and kind != USER_PROPERTY and kind != SUBSCRIPTION_ID:
            fail_at(c, PROPERTY_TWICE, at)
            return
        found.present |= <uint64_t> 1 << kind
        found.number[kind] = read_property(c, kind)
    if c.fault == NO_FAULT:
        c.end = end


cdef inline void read_done(Cursor *c) noexcept nogil:
    """Nothing may be left."""
    if c.at != c.end:
        fail_at(c, TRAILING, c.at)


cdef inline PublishRow read_publish(Cursor *c, uint8_t first) noexcept nogil:
    """`first`: the packet's first byte, one byte before it the cursor need not know. Valid where no fault came."""
    cdef PublishRow row
    cdef Properties found
    cdef uint32_t begin = c.at
    cdef uint8_t qos = first >> 1 & 3
    row.packet_id = 0
    if qos > 1:
        fail_at(c, BAD_QOS, begin)
    elif qos == 0 and first & 0x08:
        fail_at(c, DUP_AT_QOS_0, begin)
    row.topic_bytes = read_number(c, 2)
    row.topic_at = skip(c, row.topic_bytes)
    if qos:
        row.packet_id = <uint16_t> read_number(c, 2)
        if row.packet_id == 0:
            fail_at(c, PACKET_ID_0, c.at)
    read_properties(c, PUBLISH, &found)
    if found.present >> TOPIC_ALIAS_ID & 1:
        fail_at(c, TOPIC_ALIAS, begin)
    if row.topic_bytes == 0:
        fail_at(c, NO_TOPIC, begin)
    row.payload_at = c.at
    row.payload_bytes = c.end - c.at
    return row
