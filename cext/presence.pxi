"""Which points of a window have a reading, as bits: for the gauges of what is missing, which look at every record."""


def window_points(columns):
    """(has a reading, has none because) of each record, point 1 being the lowest bit; (0, 0) of an event."""
    cdef const uint8_t[::1] record_rows = columns.records.rows, slot_rows = columns.slots.rows
    cdef const RecordRow *records = <const RecordRow *> &record_rows[0] if record_rows.shape[0] else NULL
    cdef const SlotRow *slots = <const SlotRow *> &slot_rows[0] if slot_rows.shape[0] else NULL
    cdef size_t count = <size_t> record_rows.shape[0] // sizeof(RecordRow), i
    cdef uint32_t j, readings, silent
    cdef uint8_t kind
    cdef list found = []
    for i in range(count):
        readings = silent = 0
        for j in range(records[i].count if records[i].type == WINDOW else 0):
            kind = slots[records[i].first + j].kind
            readings |= <uint32_t> (kind == SLOT_READING) << j
            silent |= <uint32_t> (kind == SLOT_NONE) << j
        found.append((readings, silent))
    return found
