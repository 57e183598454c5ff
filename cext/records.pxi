"""Records into rows (SPEC.md, section 4), as protocol/record.py reads them. Nesting is given by the calls: no recursion."""

cdef enum:
    ITEMS_MIN = 17
    ITEMS_MAX = 20


cdef inline bint put(SlotRow *slot, uint32_t *present, Value which, int64_t value) noexcept nogil:
    slot.value[<int> which] = value
    present[0] |= <uint32_t> 1 << <int> which
    return True


cdef inline bint has(uint32_t present, Value which) noexcept nogil:
    return present >> <int> which & 1


cdef inline bint left_out(Reader *r, SlotRow *slot, Value which) noexcept nogil:
    """True if null stands there: the value is absent, and 0."""
    if not skip_null(r):
        return False
    slot.value[<int> which] = 0
    return True


cdef inline bint take_integer(
    Reader *r, SlotRow *slot, uint32_t *present, Value which, int64_t minimum, int64_t maximum
) noexcept nogil:
    if left_out(r, slot, which):
        return True
    return read_integer(r, minimum, maximum) and put(slot, present, which, r.integer)


cdef inline bint take_energy(Reader *r, SlotRow *slot, uint32_t *present, Value which) noexcept nogil:
    if left_out(r, slot, which):
        return True
    return read_uint(r, UINT53_MAX) and put(slot, present, which, <int64_t> r.value)


cdef struct Base:  # what a difference is measured from
    bint there
    int64_t value


cdef inline bint take_difference(
    Reader *r, SlotRow *slot, uint32_t *present, Value which, Base base, int64_t sign, int64_t minimum, int64_t maximum
) noexcept nogil:
    """base + sign * the next integer, within bounds; null if absent, and always where the base is."""
    cdef int64_t value
    if left_out(r, slot, which):
        return True
    if rare(not read_integer(r, -<int64_t> UINT32_MAX, <int64_t> UINT32_MAX)):
        return False
    if rare(not base.there):
        return fail(r, TYPE)
    value = base.value + sign * r.integer
    if rare(value < minimum or value > maximum):
        return fail(r, RANGE)
    return put(slot, present, which, value)


cdef inline bint read_times(Reader *r, SlotRow *slot, uint32_t *present, uint16_t length_s) noexcept nogil:
    """First and last sample, and how long it ran."""
    if not read_uint(r, length_s):
        return False
    put(slot, present, FIRST_S, <int64_t> r.value)
    if not read_uint(r, length_s - r.value):
        return False
    put(slot, present, LAST_S, <int64_t> r.value)
    if next_is(r, BYTE_TRUE) or next_is(r, BYTE_FALSE):
        r.at += 1
        return put(slot, present, RUN_S, length_s if r.data[r.at - 1] == BYTE_TRUE else 0)
    if not read_uint(r, length_s):
        return False
    if r.value == 0 or r.value == length_s:
        return fail(r, NOT_CANONICAL)
    return put(slot, present, RUN_S, <int64_t> r.value)


cdef inline bint read_power(Reader *r, SlotRow *slot, uint32_t *present) noexcept nogil:
    cdef Base mean
    if not take_integer(r, slot, present, P_MEAN_W, -POWER_W_MAX, POWER_W_MAX):
        return False
    mean.there, mean.value = has(present[0], P_MEAN_W), slot.value[<int> P_MEAN_W]
    return (
        take_difference(r, slot, present, P_MIN_W, mean, -1, -POWER_W_MAX, mean.value)
        and take_difference(r, slot, present, P_MAX_W, mean, 1, mean.value, POWER_W_MAX)
    )


cdef inline bint read_energies(Reader *r, SlotRow *slot, uint32_t *present) noexcept nogil:
    return (
        take_energy(r, slot, present, E_IMPORT_WH) and take_energy(r, slot, present, E_EXPORT_WH)
        and take_energy(r, slot, present, R_IMPORT_VARH) and take_energy(r, slot, present, R_EXPORT_VARH)
    )


cdef inline bint read_voltages(Reader *r, SlotRow *slot, uint32_t *present, Base u_ref) noexcept nogil:
    return (
        take_difference(r, slot, present, UA_DV, u_ref, 1, 0, VOLTAGE_DV_MAX)
        and take_difference(r, slot, present, UB_DV, u_ref, 1, 0, VOLTAGE_DV_MAX)
        and take_difference(r, slot, present, UC_DV, u_ref, 1, 0, VOLTAGE_DV_MAX)
    )


cdef inline bint read_currents(Reader *r, SlotRow *slot, uint32_t *present) noexcept nogil:
    cdef Base ia
    if not take_integer(r, slot, present, IA_MA, -CURRENT_MA_MAX, CURRENT_MA_MAX):
        return False
    ia.there, ia.value = has(present[0], IA_MA), slot.value[<int> IA_MA]
    return (
        take_difference(r, slot, present, IB_MA, ia, 1, -CURRENT_MA_MAX, CURRENT_MA_MAX)
        and take_difference(r, slot, present, IC_MA, ia, 1, -CURRENT_MA_MAX, CURRENT_MA_MAX)
    )


cdef inline bint read_tail(Reader *r, SlotRow *slot, uint32_t *present, uint32_t items, uint16_t due) noexcept nogil:
    """Flags, missed, q_mean_var; the item that ends the tail must say something (FR-30)."""
    put(slot, present, FLAGS, 0)
    put(slot, present, MISSED, 0)
    slot.value[<int> Q_MEAN_VAR] = 0
    if items == 0:
        return True
    if not read_uint(r, FLAGS_MAX):
        return False
    slot.value[<int> FLAGS] = <int64_t> r.value
    if items > 1:
        if not read_uint(r, due):
            return False
        slot.value[<int> MISSED] = <int64_t> r.value
    if items > 2:
        return read_integer(r, -POWER_W_MAX, POWER_W_MAX) and put(slot, present, Q_MEAN_VAR, r.integer)
    return r.value != 0 or fail(r, NOT_CANONICAL)


cdef inline bint read_reading(Reader *r, SlotRow *slot, const RecordRow *record, Base u_ref) noexcept nogil:
    cdef uint32_t present = 0, items
    cdef Base one
    one.there, one.value = True, PF_MILLI_MAX
    if not read_array(r, ITEMS_MIN, ITEMS_MAX):
        return False
    items = <uint32_t> r.value
    if not (
        read_times(r, slot, &present, record.length_s)
        and read_power(r, slot, &present)
        and read_energies(r, slot, &present)
        and read_voltages(r, slot, &present, u_ref)
        and read_currents(r, slot, &present)
        and take_difference(r, slot, &present, PF_MILLI, one, -1, -PF_MILLI_MAX, PF_MILLI_MAX)
        and read_tail(r, slot, &present, items - ITEMS_MIN, record.samples_due)
    ):
        return False
    slot.kind = SLOT_READING
    slot.none_reason = 0
    slot.present = present
    return True


cdef inline bint read_slot(Reader *r, SlotRow *slot, const RecordRow *record, Base u_ref) noexcept nogil:
    if r.at < r.end and r.data[r.at] >> 5 == MAJOR_ARRAY:
        return read_reading(r, slot, record, u_ref)
    memset(slot, 0, sizeof(SlotRow))
    if skip_null(r):
        return True
    if not read_uint(r, NONE_REASON_MAX):
        return False
    slot.kind = SLOT_NONE
    slot.none_reason = <uint8_t> r.value
    return r.value != 0 or fail(r, RANGE)


cdef inline Base first_voltage(const SlotRow *slots, uint32_t count) noexcept nogil:
    """The record's first voltage, in the order of points and phases."""
    cdef Base found
    cdef uint32_t i
    cdef int phase
    found.there, found.value = False, 0
    for i in range(count):
        for phase in range(<int> UA_DV, <int> UC_DV + 1):
            if has(slots[i].present, <Value> phase):
                found.there, found.value = True, slots[i].value[phase]
                return found
    return found


cdef inline bint read_slots(Reader *r, RecordRow *record, Rows *rows, Base u_ref, uint32_t u_ref_at) noexcept nogil:
    cdef uint32_t count, i
    cdef SlotRow *slots
    cdef Base first
    if not read_array(r, 0, POINTS_MAX):
        return False
    count = <uint32_t> r.value
    slots = add_slots(rows, count)
    if slots == NULL:
        return False
    record.first = <uint32_t> (rows.slot_count - count)
    record.count = <uint8_t> count
    for i in range(count):
        if not read_slot(r, &slots[i], record, u_ref):
            return False
        slots[i].record = <uint32_t> (rows.record_count - 1)
        slots[i].point = <uint8_t> (i + 1)
        memset(slots[i].reserved, 0, sizeof(slots[i].reserved))
    first = first_voltage(slots, count)
    if u_ref.there != first.there or u_ref.value != first.value:
        return fail_at(r, NOT_CANONICAL, u_ref_at)
    return True


cdef inline bint read_time(Reader *r, RecordRow *record) noexcept nogil:
    """Unix seconds, or null."""
    if skip_null(r):
        return True
    record.has_time = True
    if not read_uint(r, UINT32_MAX):
        return False
    record.time_s = <uint32_t> r.value
    return True


cdef inline bint read_clock(Reader *r, RecordRow *record) noexcept nogil:
    """Boot, uptime, clock source, clock error: as in windows, so in events."""
    if not read_uint(r, UINT32_MAX):
        return False
    record.boot = <uint32_t> r.value
    if not read_uint(r, UINT32_MAX):
        return False
    record.uptime_s = <uint32_t> r.value
    if not read_uint(r, CLOCK_SOURCE_MAX):
        return False
    record.clock_source = <uint8_t> r.value
    if not read_uint(r, CLOCK_ERROR_S_MAX):
        return False
    record.clock_error_s = <uint16_t> r.value
    return True


cdef inline bint read_window(Reader *r, RecordRow *record, Rows *rows) noexcept nogil:
    cdef Base u_ref
    u_ref.there, u_ref.value = False, 0
    if not (read_array(r, 9, 9) and read_time(r, record) and read_uint(r, WINDOW_S)):
        return False
    if r.value == 0:
        return fail(r, RANGE)
    record.length_s = <uint16_t> r.value
    if not (read_clock(r, record) and read_uint(r, SAMPLES_DUE_MAX)):
        return False
    record.samples_due = <uint16_t> r.value
    if not skip_null(r):
        if not read_uint(r, VOLTAGE_DV_MAX):
            return False
        u_ref.there, u_ref.value = True, <int64_t> r.value
    return read_slots(r, record, rows, u_ref, r.item_at)


cdef inline bint read_integers(Reader *r, RecordRow *record, Rows *rows) noexcept nogil:
    cdef uint32_t count, i
    cdef int64_t *integers
    if not read_array(r, 0, EVENT_INTS_MAX):
        return False
    count = <uint32_t> r.value
    integers = add_integers(rows, count)
    if integers == NULL:
        return False
    record.first = <uint32_t> (rows.integer_count - count)
    record.count = <uint8_t> count
    for i in range(count):
        if not read_integer(r, -<int64_t> UINT53_MAX, <int64_t> UINT53_MAX):
            return False
        integers[i] = r.integer
    return True


cdef inline bint read_event(Reader *r, RecordRow *record, Rows *rows) noexcept nogil:
    if not (read_array(r, 8, 8) and read_time(r, record) and read_clock(r, record) and read_uint(r, EVENT_CODE_MAX)):
        return False
    record.code = <uint8_t> r.value
    if not skip_null(r):
        if not read_uint(r, POINTS_MAX):
            return False
        if r.value == 0:
            return fail(r, RANGE)
        record.point = <uint8_t> r.value
    return read_integers(r, record, rows)


cdef inline bint read_body(Reader *r, RecordRow *record, Rows *rows) noexcept nogil:
    if r.value == WINDOW:
        record.type = WINDOW
        return read_window(r, record, rows)
    if r.value == EVENT:
        record.type = EVENT
        return read_event(r, record, rows)
    return fail(r, RECORD_TYPE)


cdef inline bint read_record(Reader *r, Rows *rows, uint32_t frame) noexcept nogil:
    """The next record as a new row."""
    cdef RecordRow *record = add_record(rows)
    if record == NULL:
        return False
    record.frame = frame
    record.begin = r.at
    if not (read_array(r, 3, 3) and read_uint(r, UINT32_MAX)):
        return False
    record.seq = <uint32_t> r.value
    if not (read_uint(r, UINT32_MAX) and read_body(r, record, rows)):
        return False
    record.end = r.at
    return True


cdef inline bint read_version(Reader *r) noexcept nogil:
    """An array that begins with this version, whatever follows (FR-15)."""
    if not (read_array(r, 1, <uint32_t> UINT32_MAX) and read_uint(r, UINT64_MAX)):
        return False
    return r.value == VERSION or fail(r, VERSION_UNKNOWN)


cdef inline bint read_sending(Reader *r, FrameRow *frame) noexcept nogil:
    """Epoch, boot_id, sent_ms."""
    if not read_uint(r, UINT32_MAX):
        return False
    frame.epoch = <uint32_t> r.value
    if not read_uint(r, UINT32_MAX):
        return False
    frame.boot_id = <uint32_t> r.value
    if not read_uint(r, UINT53_MAX):
        return False
    frame.sent_ms = r.value
    return True


cdef inline bint read_content(Reader *r, FrameRow *frame, Rows *rows, uint32_t index) noexcept nogil:
    """The payload, authenticated already, of the frame that is `index` in the batch. False also where memory ends."""
    cdef uint32_t count, i
    if not (read_array(r, 5, 5) and read_uint(r, VERSION) and read_sending(r, frame) and read_array(r, 1, RECORDS_MAX)):
        return False
    count = <uint32_t> r.value
    frame.first_record = <uint32_t> rows.record_count
    frame.record_count = <uint16_t> count
    for i in range(count):
        if not read_record(r, rows, index):
            return False
    return read_done(r)
