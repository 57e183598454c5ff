# cython: boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Windows and readings of a batch, as columns, into rows of PostgreSQL's binary COPY, without a Python object a reading.

pgcopy.pyi is the contract; the columns are those of gateway/forward/postgres/schema/0001.sql.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from cpython.bytes cimport PyBytes_FromStringAndSize

include "bounds.pxi"
include "rows.pxi"

cdef enum:
    FIELDS = 25
    ROW_BYTES_MAX = 2 + 25 * 12  # a field is 4 bytes of length and at most 8 of value
    WINDOW_FIELDS = 12
    WINDOW_BYTES_MAX = 2 + 12 * 12  # besides its marks
    EPOCH_2000_S = 946684800  # PostgreSQL counts microseconds from here


cdef inline char *put16(char *out, int64_t value) noexcept nogil:
    out[0], out[1] = <char> (value >> 8 & 255), <char> (value & 255)
    return out + 2


cdef inline char *put32(char *out, int64_t value) noexcept nogil:
    return put16(put16(out, value >> 16), value)


cdef inline char *field16(char *out, int64_t value) noexcept nogil:
    return put16(put32(out, 2), value)


cdef inline char *field32(char *out, int64_t value) noexcept nogil:
    return put32(put32(out, 4), value)


cdef inline char *field64(char *out, int64_t value) noexcept nogil:
    return put32(put32(put32(out, 8), value >> 32), value)


cdef inline char *quantity(char *out, const SlotRow *slot, Value which, int bytes_wide) noexcept nogil:
    """A value, or null."""
    cdef int64_t value = slot.value[<int> which]
    if slot.kind != SLOT_READING or not slot.present >> <int> which & 1:
        return put32(out, -1)
    return field16(out, value) if bytes_wide == 2 else field32(out, value) if bytes_wide == 4 else field64(out, value)


cdef inline char *put_row(char *out, const SlotRow *slot, int64_t start_us, int64_t log, int64_t seq) noexcept nogil:
    cdef int which
    out = put16(out, FIELDS)
    out = field64(out, start_us)
    out = field32(out, log)
    out = field64(out, seq)
    out = field16(out, slot.point)
    out = field16(out, slot.none_reason) if slot.kind == SLOT_NONE else put32(out, -1)
    for which in range(<int> FIRST_S, <int> RUN_S + 1):
        out = quantity(out, slot, <Value> which, 2)
    for which in range(<int> P_MEAN_W, <int> P_MAX_W + 1):
        out = quantity(out, slot, <Value> which, 4)
    for which in range(<int> E_IMPORT_WH, <int> R_EXPORT_VARH + 1):
        out = quantity(out, slot, <Value> which, 8)
    for which in range(<int> UA_DV, <int> IC_MA + 1):
        out = quantity(out, slot, <Value> which, 4)
    out = quantity(out, slot, PF_MILLI, 2)
    out = quantity(out, slot, FLAGS, 4)
    out = quantity(out, slot, MISSED, 2)
    return quantity(out, slot, Q_MEAN_VAR, 4)


cdef inline const RecordRow *window_at(const uint8_t[::1] records, int64_t row) except NULL:
    """The window that is this row."""
    cdef const RecordRow *found
    if row < 0 or row >= records.shape[0] // <Py_ssize_t> sizeof(RecordRow):
        raise IndexError("no such record")
    found = &(<const RecordRow *> &records[0])[row]
    if found.type != WINDOW:
        raise IndexError("an event")
    return found


cdef inline char *put_window(
    char *out, const RecordRow *record, int64_t start_us, int64_t log, int64_t received_us, bytes marks
):
    out = put16(out, WINDOW_FIELDS)
    out = field64(out, start_us)
    out = field32(out, log)
    out = field64(out, record.seq)
    out = field16(out, record.length_s)
    out = field64(out, received_us)
    out = field64(out, record.boot)
    out = field64(out, record.uptime_s)
    out = field16(out, record.samples_due)
    out = field16(out, record.clock_source)
    out = field32(out, record.clock_error_s)
    out = put32(out, 1)
    out[0] = not record.has_time
    out = put32(out + 1, len(marks))
    memcpy(out, <const char *> marks, <size_t> len(marks))
    return out + len(marks)


def window_rows(
    const uint8_t[::1] records not None, const int64_t[::1] rows not None, const int64_t[::1] starts not None,
    const int64_t[::1] logs not None, const int64_t[::1] received_ms not None, list marks not None,
):
    """The rows of these windows; received_ms by frame, marks by window."""
    cdef Py_ssize_t i, size = 1
    cdef const RecordRow *record
    cdef char *buffer
    cdef char *out
    cdef bytes text
    if not starts.shape[0] == logs.shape[0] == rows.shape[0] == len(marks):
        raise ValueError("as many starts, logs and marks as rows")
    for text in marks:
        size += WINDOW_BYTES_MAX + len(text)
    buffer = <char *> malloc(<size_t> size)
    if buffer == NULL:
        raise MemoryError
    try:
        out = buffer
        for i in range(rows.shape[0]):
            record = window_at(records, rows[i])
            if record.frame >= <size_t> received_ms.shape[0]:
                raise IndexError("no such frame")
            out = put_window(
                out, record, (starts[i] - EPOCH_2000_S) * 1000000, logs[i],
                received_ms[record.frame] * 1000 - <int64_t> EPOCH_2000_S * 1000000, marks[i],
            )
        return PyBytes_FromStringAndSize(buffer, out - buffer)
    finally:
        free(buffer)


def reading_rows(
    const uint8_t[::1] records not None, const uint8_t[::1] slots not None, const int64_t[::1] rows not None,
    const int64_t[::1] starts not None, const int64_t[::1] logs not None,
):
    """The rows of all points of these windows: rows[i] is a window's row in records, which starts at starts[i] (Unix s), of
    log logs[i].
    """
    cdef const RecordRow *all_records = <const RecordRow *> &records[0] if records.shape[0] else NULL
    cdef const SlotRow *all_slots = <const SlotRow *> &slots[0] if slots.shape[0] else NULL
    cdef const RecordRow *record
    cdef size_t most = 0
    cdef size_t slot_count = <size_t> slots.shape[0] // sizeof(SlotRow)
    cdef Py_ssize_t i
    cdef uint32_t n
    cdef char *buffer
    cdef char *out
    if starts.shape[0] != rows.shape[0] or logs.shape[0] != rows.shape[0]:
        raise ValueError("as many starts and logs as rows")
    for i in range(rows.shape[0]):
        record = window_at(records, rows[i])
        if <size_t> record.first + record.count > slot_count:
            raise IndexError("slots of another batch")
        most += record.count
    buffer = <char *> malloc(most * ROW_BYTES_MAX + 1)
    if buffer == NULL:
        raise MemoryError
    try:
        with nogil:
            out = buffer
            for i in range(rows.shape[0]):
                record = &all_records[rows[i]]
                for n in range(record.first, record.first + record.count):
                    if all_slots[n].kind != SLOT_NO_POINT:
                        out = put_row(out, &all_slots[n], (starts[i] - EPOCH_2000_S) * 1000000, logs[i], record.seq)
        return PyBytes_FromStringAndSize(buffer, <Py_ssize_t> (out - buffer))
    finally:
        free(buffer)
