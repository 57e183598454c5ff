"""The one reader through which every byte of a frame passes: deterministic CBOR (RFC 8949, 4.2.1), as in protocol/cbor.py.

The first failure sticks: it records reason and offset and leaves nothing to read, so that what follows reads zeros and
the caller asks `reason` where it matters (at the latest before it uses a value as a length or a count).
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum Reason:  # in the order of REASON_NAMES in decoder.pyx
    OK = 0
    TRUNCATED
    OVERSIZE
    TRAILING
    ENDS_EARLY
    TAG
    TYPE
    RANGE
    COUNT
    NOT_SHORTEST
    INDEFINITE
    RESERVED
    FLOAT
    DUPLICATE_KEY
    KEY_ORDER
    HEADER
    NOT_CANONICAL
    VERSION_UNKNOWN
    KID
    RECORD_TYPE
    ALGORITHM
    MAC

cdef enum Major:
    MAJOR_UINT = 0
    MAJOR_NINT = 1
    MAJOR_BSTR = 2
    MAJOR_ARRAY = 4
    MAJOR_MAP = 5
    MAJOR_TAG = 6
    MAJOR_SIMPLE = 7
    MAJOR_FAILED = 8  # no item was read

cdef enum:
    BYTE_FALSE = 0xF4
    BYTE_TRUE = 0xF5
    BYTE_NULL = 0xF6

cdef struct Reader:
    const uint8_t *data  # the frame; data[at] is read only where at < end
    uint32_t at
    uint32_t end
    uint32_t item_at  # where the item read last begins
    Reason when_short  # the reason when the bytes end
    Reason reason
    uint32_t reason_at
    uint64_t argument  # of the head read last


cdef inline Reader reader_over(const uint8_t *data, uint32_t at, uint32_t end, Reason when_short) noexcept nogil:
    cdef Reader r
    r.data = data
    r.at = r.item_at = at
    r.end = end
    r.when_short = when_short
    r.reason = OK
    r.reason_at = 0
    r.argument = 0
    return r


cdef inline void fail_at(Reader *r, Reason reason, uint32_t offset) noexcept nogil:
    if r.reason == OK:
        r.reason = reason
        r.reason_at = offset
        r.end = r.at


cdef inline void fail(Reader *r, Reason reason) noexcept nogil:
    """About the item read last."""
    fail_at(r, reason, r.item_at)


cdef inline uint8_t peek(Reader *r) noexcept nogil:
    """The next byte, not consumed."""
    if r.at >= r.end:
        fail_at(r, r.when_short, r.end)
        return 0
    return r.data[r.at]


cdef inline Reason simple_reason(uint8_t info) noexcept nogil:
    if info >= 28:
        return INDEFINITE if info == 31 else RESERVED
    return FLOAT if 25 <= info <= 27 else TYPE


cdef inline Major head(Reader *r) noexcept nogil:
    """The major type of the next item; its argument is in r.argument."""
    cdef uint8_t first = peek(r), info = first & 0x1F
    cdef uint32_t size, i
    cdef uint64_t value = 0
    if r.reason != OK:
        return MAJOR_FAILED
    r.item_at = r.at
    if first >> 5 == MAJOR_SIMPLE:
        fail(r, simple_reason(info))
        return MAJOR_FAILED
    if info < 24:
        r.at += 1
        r.argument = info
        return <Major> (first >> 5)
    if info > 27:
        fail(r, INDEFINITE if info == 31 else RESERVED)
        return MAJOR_FAILED
    size = <uint32_t> 1 << (info - 24)
    if size > r.end - r.at - 1:
        fail_at(r, r.when_short, r.end)
        return MAJOR_FAILED
    for i in range(size):
        value = value << 8 | r.data[r.at + 1 + i]
    if value < (<uint64_t> 24 if size == 1 else <uint64_t> 1 << (4 * size)):
        fail(r, NOT_SHORTEST)
        return MAJOR_FAILED
    r.at += 1 + size
    r.argument = value
    return <Major> (first >> 5)


cdef inline uint64_t read_uint(Reader *r, uint64_t maximum) noexcept nogil:
    """0 to `maximum`; 0 when it failed."""
    if head(r) != MAJOR_UINT:
        fail(r, TYPE)
        return 0
    if r.argument > maximum:
        fail(r, RANGE)
        return 0
    return r.argument


cdef inline int64_t read_integer(Reader *r, int64_t minimum, int64_t maximum) noexcept nogil:
    """`minimum` to `maximum`, both of less than 63 bits; 0 when it failed."""
    cdef Major major = head(r)
    cdef int64_t value
    if major > MAJOR_NINT:
        fail(r, TYPE)
        return 0
    if r.argument > <uint64_t> 1 << 62:  # out of every bound; inside, the conversions below are exact
        fail(r, RANGE)
        return 0
    value = <int64_t> r.argument
    if major == MAJOR_NINT:
        value = -1 - value
    if value < minimum or value > maximum:
        fail(r, RANGE)
        return 0
    return value


cdef inline bint read_null(Reader *r) noexcept nogil:
    """True, and consumed, if the next item is null."""
    if peek(r) != BYTE_NULL:
        return False
    r.item_at = r.at
    r.at += 1
    return True


cdef inline uint32_t read_array(Reader *r, uint32_t minimum, uint32_t maximum) noexcept nogil:
    """The number of items, `minimum` to `maximum`; 0 when it failed."""
    if head(r) != MAJOR_ARRAY:
        fail(r, TYPE)
        return 0
    if r.argument < minimum or r.argument > maximum:
        fail(r, COUNT)
        return 0
    return <uint32_t> r.argument


cdef inline uint32_t read_bstr(Reader *r, uint32_t minimum, uint32_t maximum) noexcept nogil:
    """The size of a byte string, consumed: its content ends at r.at. 0 when it failed."""
    cdef uint32_t size
    if head(r) != MAJOR_BSTR:
        fail(r, TYPE)
        return 0
    if r.argument < minimum or r.argument > maximum:
        fail(r, RANGE)
        return 0
    size = <uint32_t> r.argument
    if size > r.end - r.at:
        fail_at(r, r.when_short, r.end)
        return 0
    r.at += size
    return size


cdef inline void read_done(Reader *r) noexcept nogil:
    """Nothing may be left."""
    if r.at != r.end:
        fail_at(r, TRAILING, r.at)
