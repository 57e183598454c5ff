"""What a record says of itself: every check that needs no other record, over the rows of a batch."""

cdef struct RecordBounds:
    int64_t future_mark_s
    int64_t future_refuse_s
    int64_t phases_percent

cdef struct CommissionedMeter:  # what a point's meter said of itself when it was commissioned; NOT_TOLD: nothing
    int64_t serial
    int64_t ct_milli
    int64_t pt_milli

cdef struct FindingRow:
    uint32_t record  # its row
    uint8_t check
    uint8_t point  # 0: the whole record
    uint16_t reserved

cdef struct FindingRows:
    FindingRow *rows
    size_t count
    size_t room
    bint out_of_memory

cdef enum:
    NOT_TOLD = -1
    METER_SWAPPED = 21  # protocol.record's events: the serial before and now
    RATIO_CHANGED = 22  # CT before and now, PT before and now; 0: not told
    METER_LEARNT = 36  # the serial, CT, PT; 0: not told
    YEAR_2020 = 1577836800  # older than this product: a clock that was never set
    FLAG_FEW_SAMPLES = 1
    FLAG_ENERGY_STEP = 2
    FLAGS_KNOWN = 3
    STEADY_SHARE = 4  # extremes within a quarter of the mean: then the mean of products is the product of means
    LOAD_SHARE = 10  # below a tenth of rated power the transformers' own error is the larger part
    LOAD_LEAST_W = 1000  # likewise, where rated power is not known

# the quantities that phases are held against their total by
cdef uint32_t OF_PHASES = (
    1 << <int> P_MEAN_W | 1 << <int> P_MIN_W | 1 << <int> P_MAX_W | 1 << <int> PF_MILLI
    | 7 << <int> UA_DV | 7 << <int> IA_MA
)


YEAR_2020_S = <int> YEAR_2020


cdef class Log  # ledger.pxi


cdef class Points:
    """A terminal's admitted points, made once a registry. Beside them, by the ledger: the log of its last frame."""

    cdef readonly str terminal
    cdef Log log
    cdef uint64_t log_life  # of the ledger that it is a log of
    cdef uint32_t highest  # of the admitted numbers
    cdef PointLimits limits[POINTS_MAX + 1]  # by number; [0] is not used
    cdef CommissionedMeter meters[POINTS_MAX + 1]  # likewise

    def __cinit__(self, str terminal not None, limits, meters=None):
        self.terminal = terminal
        memset(self.meters, 0xff, sizeof(self.meters))  # NOT_TOLD
        for number, (rated_w, step_wh) in limits.items():
            if not 1 <= number <= POINTS_MAX:
                raise ValueError("a point's number is 1 to 32")
            self.limits[<int> number].rated_w = 0 if rated_w is None else rated_w
            self.limits[<int> number].step_wh = step_wh
            self.limits[<int> number].admitted = True
            self.highest = max(self.highest, <uint32_t> number)
        for number, (serial, ct_milli, pt_milli) in (meters or {}).items():
            if number not in limits:
                raise ValueError("a meter measures a point")
            self.meters[<int> number].serial = NOT_TOLD if serial is None else serial
            self.meters[<int> number].ct_milli = NOT_TOLD if ct_milli is None else ct_milli
            self.meters[<int> number].pt_milli = NOT_TOLD if pt_milli is None else pt_milli


cdef class Bounds:
    """What [verify] of the configuration says."""

    cdef RecordBounds record
    cdef EnergyBounds energy

    def __cinit__(
        self, *, future_mark_s, future_refuse_s, rated_power_excess_percent, energy_power_percent, phases_percent
    ):
        self.record.future_mark_s = future_mark_s
        self.record.future_refuse_s = future_refuse_s
        self.record.phases_percent = phases_percent
        self.energy.excess_percent = rated_power_excess_percent
        self.energy.power_percent = energy_power_percent


cdef class Findings:
    """What was found, in order of record."""

    cdef FindingRows found

    def __dealloc__(self):
        free(self.found.rows)

    def __len__(self):
        return self.found.count

    def __iter__(self):
        cdef size_t i
        for i in range(self.found.count):
            point = self.found.rows[i].point
            yield self.found.rows[i].record, NAMES[self.found.rows[i].check], point if point else None

    def refused(self):
        """{record's row: the first check that refuses it}."""
        cdef size_t i
        cdef dict refused = {}
        for i in range(self.found.count):
            if severity_of(<Check> self.found.rows[i].check) == IS_REFUSE:
                refused.setdefault(self.found.rows[i].record, NAMES[self.found.rows[i].check])
        return refused


cdef void add(FindingRows *found, size_t record, Check check, uint8_t point) noexcept nogil:
    cdef void *grown
    cdef size_t room = found.room
    if found.count == room:
        room = room * 2 if room else 64
        grown = realloc(found.rows, room * sizeof(FindingRow))
        if grown == NULL:
            found.out_of_memory = True
            return
        found.rows = <FindingRow *> grown
        found.room = room
    found.rows[found.count].record = <uint32_t> record
    found.rows[found.count].check = <uint8_t> check
    found.rows[found.count].point = point
    found.rows[found.count].reserved = 0
    found.count += 1


cdef Check check_time(int64_t time_s, int64_t now_s, const RecordBounds *limits) noexcept nogil:
    if time_s < YEAR_2020:
        return TIME_BEFORE_2020
    if time_s > now_s + limits.future_refuse_s:
        return TIME_FAR_IN_FUTURE
    return TIME_IN_FUTURE if time_s > now_s + limits.future_mark_s else NO_CHECK


cdef bint is_aligned(const RecordRow *window) noexcept nogil:
    """Windows end on the quarter hour, and whole ones begin on it."""
    cdef int64_t edge_s = window.time_s
    if window.length_s != WINDOW_S:
        edge_s += window.length_s
    return edge_s % WINDOW_S == 0


cdef bint phases_disagree(const SlotRow *slot, const PointLimits *point, int64_t percent) noexcept nogil:
    """Whether the sum of U x I over the phases, times the power factor, is another power than the mean (S-15).

    All are means over the window: they can be held against each other only where the load was steady.
    """
    cdef int64_t apparent = 0, power_w, mean_w, least_w = LOAD_LEAST_W
    cdef int phase
    if point.rated_w:
        least_w = point.rated_w // LOAD_SHARE
    if slot.present & OF_PHASES != OF_PHASES:
        return False
    for phase in range(3):
        apparent += slot.value[<int> UA_DV + phase] * amount(slot.value[<int> IA_MA + phase])
    mean_w = amount(slot.value[<int> P_MEAN_W])
    if mean_w < least_w or (slot.value[<int> P_MAX_W] - slot.value[<int> P_MIN_W]) * STEADY_SHARE > mean_w:
        return False
    power_w = apparent // 10000 * amount(slot.value[<int> PF_MILLI]) // 1000
    return amount(power_w - mean_w) > mean_w * percent // 100


cdef void check_reading(
    FindingRows *found, size_t row, const RecordRow *window, const SlotRow *slot, uint8_t number,
    const PointLimits *point, const RecordBounds *limits
) noexcept nogil:
    cdef int64_t flags = slot.value[<int> FLAGS], missed = slot.value[<int> MISSED]
    if flags & FLAG_ENERGY_STEP:
        add(found, row, ENERGY_STEP, number)
    if flags & ~FLAGS_KNOWN:
        add(found, row, FLAG_UNKNOWN, number)
    if missed >= window.samples_due:
        add(found, row, SAMPLES_NONE, number)
    elif flags & FLAG_FEW_SAMPLES or missed * SAME_SHARE > window.samples_due:
        add(found, row, FEW_SAMPLES, number)
    if phases_disagree(slot, point, limits.phases_percent):
        add(found, row, PHASES_NOT_TOTAL, number)


cdef void check_window(
    FindingRows *found, size_t row, const RecordRow *window, const SlotRow *slots, const PointLimits *points,
    uint32_t highest, const RecordBounds *limits
) noexcept nogil:
    cdef uint32_t number
    cdef const SlotRow *slot
    if window.has_time and not is_aligned(window):
        add(found, row, WINDOW_NOT_ALIGNED, 0)
    if window.has_time and window.clock_error_s == CLOCK_ERROR_S_MAX:
        add(found, row, CLOCK_UNCERTAIN, 0)
    for number in range(1, max(highest, <uint32_t> window.count) + 1):
        slot = &slots[number - 1]
        if number > window.count or slot.kind == SLOT_NO_POINT:
            if points[number].admitted:
                add(found, row, POINT_MISSING, <uint8_t> number)
            continue
        if not points[number].admitted:
            add(found, row, POINT_UNKNOWN, <uint8_t> number)
        if slot.kind == SLOT_READING:
            check_reading(found, row, window, slot, <uint8_t> number, &points[number], limits)


cdef inline bint differs(int64_t commissioned, int64_t now) noexcept nogil:
    return commissioned > 0 and now > 0 and now != commissioned


cdef bint is_another_meter(const RecordRow *event, const int64_t *values, const CommissionedMeter *meter) noexcept nogil:
    """Whether an event tells of a meter, or of transformer settings, that were not commissioned (S-29)."""
    if event.code == METER_SWAPPED and event.count >= 2:
        return differs(meter.serial, values[1])
    if event.code == RATIO_CHANGED and event.count >= 4:
        return differs(meter.ct_milli, values[1]) or differs(meter.pt_milli, values[3])
    if event.code == METER_LEARNT and event.count >= 3:
        return (
            differs(meter.serial, values[0]) or differs(meter.ct_milli, values[1]) or differs(meter.pt_milli, values[2])
        )
    return False


def check_columns(columns, points, now_s, Bounds limits not None):
    """What each record of the frames that were taken says of itself.

    points[i]: of the terminal that sent frame i; None: its records are not looked at. now_s: Unix.
    """
    cdef const uint8_t[::1] record_rows = columns.records.rows, slot_rows = columns.slots.rows
    cdef const int64_t[::1] integers = columns.integers
    cdef const RecordRow *records = <const RecordRow *> &record_rows[0] if record_rows.shape[0] else NULL
    cdef const SlotRow *slots = <const SlotRow *> &slot_rows[0] if slot_rows.shape[0] else NULL
    cdef size_t count = <size_t> record_rows.shape[0] // sizeof(RecordRow), row
    cdef Findings findings = Findings.__new__(Findings)
    cdef FindingRows *found = &findings.found
    cdef Points of_frame
    cdef int64_t now = now_s
    cdef Check check
    cdef const RecordRow *record
    for row in range(count):
        record = &records[row]
        of_frame = points[record.frame]
        if of_frame is None:
            continue
        if record.has_time:
            check = check_time(<int64_t> record.time_s + record.length_s, now, &limits.record)
            if check != NO_CHECK:
                add(found, row, check, 0)
        if record.type == WINDOW:
            check_window(
                found, row, record, &slots[record.first] if record.count else NULL, of_frame.limits, of_frame.highest,
                &limits.record,
            )
        elif record.count and record.point <= POINTS_MAX:
            if is_another_meter(record, &integers[record.first], &of_frame.meters[record.point]):
                add(found, row, METER_NOT_COMMISSIONED, record.point)
    if found.out_of_memory:
        raise MemoryError
    return findings
