"""The one reader through which every byte of a frame passes: deterministic CBOR (RFC 8949, 4.2.1), as in protocol/cbor.py.

Each read checks, then takes; it returns False, with `reason` and `reason_at` set, where the bytes are not what was asked
for. Callers return at the first False. What was read is in `value` (an unsigned argument) or `integer` (a signed one).
"""

cdef extern from *:
    """
    #define wl_rare(condition) __builtin_expect(!!(condition), 0) /* tells the compiler which way is the usual one */
    /* Big-endian numbers at any address; compilers make one load and one swap of each. */
    static inline __attribute__((always_inline)) uint64_t wl_16(const uint8_t *p)
    {
        return (uint64_t)p[0] << 8 | p[1];
    }
    static inline __attribute__((always_inline)) uint64_t wl_32(const uint8_t *p)
    {
        return wl_16(p) << 16 | wl_16(p + 2);
    }
    static inline __attribute__((always_inline)) uint64_t wl_64(const uint8_t *p)
    {
        return wl_32(p) << 32 | wl_32(p + 4);
    }
    """
    bint rare "wl_rare"(bint condition) noexcept nogil
    uint64_t big_endian_16 "wl_16"(const uint8_t *p) noexcept nogil
    uint64_t big_endian_32 "wl_32"(const uint8_t *p) noexcept nogil
    uint64_t big_endian_64 "wl_64"(const uint8_t *p) noexcept nogil

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

cdef enum:
    BYTE_FALSE = 0xF4
    BYTE_TRUE = 0xF5
    BYTE_NULL = 0xF6
    HEAD_BYTES_MAX = 9

cdef struct Reader:
    const uint8_t *data  # the frame; data[at] is read only where at < end
    uint32_t at
    uint32_t end
    uint32_t item_at  # where the item read last begins
    Reason when_short  # the reason when the bytes end
    Reason reason
    uint32_t reason_at
    uint8_t major
    uint64_t value
    int64_t integer

cdef struct Head:
    Reason reason  # OK, or what is wrong with it
    uint32_t size  # of the head itself
    uint64_t argument


cdef inline Reader reader_over(const uint8_t *data, uint32_t at, uint32_t end, Reason when_short) noexcept nogil:
    cdef Reader r
    r.data = data
    r.at = r.item_at = at
    r.end = end
    r.when_short = when_short
    r.reason = OK
    r.reason_at = 0
    r.major = 0
    r.value = 0
    r.integer = 0
    return r


cdef inline bint fail_at(Reader *r, Reason reason, uint32_t offset) noexcept nogil:
    r.reason = reason
    r.reason_at = offset
    return False


cdef inline bint fail(Reader *r, Reason reason) noexcept nogil:
    """About the item read last."""
    return fail_at(r, reason, r.item_at)


cdef inline bint next_is(const Reader *r, uint8_t byte) noexcept nogil:
    return r.at < r.end and r.data[r.at] == byte


cdef inline Reason simple_reason(uint8_t info) noexcept nogil:
    if info >= 28:
        return INDEFINITE if info == 31 else RESERVED
    return FLOAT if 25 <= info <= 27 else TYPE


cdef Head careful_head(const uint8_t *data, uint32_t at, uint32_t end, Reason when_short) noexcept nogil:
    """The head at `at`, whatever stands there, or what to say of it. Not inline: it is rarely needed."""
    cdef Head head
    cdef uint8_t info
    cdef uint32_t i
    head.reason = when_short
    head.size = 1
    head.argument = 0
    if at >= end:
        return head
    info = data[at] & 0x1F
    head.argument = info
    if data[at] >> 5 == MAJOR_SIMPLE:
        head.reason = simple_reason(info)
    elif info > 27:
        head.reason = INDEFINITE if info == 31 else RESERVED
    elif info < 24:
        head.reason = OK
    else:
        head.size = 1 + (<uint32_t> 1 << (info - 24))
        if head.size <= end - at:
            head.argument = 0
            for i in range(1, head.size):
                head.argument = head.argument << 8 | data[at + i]
            head.reason = OK
            if head.argument < (<uint64_t> 24 if head.size == 2 else <uint64_t> 1 << (4 * (head.size - 1))):
                head.reason = NOT_SHORTEST
    return head


cdef inline bint read_any_head(Reader *r) noexcept nogil:
    """The next item's major type, and its argument in `value`."""
    cdef Head head = careful_head(r.data, r.at, r.end, r.when_short)
    if head.reason == r.when_short:
        return fail_at(r, head.reason, r.end)
    r.item_at = r.at
    if head.reason != OK:
        return fail(r, head.reason)
    r.major = r.data[r.at] >> 5
    r.value = head.argument
    r.at += head.size
    return True


cdef inline uint32_t usual_head(Reader *r, uint8_t first) noexcept nogil:
    """The size of a head that is good and ends well before the bytes do, its argument in `value`; 0: look carefully.

    `first` is its first byte without the bits of the major type that the caller wants: another type looks too large.
    """
    cdef const uint8_t *at = r.data + r.at
    if first < 24:
        r.value = first
        return 1
    if first == 24:
        r.value = at[1]
        return 2 if r.value >= 24 else 0
    if first == 25:
        r.value = big_endian_16(at + 1)
        return 3 if r.value > 0xFF else 0
    if first == 26:
        r.value = big_endian_32(at + 1)
        return 5 if r.value > 0xFFFF else 0
    if first == 27:
        r.value = big_endian_64(at + 1)
        return 9 if r.value > UINT32_MAX else 0
    return 0


cdef inline bint read_usual(Reader *r, uint8_t major_bits, uint8_t other_bits) noexcept nogil:
    """True, and consumed, if next is a usual head of that major type. False says nothing yet: look carefully."""
    cdef uint32_t size
    if rare(r.end - r.at < HEAD_BYTES_MAX):
        return False
    size = usual_head(r, (r.data[r.at] & ~other_bits) ^ major_bits)
    if rare(size == 0):
        return False
    r.item_at = r.at
    r.at += size
    return True


cdef inline bint read_head(Reader *r, Major major) noexcept nogil:
    """An item of that major type, its argument in `value`."""
    if read_usual(r, <uint8_t> (major << 5), 0):
        return True
    return read_any_head(r) and (r.major == major or fail(r, TYPE))


cdef inline bint read_uint(Reader *r, uint64_t maximum) noexcept nogil:
    """0 to `maximum`, in `value`."""
    if rare(not read_head(r, MAJOR_UINT)):
        return False
    if rare(r.value > maximum):
        return fail(r, RANGE)
    return True


cdef inline bint read_integer(Reader *r, int64_t minimum, int64_t maximum) noexcept nogil:
    """`minimum` to `maximum`, both of less than 63 bits, in `integer`."""
    if rare(not read_usual(r, 0, MAJOR_NINT << 5)):
        if not read_any_head(r):
            return False
        if r.major > MAJOR_NINT:
            return fail(r, TYPE)
    if rare(r.value > INTEGER_TOP):
        return fail(r, RANGE)
    r.integer = <int64_t> r.value
    if r.data[r.item_at] >> 5 == MAJOR_NINT:
        r.integer = -1 - r.integer
    if rare(r.integer < minimum or r.integer > maximum):
        return fail(r, RANGE)
    return True


cdef inline bint skip_null(Reader *r) noexcept nogil:
    """True, and consumed, if the next item is null. Not a check: where there is no item, the next read says so."""
    if not next_is(r, BYTE_NULL):
        return False
    r.item_at = r.at
    r.at += 1
    return True


cdef inline bint read_array(Reader *r, uint32_t minimum, uint32_t maximum) noexcept nogil:
    """The number of items, `minimum` to `maximum`, in `value`; the items follow."""
    if rare(not read_head(r, MAJOR_ARRAY)):
        return False
    if rare(r.value < minimum or r.value > maximum):
        return fail(r, COUNT)
    return True


cdef inline bint read_bstr(Reader *r, uint32_t minimum, uint32_t maximum) noexcept nogil:
    """The size of a byte string, in `value`; it is consumed: its content ends at r.at."""
    if rare(not read_head(r, MAJOR_BSTR)):
        return False
    if rare(r.value < minimum or r.value > maximum):
        return fail(r, RANGE)
    if rare(r.value > r.end - r.at):
        return fail_at(r, r.when_short, r.end)
    r.at += <uint32_t> r.value
    return True


cdef inline bint read_done(Reader *r) noexcept nogil:
    """Nothing may be left."""
    return r.at == r.end or fail_at(r, TRAILING, r.at)
