"""The COSE_Mac0 around a payload (RFC 9052, 6.2): its structure, and its tag."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from cext cimport bounds
from cext.reader cimport *
from cext.rows cimport FrameRow

cdef extern from "sha256.h" nogil:
    ctypedef struct sha256_t:
        pass
    ctypedef struct hmac_key_t:
        pass
    void sha256_update(sha256_t *c, const uint8_t *data, size_t size)
    void hmac_key_init(hmac_key_t *key, const uint8_t *secret, size_t size)
    void hmac_begin(sha256_t *c, const hmac_key_t *key)
    void hmac_final(sha256_t *c, const hmac_key_t *key, uint8_t *mac)
    bint equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
    void wipe(void *data, size_t size)


cdef inline void read_protected(Reader *outer, uint32_t begin, uint32_t end, FrameRow *frame) noexcept nogil:
    """The key's generation, from a header that is exactly {1: 5, 4: kid} (FR-11, FR-12)."""
    cdef Reader r = reader_over(outer.data, begin, end, ENDS_EARLY)
    cdef uint64_t label
    if head(&r) != MAJOR_MAP:
        fail(&r, TYPE)
    elif r.argument != 2:
        fail(&r, HEADER)
    if read_uint(&r, bounds.UINT32_MAX) != bounds.LABEL_ALGORITHM:
        fail(&r, HEADER)
    if read_integer(&r, -<int64_t> bounds.UINT32_MAX, <int64_t> bounds.UINT32_MAX) != bounds.ALGORITHM_HMAC_256:
        fail(&r, ALGORITHM)
    label = read_uint(&r, bounds.UINT32_MAX)
    if label != bounds.LABEL_KID:
        fail(&r, DUPLICATE_KEY if label == 1 else (KEY_ORDER if label == 0 else HEADER))
    read_bstr(&r, 1, 1)
    read_done(&r)
    if r.reason == OK:
        frame.kid_at = end - 1
        frame.generation = r.data[frame.kid_at]
        if frame.generation == 0:
            fail_at(&r, RANGE, frame.kid_at)
    if r.reason != OK:
        fail_at(outer, r.reason, r.reason_at)


cdef inline void read_envelope(Reader *r, FrameRow *frame) noexcept nogil:
    """Positions of payload and tag, and the key's generation: nothing of it is trusted yet."""
    cdef uint32_t size
    if head(r) != MAJOR_TAG or r.argument != bounds.TAG_MAC0:
        fail(r, TAG)
    read_array(r, 4, 4)
    size = read_bstr(r, 0, bounds.FRAME_BYTES_MAX)
    if r.reason == OK:
        read_protected(r, r.at - size, r.at, frame)
    if head(r) != MAJOR_MAP:
        fail(r, TYPE)
    elif r.argument != 0:
        fail(r, HEADER)
    size = read_bstr(r, 0, bounds.FRAME_BYTES_MAX)
    frame.payload_at = r.at - size
    frame.payload_end = r.at
    read_bstr(r, bounds.MAC_BYTES, bounds.MAC_BYTES)
    frame.tag_at = r.at - bounds.MAC_BYTES
    read_done(r)


cdef inline size_t write_head(uint8_t *out, uint8_t major, uint64_t size) noexcept nogil:
    """The shortest CBOR head of a string; returns its length, at most 9."""
    cdef size_t extra, i
    if size < 24:
        out[0] = <uint8_t> (major << 5 | size)
        return 1
    extra = 1 if size < 0x100 else (2 if size < 0x10000 else (4 if size <= bounds.UINT32_MAX else 8))
    out[0] = <uint8_t> (major << 5 | (24 if extra == 1 else (25 if extra == 2 else (26 if extra == 4 else 27))))
    for i in range(extra):
        out[1 + i] = <uint8_t> (size >> (8 * (extra - 1 - i)) & 0xFF)
    return 1 + extra


cdef inline bint tag_is_good(
    const uint8_t *data, const FrameRow *frame, const hmac_key_t *key, const char *terminal, size_t terminal_bytes
) noexcept nogil:
    """HMAC-SHA256 over ["MAC0", protected, external_aad, payload], external_aad = [terminal, up, version] (FR-13)."""
    cdef sha256_t state
    cdef uint8_t mac[32]
    cdef uint8_t before[32]
    cdef uint8_t after[16]
    cdef size_t tstr_size, at, payload_bytes = frame.payload_end - frame.payload_at
    hmac_begin(&state, key)
    # the array and its first item, then the protected header: a frame's bytes 2 to 8 are exactly that byte string
    sha256_update(&state, b"\x84\x64MAC0", 6)
    sha256_update(&state, data + frame.kid_at - 6, 7)
    # the external AAD: a byte string around array(3), terminal, 0 (up), 1 (version)
    tstr_size = write_head(after, 3, terminal_bytes)
    at = write_head(before, MAJOR_BSTR, 1 + tstr_size + terminal_bytes + 2)
    before[at] = 0x83
    sha256_update(&state, before, at + 1)
    sha256_update(&state, after, tstr_size)
    sha256_update(&state, <const uint8_t *> terminal, terminal_bytes)
    after[0] = 0
    after[1] = bounds.VERSION
    at = 2 + write_head(&after[2], MAJOR_BSTR, payload_bytes)
    sha256_update(&state, after, at)
    sha256_update(&state, data + frame.payload_at, payload_bytes)
    hmac_final(&state, key, mac)
    return equal_constant_time(mac, data + frame.tag_at, 32)
