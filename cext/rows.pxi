"""What the parser makes of a batch of frames: plain rows, in arrays that grow by doubling. No Python object."""

# A reading's values, in the order of protocol.record.Reading; bit i of `present` says that value[i] is there.
cdef enum Value:
    FIRST_S = 0
    LAST_S
    RUN_S
    P_MEAN_W
    P_MIN_W
    P_MAX_W
    E_IMPORT_WH
    E_EXPORT_WH
    R_IMPORT_VARH
    R_EXPORT_VARH
    UA_DV
    UB_DV
    UC_DV
    IA_MA
    IB_MA
    IC_MA
    PF_MILLI
    FLAGS
    MISSED
    Q_MEAN_VAR
    VALUES

cdef enum Slot:
    SLOT_NO_POINT
    SLOT_NONE  # none, because
    SLOT_READING

# The rows are what Python sees (columns.pxi): no padding that the compiler chooses, no field left unset.

cdef struct FrameRow:
    uint8_t reason  # a Reason: OK, or why it is not taken; then all that follows but `offset` is 0
    uint8_t generation
    uint16_t record_count
    uint32_t offset  # the byte at which the reason was seen
    uint32_t epoch
    uint32_t boot_id
    uint64_t sent_ms
    uint32_t first_record
    uint32_t reserved

cdef struct RecordRow:
    uint32_t frame
    uint32_t begin  # the record's bytes, as offsets in its frame
    uint32_t end
    uint32_t seq
    uint32_t time_s  # a window's start, an event's time
    uint32_t boot
    uint32_t uptime_s  # at a window's end, at an event
    uint32_t first  # a window's slots, an event's integers: [first, first + count) of their array
    uint16_t length_s
    uint16_t samples_due
    uint16_t clock_error_s
    uint8_t clock_source
    uint8_t type  # WINDOW or EVENT
    uint8_t has_time
    uint8_t code
    uint8_t point  # 0: an event about no point
    uint8_t count
    uint32_t reserved
    uint8_t digest[32]

cdef struct SlotRow:
    uint32_t record
    uint32_t present
    uint8_t point
    uint8_t kind
    uint8_t none_reason
    uint8_t reserved[5]
    int64_t value[20]

cdef struct Rows:
    RecordRow *records
    SlotRow *slots
    int64_t *integers
    size_t record_count
    size_t slot_count
    size_t integer_count
    size_t record_room
    size_t slot_room
    size_t integer_room
    bint out_of_memory


cdef inline bint make_room(void **array, size_t *room, size_t wanted, size_t item_bytes) noexcept nogil:
    """Room for `wanted` items. False: no memory, nothing changed."""
    cdef size_t next = max(room[0] * 2, wanted, <size_t> 64)
    cdef void *grown
    if wanted <= room[0] and array[0] != NULL:
        return True
    grown = realloc(array[0], next * item_bytes)
    if grown == NULL:
        return False
    array[0] = grown
    room[0] = next
    return True


cdef inline bint reserve(Rows *rows, size_t payload_bytes) noexcept nogil:
    """Room for what such payloads usually hold, so that rows need not move while they grow: readings of 45 bytes."""
    return (
        make_room(<void **> &rows.records, &rows.record_room, payload_bytes // 200 + 1, sizeof(RecordRow))
        and make_room(<void **> &rows.slots, &rows.slot_room, payload_bytes // 40 + 1, sizeof(SlotRow))
    )


cdef inline RecordRow *add_record(Rows *rows) noexcept nogil:
    """A new row of zeros; NULL (and `out_of_memory`) if there is no memory. Valid until the next one."""
    if not make_room(<void **> &rows.records, &rows.record_room, rows.record_count + 1, sizeof(RecordRow)):
        rows.out_of_memory = True
        return NULL
    rows.record_count += 1
    memset(&rows.records[rows.record_count - 1], 0, sizeof(RecordRow))
    return &rows.records[rows.record_count - 1]


cdef inline SlotRow *add_slots(Rows *rows, uint32_t count) noexcept nogil:
    """`count` new rows, their fields not set; likewise."""
    if not make_room(<void **> &rows.slots, &rows.slot_room, rows.slot_count + count, sizeof(SlotRow)):
        rows.out_of_memory = True
        return NULL
    rows.slot_count += count
    return &rows.slots[rows.slot_count - count]


cdef inline int64_t *add_integers(Rows *rows, uint32_t count) noexcept nogil:
    """Likewise."""
    if not make_room(<void **> &rows.integers, &rows.integer_room, rows.integer_count + count, sizeof(int64_t)):
        rows.out_of_memory = True
        return NULL
    rows.integer_count += count
    return &rows.integers[rows.integer_count - count]


cdef inline void free_rows(Rows *rows) noexcept nogil:
    free(rows.records)
    free(rows.slots)
    free(rows.integers)
