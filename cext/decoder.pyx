# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Frames in, checked rows out, a batch a call; the same result as protocol.frame.open_frame on every input (FR-50).

The stages: structure of all frames (no GIL), look-up of keys, tags and content into rows (no GIL), rows into tuples.
The parts, each one file: sha256.h, reader.pxd (every byte passes there), envelope.pxd, records.pxd, rows.pxd, bounds.pxd.
"""

from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free

from cext cimport bounds
from cext.envelope cimport *
from cext.reader cimport *
from cext.records cimport *
from cext.rows cimport *

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

# Names and order as in protocol/record.py and protocol/frame.py: these tuples equal those.
Frame = namedtuple("Frame", ("generation", "epoch", "boot", "sent_ms", "records"))
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


cdef class KeyState:
    """A terminal's secret of one generation, as the two hash states that HMAC needs. Made once a key; shows nothing."""

    cdef hmac_key_t state

    def __cinit__(self, bytes secret not None):
        if len(secret) != bounds.KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        hmac_key_init(&self.state, <const uint8_t *> PyBytes_AS_STRING(secret), bounds.KEY_BYTES)

    def __dealloc__(self):
        wipe(&self.state, sizeof(self.state))


def hmac_sha256(bytes secret not None, bytes data not None):
    """HMAC-SHA256 of `data` under a secret of at most 64 bytes: what the decoder computes, for its tests."""
    cdef hmac_key_t key
    cdef sha256_t state
    cdef uint8_t mac[32]
    if len(secret) > 64:
        raise ValueError("a secret has at most 64 bytes")
    hmac_key_init(&key, <const uint8_t *> PyBytes_AS_STRING(secret), len(secret))
    hmac_begin(&state, &key)
    sha256_update(&state, <const uint8_t *> PyBytes_AS_STRING(data), len(data))
    hmac_final(&state, &key, mac)
    wipe(&key, sizeof(key))
    return (<char *> mac)[:32]


cdef struct Job:  # one frame of a batch; all pointers are into objects that the Batch holds
    const uint8_t *data
    Py_ssize_t size
    const char *terminal
    Py_ssize_t terminal_bytes
    const hmac_key_t *key
    FrameRow frame


cdef inline void refuse(Job *job, Reason reason, uint32_t offset) noexcept nogil:
    job.frame.reason = reason
    job.frame.reason_at = offset


cdef inline void open_envelope(Job *job) noexcept nogil:
    """Size, structure, version: in this order (FR-14). What it costs does not grow with the payload."""
    cdef Reader r
    if job.size > bounds.FRAME_BYTES_MAX:
        refuse(job, OVERSIZE, bounds.FRAME_BYTES_MAX)
        return
    r = reader_over(job.data, 0, <uint32_t> job.size, TRUNCATED)
    read_envelope(&r, &job.frame)
    if r.reason == OK:
        r = reader_over(job.data, job.frame.payload_at, job.frame.payload_end, ENDS_EARLY)
        read_array(&r, 1, <uint32_t> bounds.UINT32_MAX)
        if read_uint(&r, bounds.UINT64_MAX) != bounds.VERSION:
            fail(&r, VERSION_UNKNOWN)
    refuse(job, r.reason, r.reason_at)


cdef inline void open_content(Job *job, Rows *rows) noexcept nogil:
    """Tag, then content; a frame that is refused leaves no row behind."""
    cdef size_t records = rows.record_count, slots = rows.slot_count, integers = rows.integer_count
    cdef Reader r
    if not tag_is_good(job.data, &job.frame, job.key, job.terminal, <size_t> job.terminal_bytes):
        refuse(job, MAC, job.frame.tag_at)
        return
    r = reader_over(job.data, job.frame.payload_at, job.frame.payload_end, ENDS_EARLY)
    read_content(&r, &job.frame, rows)
    refuse(job, r.reason, r.reason_at)
    if r.reason != OK:
        rows.record_count = records
        rows.slot_count = slots
        rows.integer_count = integers


cdef class Batch:
    """The frames of one call: holds the objects that the jobs point into, and the rows."""

    cdef Job *jobs
    cdef Py_ssize_t count
    cdef Rows rows
    cdef tuple frames
    cdef tuple terminals
    cdef list keys

    def __cinit__(self, frames, terminals):
        cdef Py_ssize_t i
        self.frames = tuple(frames)
        self.terminals = tuple(terminals)
        self.keys = []
        self.count = len(self.frames)
        if len(self.terminals) != self.count:
            raise ValueError("as many terminals as frames")
        self.jobs = <Job *> calloc(<size_t> self.count + 1, sizeof(Job))
        if self.jobs == NULL:
            raise MemoryError
        for i in range(self.count):
            self.point_at(&self.jobs[i], self.frames[i], self.terminals[i])

    def __dealloc__(self):
        free(self.jobs)
        free_rows(&self.rows)

    cdef int point_at(self, Job *job, bytes data, str terminal) except -1:
        if data is None or terminal is None:
            raise TypeError("a frame is bytes, a terminal str")
        job.data = <const uint8_t *> PyBytes_AS_STRING(data)
        job.size = PyBytes_GET_SIZE(data)
        job.terminal = PyUnicode_AsUTF8AndSize(terminal, &job.terminal_bytes)
        return 0

    cdef int look_up(self, keys) except -1:
        """The key of each frame whose envelope is good."""
        cdef KeyState key
        cdef Job *job
        cdef Py_ssize_t i
        if len(keys) != self.count:
            raise ValueError("as many keyrings as frames")
        for i in range(self.count):
            job = &self.jobs[i]
            if job.frame.reason != OK:
                continue
            key = keys[i].get(job.frame.generation)
            if key is None:
                refuse(job, KID, job.frame.kid_at)
                continue
            self.keys.append(key)
            job.key = &key.state
        return 0

    cdef object result(self, Py_ssize_t i):
        cdef const FrameRow *frame = &self.jobs[i].frame
        cdef size_t n
        if frame.reason != OK:
            return Refusal(REASON_NAMES[<int> frame.reason], frame.reason_at)
        records = [self.record(&self.rows.records[n], self.frames[i]) for n in range(frame.first, frame.first + frame.count)]
        return Frame(frame.generation, frame.epoch, frame.boot, frame.sent_ms, records)

    cdef object record(self, const RecordRow *r, bytes data):
        raw = data[r.begin : r.end]
        return Record(r.seq, r.kind, self.window(r) if r.kind == bounds.WINDOW else self.event(r), raw)

    cdef object window(self, const RecordRow *r):
        cdef size_t n
        readings = [slot_object(&self.rows.slots[n]) for n in range(r.first, r.first + r.count)]
        start_s = r.time_s if r.has_time else None
        return Window(
            start_s, r.length_s, r.boot, r.uptime_s, r.clock_source, r.clock_error_s, r.samples_due, readings
        )

    cdef object event(self, const RecordRow *r):
        cdef size_t n
        values = [self.rows.integers[n] for n in range(r.first, r.first + r.count)]
        time_s = r.time_s if r.has_time else None
        point = r.point if r.has_point else None
        return Event(time_s, r.boot, r.uptime_s, r.clock_source, r.clock_error_s, r.code, point, values)


cdef object slot_object(const SlotRow *slot):
    cdef int which
    if slot.kind == SLOT_NO_POINT:
        return None
    if slot.kind == SLOT_NONE:
        return slot.value[0]
    values = [slot.value[which] if has(slot, <Value> which) else None for which in range(<int> VALUES)]
    return tuple.__new__(Reading, values)  # as Reading(*values), without a call in Python


def decode_batch(frames, terminals, keys):
    """Authenticate and decode frames that go up: one Frame or Refusal for each, in order.

    frames[i] is claimed by terminals[i], whose keys are keys[i] (generation: KeyState). A bad frame costs its neighbours
    nothing. Releases the GIL while it works. Raises TypeError and ValueError for wrong arguments, never for wrong bytes.
    """
    cdef Batch batch = Batch(frames, terminals)
    cdef Py_ssize_t i
    with nogil:
        for i in range(batch.count):
            open_envelope(&batch.jobs[i])
    batch.look_up(keys)
    with nogil:
        for i in range(batch.count):
            if batch.jobs[i].frame.reason == OK:
                open_content(&batch.jobs[i], &batch.rows)
    if batch.rows.out_of_memory:
        raise MemoryError
    return [batch.result(i) for i in range(batch.count)]
