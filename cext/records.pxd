"""Records into rows (SPEC.md, section 4), as protocol/record.py reads them. Nesting is given by the calls: no recursion."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cext cimport bounds
from cext.reader cimport *
from cext.rows cimport *

cdef enum:
    ITEMS_MIN = 17
    ITEMS_MAX = 20


cdef inline void put(SlotRow *slot, Value which, int64_t value) noexcept nogil:
    slot.value[<int> which] = value
    slot.present |= <uint32_t> 1 << <int> which


cdef inline bint has(const SlotRow *slot, Value which) noexcept nogil:
    return slot.present >> <int> which & 1


cdef inline void take_integer(Reader *r, SlotRow *slot, Value which, int64_t minimum, int64_t maximum) noexcept nogil:
    if not read_null(r):
        put(slot, which, read_integer(r, minimum, maximum))


cdef inline void take_uint(Reader *r, SlotRow *slot, Value which, uint64_t maximum) noexcept nogil:
    if not read_null(r):
        put(slot, which, <int64_t> read_uint(r, maximum))


cdef inline void take_difference(
    Reader *r, SlotRow *slot, Value which, bint has_base, int64_t base, int64_t sign, int64_t minimum, int64_t maximum
) noexcept nogil:
    """base + sign * the next integer, within bounds; null if absent, and always where the base is."""
    cdef int64_t value
    if read_null(r):
        return
    value = read_integer(r, -<int64_t> bounds.UINT32_MAX, <int64_t> bounds.UINT32_MAX)
    if not has_base:
        fail(r, TYPE)
        return
    value = base + sign * value
    if value < minimum or value > maximum:
        fail(r, RANGE)
        return
    put(slot, which, value)


cdef inline int64_t read_run(Reader *r, int64_t length_s) noexcept nogil:
    cdef uint8_t first = peek(r)
    cdef int64_t run_s
    if r.reason == OK and (first == BYTE_FALSE or first == BYTE_TRUE):
        r.at += 1
        return length_s if first == BYTE_TRUE else 0
    run_s = <int64_t> read_uint(r, <uint64_t> length_s)
    if run_s == 0 or run_s == length_s:
        fail(r, NOT_CANONICAL)
    return run_s


cdef inline void read_tail(Reader *r, SlotRow *slot, uint32_t items, uint16_t due) noexcept nogil:
    """Flags, missed, q_mean_var; the item that ends the tail must say something (FR-30)."""
    cdef int64_t power = bounds.POWER_W_MAX
    put(slot, FLAGS, <int64_t> read_uint(r, bounds.FLAGS_MAX) if items > 0 else 0)
    put(slot, MISSED, <int64_t> read_uint(r, due) if items > 1 else 0)
    if items > 2:
        put(slot, Q_MEAN_VAR, read_integer(r, -power, power))
    if items == 1 and slot.value[<int> FLAGS] == 0 or items == 2 and slot.value[<int> MISSED] == 0:
        fail(r, NOT_CANONICAL)


cdef inline void read_reading(
    Reader *r, SlotRow *slot, uint32_t items, const RecordRow *record, bint has_u_ref, int64_t u_ref
) noexcept nogil:
    cdef int64_t length_s = record.length_s, power = bounds.POWER_W_MAX, current = bounds.CURRENT_MA_MAX
    cdef int64_t first_s = <int64_t> read_uint(r, <uint64_t> length_s), mean = 0, ia = 0
    cdef int which
    put(slot, FIRST_S, first_s)
    put(slot, LAST_S, <int64_t> read_uint(r, <uint64_t> (length_s - first_s)))
    put(slot, RUN_S, read_run(r, length_s))
    take_integer(r, slot, P_MEAN_W, -power, power)
    mean = slot.value[<int> P_MEAN_W]
    take_difference(r, slot, P_MIN_W, has(slot, P_MEAN_W), mean, -1, -power, mean)
    take_difference(r, slot, P_MAX_W, has(slot, P_MEAN_W), mean, 1, mean, power)
    for which in range(<int> E_IMPORT_WH, <int> R_EXPORT_VARH + 1):
        take_uint(r, slot, <Value> which, bounds.UINT53_MAX)
    for which in range(<int> UA_DV, <int> UC_DV + 1):
        take_difference(r, slot, <Value> which, has_u_ref, u_ref, 1, 0, bounds.VOLTAGE_DV_MAX)
    take_integer(r, slot, IA_MA, -current, current)
    ia = slot.value[<int> IA_MA]
    take_difference(r, slot, IB_MA, has(slot, IA_MA), ia, 1, -current, current)
    take_difference(r, slot, IC_MA, has(slot, IA_MA), ia, 1, -current, current)
    take_difference(r, slot, PF_MILLI, True, bounds.PF_MILLI_MAX, -1, -bounds.PF_MILLI_MAX, bounds.PF_MILLI_MAX)
    read_tail(r, slot, items - ITEMS_MIN, record.samples_due)


cdef inline void read_slot(
    Reader *r, SlotRow *slot, const RecordRow *record, bint has_u_ref, int64_t u_ref
) noexcept nogil:
    cdef int64_t reason
    cdef uint32_t items
    slot.present = 0
    slot.kind = SLOT_NO_POINT
    slot.value[<int> P_MEAN_W] = slot.value[<int> IA_MA] = 0  # looked at also where absent
    if read_null(r):
        return
    if peek(r) >> 5 != MAJOR_ARRAY:
        slot.kind = SLOT_NONE
        reason = <int64_t> read_uint(r, bounds.NONE_REASON_MAX)
        if reason == 0:
            fail(r, RANGE)
        slot.value[0] = reason
        return
    slot.kind = SLOT_READING
    items = read_array(r, ITEMS_MIN, ITEMS_MAX)
    if r.reason == OK:
        read_reading(r, slot, items, record, has_u_ref, u_ref)


cdef inline const SlotRow *first_voltage(const Rows *rows, const RecordRow *record, Value *which) noexcept nogil:
    """The slot and phase of the record's first voltage, in the order of points and phases; NULL: there is none."""
    cdef size_t i
    cdef int phase
    for i in range(record.first, record.first + record.count):
        for phase in range(<int> UA_DV, <int> UC_DV + 1):
            if rows.slots[i].kind == SLOT_READING and has(&rows.slots[i], <Value> phase):
                which[0] = <Value> phase
                return &rows.slots[i]
    return NULL


cdef inline void read_window(Reader *r, RecordRow *record, Rows *rows) noexcept nogil:
    cdef uint32_t u_ref_at, slots, i
    cdef bint has_u_ref
    cdef int64_t u_ref = 0
    cdef SlotRow *slot
    cdef const SlotRow *found
    cdef Value phase = UA_DV
    read_array(r, 9, 9)
    record.has_time = not read_null(r)
    record.time_s = <uint32_t> read_uint(r, bounds.UINT32_MAX) if record.has_time else 0
    record.length_s = <uint16_t> read_uint(r, bounds.WINDOW_S)
    if record.length_s == 0:
        fail(r, RANGE)
    record.boot = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    record.uptime_s = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    record.clock_source = <uint8_t> read_uint(r, bounds.CLOCK_SOURCE_MAX)
    record.clock_error_s = <uint16_t> read_uint(r, bounds.CLOCK_ERROR_S_MAX)
    record.samples_due = <uint16_t> read_uint(r, bounds.SAMPLES_DUE_MAX)
    has_u_ref = not read_null(r)
    if has_u_ref:
        u_ref = <int64_t> read_uint(r, bounds.VOLTAGE_DV_MAX)
    u_ref_at = r.item_at
    slots = read_array(r, 0, bounds.POINTS_MAX)
    record.first = rows.slot_count
    record.count = 0
    for i in range(slots):
        slot = add_slot(rows)
        if slot == NULL:
            return
        read_slot(r, slot, record, has_u_ref, u_ref)
        if r.reason != OK:
            return
        record.count += 1
    found = first_voltage(rows, record, &phase)
    if has_u_ref != (found != NULL) or (found != NULL and found.value[<int> phase] != u_ref):
        fail_at(r, NOT_CANONICAL, u_ref_at)


cdef inline void read_event(Reader *r, RecordRow *record, Rows *rows) noexcept nogil:
    cdef int64_t bound = <int64_t> bounds.UINT53_MAX
    cdef uint32_t count, i
    read_array(r, 8, 8)
    record.has_time = not read_null(r)
    record.time_s = <uint32_t> read_uint(r, bounds.UINT32_MAX) if record.has_time else 0
    record.boot = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    record.uptime_s = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    record.clock_source = <uint8_t> read_uint(r, bounds.CLOCK_SOURCE_MAX)
    record.clock_error_s = <uint16_t> read_uint(r, bounds.CLOCK_ERROR_S_MAX)
    record.code = <uint16_t> read_uint(r, bounds.EVENT_CODE_MAX)
    record.has_point = not read_null(r)
    record.point = <uint8_t> read_uint(r, bounds.POINTS_MAX) if record.has_point else 0
    if record.has_point and record.point == 0:
        fail(r, RANGE)
    count = read_array(r, 0, bounds.EVENT_INTS_MAX)
    record.first = rows.integer_count
    record.count = count
    for i in range(count):
        add_integer(rows, read_integer(r, -bound, bound))


cdef inline void read_record(Reader *r, Rows *rows) noexcept nogil:
    """The next record as a new row."""
    cdef RecordRow *record = add_record(rows)
    if record == NULL:
        return
    record.begin = r.at
    read_array(r, 3, 3)
    record.seq = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    record.kind = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    if record.kind == bounds.WINDOW:
        read_window(r, record, rows)
    elif record.kind == bounds.EVENT:
        read_event(r, record, rows)
    else:
        fail(r, RECORD_TYPE)
    record.end = r.at


cdef inline void read_content(Reader *r, FrameRow *frame, Rows *rows) noexcept nogil:
    """The payload, authenticated already."""
    cdef uint32_t count, i
    read_array(r, 5, 5)
    read_uint(r, bounds.VERSION)
    frame.epoch = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    frame.boot = <uint32_t> read_uint(r, bounds.UINT32_MAX)
    frame.sent_ms = read_uint(r, bounds.UINT53_MAX)
    count = read_array(r, 1, bounds.RECORDS_MAX)
    frame.first = rows.record_count
    frame.count = count
    for i in range(count):
        if r.reason != OK or rows.out_of_memory:
            return
        read_record(r, rows)
    read_done(r)
