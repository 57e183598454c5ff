"""The rows of a batch as tuples, equal to those of protocol/frame.py and protocol/record.py: one Python object a value."""


cdef object frame_object(Storage storage, size_t i, bytes data):
    cdef const FrameRow *frame = &storage.frames[i]
    cdef size_t n
    if frame.reason != OK:
        return Refusal(REASON_NAMES[frame.reason], frame.offset)
    records = [
        record_object(storage, &storage.rows.records[n], data)
        for n in range(frame.first_record, frame.first_record + frame.record_count)
    ]
    return Frame(frame.generation, frame.epoch, frame.boot_id, frame.sent_ms, records)


cdef object record_object(Storage storage, const RecordRow *r, bytes data):
    body = window_object(storage, r) if r.type == WINDOW else event_object(storage, r)
    return Record(r.seq, r.type, body, data[r.begin : r.end])


cdef object window_object(Storage storage, const RecordRow *r):
    cdef size_t n
    readings = [slot_object(&storage.rows.slots[n]) for n in range(r.first, r.first + r.count)]
    start_s = r.time_s if r.has_time else None
    return Window(
        start_s, r.length_s, r.boot, r.uptime_s, r.clock_source, r.clock_error_s, r.samples_due, readings
    )


cdef object event_object(Storage storage, const RecordRow *r):
    cdef size_t n
    values = [storage.rows.integers[n] for n in range(r.first, r.first + r.count)]
    time_s = r.time_s if r.has_time else None
    point = r.point if r.point else None
    return Event(time_s, r.boot, r.uptime_s, r.clock_source, r.clock_error_s, r.code, point, values)


cdef object slot_object(const SlotRow *slot):
    cdef int which
    if slot.kind == SLOT_NO_POINT:
        return None
    if slot.kind == SLOT_NONE:
        return slot.none_reason
    values = [slot.value[which] if has(slot.present, <Value> which) else None for which in range(<int> VALUES)]
    return tuple.__new__(Reading, values)  # as Reading(*values), without a call in Python
