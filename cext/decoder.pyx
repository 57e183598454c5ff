# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Frames in, checked rows out, a batch a call; the same result as protocol.frame.open_frame on every input (FR-50).

The stages: structure of all frames (no GIL), look-up of keys, tags, then content into rows (no GIL); rows as columns, or
as tuples. One module of several parts, so that the C compiler sees all: bounds, reader (every byte of a frame passes
there), envelope (with sha256*.h), rows, records, columns, tuples. decoder.pyi is the contract.
"""

from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free, qsort, realloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

include "bounds.pxi"
include "reader.pxi"
include "envelope.pxi"
include "rows.pxi"
include "records.pxi"

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

# Names and order as in protocol/record.py and protocol/frame.py: these tuples equal those.
Frame = namedtuple("Frame", ("generation", "epoch", "boot_id", "sent_ms", "records"))
Record = namedtuple("Record", ("seq", "type", "body", "raw"))
Window = namedtuple(
    "Window",
    ("start_s", "length_s", "boot", "end_uptime_s", "clock_source", "clock_error_s", "samples_due", "readings"),
)
Event = namedtuple(
    "Event", ("time_s", "boot", "uptime_s", "clock_source", "clock_error_s", "code", "point", "values")
)
Reading = namedtuple(
    "Reading",
    (
        "first_s", "last_s", "run_s", "p_mean_w", "p_min_w", "p_max_w",
        "e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh",
        "ua_dv", "ub_dv", "uc_dv", "ia_ma", "ib_ma", "ic_ma", "pf_milli", "flags", "missed", "q_mean_var",
    ),
)
# Why a frame is not taken: `reason` is a key of protocol.errors.REASONS, `offset` the byte at which it was seen.
Refusal = namedtuple("Refusal", ("reason", "offset"))

REASON_NAMES = (
    "", "truncated", "oversize", "trailing", "ends_early", "tag", "type", "range", "count", "not_shortest",
    "indefinite", "reserved", "float", "duplicate_key", "key_order", "header", "not_canonical", "version", "kid",
    "record_type", "algorithm", "mac",
)

cdef size_t sha256_count = 0
cdef const sha256_implementation_t *sha256_found = sha256_implementations(&sha256_count)

# What this machine can compute SHA-256 with, the fastest first: that one is in use.
SHA256_IMPLEMENTATIONS = tuple([sha256_found[i].name.decode() for i in range(sha256_count)])
SHA256_IMPLEMENTATION = SHA256_IMPLEMENTATIONS[0]

NO_POINT, NONE_BECAUSE, READING = <int> SLOT_NO_POINT, <int> SLOT_NONE, <int> SLOT_READING


cdef const sha256_implementation_t *implementation_named(str name) except NULL:
    cdef size_t i
    for i in range(sha256_count):
        if sha256_found[i].name == name.encode():
            return &sha256_found[i]
    raise KeyError(name)


cdef class KeyState:
    """A terminal's secret of one generation, as the two hash states that HMAC needs. Made once a key; shows nothing."""

    cdef hmac_key_t state

    def __cinit__(self, bytes secret not None):
        if len(secret) != KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        hmac_key_init(&self.state, sha256_found, <const uint8_t *> PyBytes_AS_STRING(secret), KEY_BYTES)

    def __dealloc__(self):
        wipe(&self.state, sizeof(self.state))


def sha256(bytes data not None, str implementation not None):
    """SHA-256 of `data` by one of SHA256_IMPLEMENTATIONS, else KeyError: what the decoder computes, for its tests."""
    cdef sha256_t state
    cdef uint8_t digest[32]
    sha256_begin(&state, implementation_named(implementation))
    sha256_update(&state, <const uint8_t *> PyBytes_AS_STRING(data), len(data))
    sha256_final(&state, digest)
    return (<char *> digest)[:32]


def sha256_two(bytes first not None, bytes second not None, str implementation not None):
    """SHA-256 of each, computed side by side, likewise."""
    cdef sha256_t state[2]
    cdef sha256_t *states[2]
    cdef uint8_t digest[2][32]
    cdef uint8_t *digests[2]
    cdef const uint8_t *data[2]
    cdef size_t size[2]
    cdef int n
    size[0], size[1] = <size_t> len(first), <size_t> len(second)
    data[0], data[1] = <const uint8_t *> PyBytes_AS_STRING(first), <const uint8_t *> PyBytes_AS_STRING(second)
    for n in range(2):
        states[n], digests[n] = &state[n], &digest[n][0]
        sha256_begin(&state[n], implementation_named(implementation))
        sha256_update(&state[n], data[n], size[n] // 3)  # so that the two begin at any place of a block
        data[n] += size[n] // 3
        size[n] -= size[n] // 3
    sha256_update_two(states, data, size)
    sha256_final_two(states, digests)
    return (<char *> digests[0])[:32], (<char *> digests[1])[:32]


def hmac_sha256(bytes secret not None, bytes data not None, str implementation=SHA256_IMPLEMENTATION):
    """HMAC-SHA256 of `data` under a secret of at most 64 bytes, likewise."""
    cdef hmac_key_t key
    cdef sha256_t state
    cdef uint8_t mac[32]
    if len(secret) > 64:
        raise ValueError("a secret has at most 64 bytes")
    hmac_key_init(&key, implementation_named(implementation), <const uint8_t *> PyBytes_AS_STRING(secret), len(secret))
    hmac_begin(&state, &key)
    sha256_update(&state, <const uint8_t *> PyBytes_AS_STRING(data), len(data))
    hmac_final(&state, &key, mac)
    wipe(&key, sizeof(key))
    return (<char *> mac)[:32]


include "columns.pxi"
include "tuples.pxi"
include "seal.pxi"


cdef struct Job:  # one frame, or one payload, of a batch; all pointers are into objects that the Batch holds
    const uint8_t *data
    size_t size
    const char *terminal
    size_t terminal_bytes
    const hmac_key_t *key
    Envelope envelope
    FrameRow *frame


cdef inline void refuse(Job *job, Reason reason, uint32_t offset) noexcept nogil:
    memset(job.frame, 0, sizeof(FrameRow))
    job.frame.reason = <uint8_t> reason
    job.frame.offset = offset


cdef inline Reader payload_reader(const Job *job) noexcept nogil:
    return reader_over(job.data, job.envelope.payload_at, job.envelope.payload_end, ENDS_EARLY)


cdef inline void open_envelope(Job *job) noexcept nogil:
    """Size, structure, version: in this order (FR-14). What it costs does not grow with the payload."""
    cdef Reader r
    if job.size > FRAME_BYTES_MAX:
        refuse(job, OVERSIZE, FRAME_BYTES_MAX)
        return
    r = reader_over(job.data, 0, <uint32_t> job.size, TRUNCATED)
    if read_envelope(&r, &job.envelope):
        r = payload_reader(job)
        if read_version(&r):
            return
    refuse(job, r.reason, r.reason_at)


cdef inline void verify_two(Job **jobs) noexcept nogil:
    """The tags of two frames, side by side."""
    cdef sha256_t state[2]
    cdef uint8_t first[MAC_BYTES]
    cdef uint8_t second[MAC_BYTES]
    cdef sha256_t *states[2]
    cdef const hmac_key_t *keys[2]
    cdef uint8_t *macs[2]
    cdef const uint8_t *rest[2]
    cdef size_t rest_bytes[2]
    cdef Job *job
    cdef int n
    macs[0], macs[1] = first, second
    for n in range(2):
        job = jobs[n]
        begin_tag(&state[n], job.data, &job.envelope, job.key, job.terminal, job.terminal_bytes)
        states[n] = &state[n]
        keys[n] = job.key
        rest[n] = job.data + job.envelope.payload_head_at
        rest_bytes[n] = job.envelope.payload_end - job.envelope.payload_head_at
    sha256_update_two(states, rest, rest_bytes)
    hmac_final_two(states, keys, macs)
    for n in range(2):
        job = jobs[n]
        if not equal_constant_time(macs[n], job.data + job.envelope.tag_at, MAC_BYTES):
            refuse(job, MAC, job.envelope.tag_at)


cdef inline void digest_two(const Job *jobs, RecordRow **records) noexcept nogil:
    """SHA-256 of two records' bytes, side by side."""
    cdef sha256_t state[2]
    cdef sha256_t *states[2]
    cdef uint8_t *digests[2]
    cdef const uint8_t *data[2]
    cdef size_t size[2]
    cdef int n
    for n in range(2):
        sha256_begin(&state[n], sha256_found)
        states[n] = &state[n]
        digests[n] = records[n].digest
        data[n] = jobs[records[n].frame].data + records[n].begin
        size[n] = records[n].end - records[n].begin
    sha256_update_two(states, data, size)
    sha256_final_two(states, digests)


cdef inline void open_content(Job *job, Rows *rows, uint32_t index) noexcept nogil:
    """The payload into rows; a frame that is refused leaves none behind."""
    cdef size_t records = rows.record_count, slots = rows.slot_count, integers = rows.integer_count
    cdef Reader r = payload_reader(job)
    job.frame.generation = job.envelope.generation
    if read_content(&r, job.frame, rows, index):
        return
    refuse(job, r.reason, r.reason_at)
    rows.record_count = records
    rows.slot_count = slots
    rows.integer_count = integers


cdef class Batch:
    """The frames of one call: holds the objects that the jobs point into, and the rows."""

    cdef Job *jobs
    cdef Py_ssize_t count
    cdef Storage storage
    cdef tuple frames
    cdef tuple terminals
    cdef list keys

    def __cinit__(self, frames):
        cdef Py_ssize_t i
        cdef bytes data
        self.frames = tuple(frames)
        self.count = len(self.frames)
        if self.count > BATCH_FRAMES_MAX:
            raise ValueError(f"a batch has at most {BATCH_FRAMES_MAX} frames")
        self.storage = Storage(<size_t> self.count)
        self.jobs = <Job *> calloc(<size_t> self.count + 1, sizeof(Job))
        if self.jobs == NULL:
            raise MemoryError
        for i in range(self.count):
            data = self.frames[i]
            if data is None:
                raise TypeError("a frame is bytes")
            self.jobs[i].data = <const uint8_t *> PyBytes_AS_STRING(data)
            self.jobs[i].size = <size_t> PyBytes_GET_SIZE(data)
            self.jobs[i].frame = &self.storage.frames[i]

    def __dealloc__(self):
        free(self.jobs)

    cdef int claim(self, terminals) except -1:
        """Who says to have sent each frame."""
        cdef Py_ssize_t i, size = 0
        cdef str terminal
        self.terminals = tuple(terminals)
        if len(self.terminals) != self.count:
            raise ValueError("as many terminals as frames")
        for i in range(self.count):
            terminal = self.terminals[i]
            if terminal is None:
                raise TypeError("a terminal is str")
            self.jobs[i].terminal = PyUnicode_AsUTF8AndSize(terminal, &size)
            self.jobs[i].terminal_bytes = <size_t> size
        return 0

    cdef int look_up(self, keys) except -1:
        """The key of each frame whose envelope is good."""
        cdef KeyState key
        cdef Job *job
        cdef Py_ssize_t i
        if len(keys) != self.count:
            raise ValueError("as many keyrings as frames")
        self.keys = []
        for i in range(self.count):
            job = &self.jobs[i]
            if job.frame.reason != OK:
                continue
            key = keys[i].get(job.envelope.generation)
            if key is None:
                refuse(job, KID, job.envelope.kid_at)
                continue
            self.keys.append(key)
            job.key = &key.state
        return 0

    cdef int authenticate(self, terminals, keys) except -1:
        """Envelope, version, key and tag of each frame, in this order (FR-14)."""
        cdef Py_ssize_t i
        self.claim(terminals)
        with nogil:
            for i in range(self.count):
                open_envelope(&self.jobs[i])
        self.look_up(keys)
        with nogil:
            self.verify()
        return 0

    cdef void verify(self) noexcept nogil:
        """The tags, two at a time; one that is left over, with itself, which costs no more."""
        cdef Job *two[2]
        cdef Py_ssize_t i, waiting = 0
        for i in range(self.count):
            if self.jobs[i].frame.reason != OK:
                continue
            two[waiting] = &self.jobs[i]
            waiting = 1 - waiting
            if waiting == 0:
                verify_two(two)
        if waiting:
            two[1] = two[0]
            verify_two(two)

    cdef int take_payloads(self) except -1:
        """What was given are payloads: their size and version, in place of an envelope."""
        cdef Py_ssize_t i
        cdef Job *job
        cdef Reader r
        for i in range(self.count):
            job = &self.jobs[i]
            if job.size > FRAME_BYTES_MAX:
                refuse(job, OVERSIZE, FRAME_BYTES_MAX)
                continue
            job.envelope.payload_end = <uint32_t> job.size
            r = payload_reader(job)
            if not read_version(&r):
                refuse(job, r.reason, r.reason_at)
        return 0

    cdef int decode(self) except -1:
        """The content of those that are not refused yet."""
        cdef Py_ssize_t i
        cdef size_t payload_bytes = 0
        for i in range(self.count):
            if self.jobs[i].frame.reason == OK:
                payload_bytes += self.jobs[i].size
        if not reserve(&self.storage.rows, payload_bytes):
            raise MemoryError
        with nogil:
            for i in range(self.count):
                if self.jobs[i].frame.reason == OK:
                    open_content(&self.jobs[i], &self.storage.rows, <uint32_t> i)
        if self.storage.rows.out_of_memory:
            raise MemoryError
        return 0

    cdef int digest(self) except -1:
        """SHA-256 of each record's bytes, two at a time, likewise."""
        cdef const Rows *rows = &self.storage.rows
        cdef RecordRow *two[2]
        cdef size_t i
        with nogil:
            for i in range(0, rows.record_count, 2):
                two[0] = &rows.records[i]
                two[1] = &rows.records[min(i + 1, rows.record_count - 1)]
                digest_two(self.jobs, two)
        return 0

    cdef Columns columns(self, bint digests):
        self.decode()
        if digests:
            self.digest()
        return columns_over(self.storage, digests)


def decode_columns(frames, terminals, keys, *, bint digests=False):
    """Authenticate and decode frames that go up, into columns.

    frames[i] is claimed by terminals[i], whose keys are keys[i] (generation: KeyState). A bad frame costs its neighbours
    nothing. Releases the GIL while it works. Raises TypeError and ValueError for wrong arguments, never for wrong bytes.
    """
    cdef Batch batch = Batch(frames)
    batch.authenticate(terminals, keys)
    return batch.columns(digests)


def decode_payloads(payloads, *, bint digests=False):
    """Decode payloads of frames that were authenticated before, as the journal's own were; nothing is verified here."""
    cdef Batch batch = Batch(payloads)
    batch.take_payloads()
    return batch.columns(digests)


def decode_batch(frames, terminals, keys):
    """As decode_columns, into tuples: one Frame or Refusal for each frame, in order."""
    cdef Batch batch = Batch(frames)
    cdef size_t i
    batch.authenticate(terminals, keys)
    batch.decode()
    return [frame_object(batch.storage, i, batch.frames[i]) for i in range(batch.storage.frame_count)]
