"""The COSE_Mac0 around a payload (RFC 9052, 6.2): its structure, and its tag."""

cdef extern from "sha256.h" nogil:
    ctypedef struct sha256_implementation_t:
        const char *name
    ctypedef struct sha256_t:
        pass
    ctypedef struct hmac_key_t:
        pass
    const sha256_implementation_t *sha256_implementations(size_t *count)
    void sha256_begin(sha256_t *c, const sha256_implementation_t *by)
    void sha256_update(sha256_t *c, const uint8_t *data, size_t size)
    void sha256_update_two(sha256_t **c, const uint8_t **data, const size_t *size)
    void sha256_final(sha256_t *c, uint8_t *digest)
    void sha256_final_two(sha256_t **c, uint8_t **digest)
    void hmac_key_init(hmac_key_t *key, const sha256_implementation_t *by, const uint8_t *secret, size_t size)
    void hmac_begin(sha256_t *c, const hmac_key_t *key)
    void hmac_final(sha256_t *c, const hmac_key_t *key, uint8_t *mac)
    void hmac_final_two(sha256_t **c, const hmac_key_t **key, uint8_t **mac)
    bint equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
    void wipe(void *data, size_t size)


cdef struct Envelope:  # where things are in a frame, and the claimed key's generation
    uint32_t payload_head_at  # the payload's byte string begins here, its content at payload_at
    uint32_t payload_at
    uint32_t payload_end
    uint32_t tag_at
    uint32_t kid_at
    uint8_t generation


cdef inline bint read_generation(Reader *r, Envelope *envelope) noexcept nogil:
    """From a protected header that is exactly {1: 5, 4: kid} (FR-11, FR-12)."""
    cdef int64_t any = <int64_t> UINT32_MAX
    if not read_head(r, MAJOR_MAP):
        return False
    if r.value != 2:
        return fail(r, HEADER)
    if not read_uint(r, UINT32_MAX):
        return False
    if r.value != LABEL_ALGORITHM:
        return fail(r, HEADER)
    if not read_integer(r, -any, any):
        return False
    if r.integer != ALGORITHM_HMAC_256:
        return fail(r, ALGORITHM)
    if not read_uint(r, UINT32_MAX):
        return False
    if r.value != LABEL_KID:
        return fail(r, DUPLICATE_KEY if r.value == 1 else (KEY_ORDER if r.value == 0 else HEADER))
    if not (read_bstr(r, 1, 1) and read_done(r)):
        return False
    envelope.kid_at = r.end - 1
    envelope.generation = r.data[envelope.kid_at]
    return envelope.generation != 0 or fail_at(r, RANGE, envelope.kid_at)


cdef inline bint read_protected(Reader *outer, uint32_t begin, Envelope *envelope) noexcept nogil:
    cdef Reader r = reader_over(outer.data, begin, outer.at, ENDS_EARLY)
    return read_generation(&r, envelope) or fail_at(outer, r.reason, r.reason_at)


cdef inline bint read_envelope(Reader *r, Envelope *envelope) noexcept nogil:
    """Positions of payload and tag, and the key's generation: nothing of it is trusted yet."""
    if not read_any_head(r):
        return False
    if r.major != MAJOR_TAG or r.value != TAG_MAC0:
        return fail(r, TAG)
    if not (read_array(r, 4, 4) and read_bstr(r, 0, FRAME_BYTES_MAX)):
        return False
    if not (read_protected(r, r.at - <uint32_t> r.value, envelope) and read_head(r, MAJOR_MAP)):
        return False
    if r.value != 0:
        return fail(r, HEADER)
    if not read_bstr(r, 0, FRAME_BYTES_MAX):
        return False
    envelope.payload_head_at = r.item_at
    envelope.payload_at = r.at - <uint32_t> r.value
    envelope.payload_end = r.at
    if not read_bstr(r, MAC_BYTES, MAC_BYTES):
        return False
    envelope.tag_at = r.at - MAC_BYTES
    return read_done(r)


cdef inline size_t write_head(uint8_t *out, uint8_t major, uint64_t size) noexcept nogil:
    """The shortest CBOR head of a string; returns its length, at most 9."""
    cdef size_t extra, i
    if size < 24:
        out[0] = <uint8_t> (major << 5 | size)
        return 1
    extra = 1 if size < 0x100 else (2 if size < 0x10000 else (4 if size <= UINT32_MAX else 8))
    out[0] = <uint8_t> (major << 5 | (24 if extra == 1 else (25 if extra == 2 else (26 if extra == 4 else 27))))
    for i in range(extra):
        out[1 + i] = <uint8_t> (size >> (8 * (extra - 1 - i)) & 0xFF)
    return 1 + extra


cdef inline void begin_tag(
    sha256_t *state, const uint8_t *data, const Envelope *envelope, const hmac_key_t *key,
    const char *terminal, size_t terminal_bytes,
) noexcept nogil:
    """HMAC-SHA256 over ["MAC0", protected, external_aad, payload], external_aad = [terminal, up, version] (FR-13).

    What is left is the payload's byte string, which stands in the frame as it does here: in its one shortest form.
    """
    cdef uint8_t name_head[9]
    cdef uint8_t before[6 + 7 + 9 + 1 + 9]
    cdef size_t name_head_bytes = write_head(name_head, 3, terminal_bytes), at = 13
    memcpy(before, b"\x84\x64MAC0", 6)
    memcpy(before + 6, data + envelope.kid_at - 6, 7)  # the protected header is exactly that byte string
    at += write_head(before + at, MAJOR_BSTR, 1 + name_head_bytes + terminal_bytes + 2)
    before[at] = 0x83
    memcpy(before + at + 1, name_head, name_head_bytes)
    hmac_begin(state, key)
    sha256_update(state, before, at + 1 + name_head_bytes)
    sha256_update(state, <const uint8_t *> terminal, terminal_bytes)
    sha256_update(state, b"\x00\x01", 2)  # up, version 1
