"""What the parser makes of a batch of frames: plain rows, in three arrays that grow by doubling. No Python object."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc

from cext.reader cimport Reason

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
    SLOT_NONE  # none, because: the reason is value[0]
    SLOT_READING

cdef struct SlotRow:
    uint8_t kind
    uint32_t present
    int64_t value[20]

cdef struct RecordRow:
    uint32_t begin  # the record's bytes, as offsets in its frame
    uint32_t end
    uint32_t seq
    uint32_t kind  # WINDOW or EVENT
    bint has_time
    uint32_t time_s  # a window's start, an event's time
    uint32_t boot
    uint32_t uptime_s  # at a window's end
    uint8_t clock_source
    uint16_t clock_error_s
    uint16_t length_s
    uint16_t samples_due
    uint16_t code
    bint has_point
    uint8_t point
    size_t first  # a window's slots, an event's integers: [first, first + count) of their array
    uint32_t count

cdef struct FrameRow:
    Reason reason  # OK, or why it is not taken
    uint32_t reason_at
    uint32_t payload_at
    uint32_t payload_end
    uint32_t tag_at
    uint32_t kid_at
    uint8_t generation
    uint32_t epoch
    uint32_t boot
    uint64_t sent_ms
    size_t first  # its records
    uint32_t count

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


cdef inline bint make_room(void **array, size_t *room, size_t count, size_t item_bytes) noexcept nogil:
    """Room for one item more than `count`. False: no memory, nothing changed."""
    cdef size_t wanted = room[0] * 2 if room[0] else 64
    cdef void *grown
    if count < room[0]:
        return True
    grown = realloc(array[0], wanted * item_bytes)
    if grown == NULL:
        return False
    array[0] = grown
    room[0] = wanted
    return True


cdef inline RecordRow *add_record(Rows *rows) noexcept nogil:
    """A new row, its fields not set; NULL (and `out_of_memory`) if there is no memory. Valid until the next one."""
    if not make_room(<void **> &rows.records, &rows.record_room, rows.record_count, sizeof(RecordRow)):
        rows.out_of_memory = True
        return NULL
    rows.record_count += 1
    return &rows.records[rows.record_count - 1]


cdef inline SlotRow *add_slot(Rows *rows) noexcept nogil:
    """As add_record."""
    if not make_room(<void **> &rows.slots, &rows.slot_room, rows.slot_count, sizeof(SlotRow)):
        rows.out_of_memory = True
        return NULL
    rows.slot_count += 1
    return &rows.slots[rows.slot_count - 1]


cdef inline void add_integer(Rows *rows, int64_t value) noexcept nogil:
    if not make_room(<void **> &rows.integers, &rows.integer_room, rows.integer_count, sizeof(int64_t)):
        rows.out_of_memory = True
        return
    rows.integers[rows.integer_count] = value
    rows.integer_count += 1


cdef inline void free_rows(Rows *rows) noexcept nogil:
    free(rows.records)
    free(rows.slots)
    free(rows.integers)
