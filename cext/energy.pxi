"""A point's energy registers as read in a window, and what the step from one window's to a later one's says (S-17)."""

cdef enum:
    NOT_READ = -1  # no such register; no time known
    NO_POWER = -2147483648  # below every power of the wire format
    ADJACENT_S = 60  # the window before ended with its last sample at most so long before: none was missed between
    SAME_SHARE = 4  # a mean is held against registers where less than a quarter of the samples is missing

cdef struct Registers:  # 64 bytes without padding: the journal keeps them as they are (schema/0002.sql)
    int64_t id  # of the record
    int64_t uptime_s  # of the last sample, in the record's boot
    int64_t time_s  # likewise, Unix s
    int64_t import_wh
    int64_t export_wh
    uint32_t seq
    uint32_t boot
    int32_t p_mean_w  # of the window that these registers end; NO_POWER where it can't be held against them
    int32_t p_most_w  # the larger of its extremes, as an amount
    uint32_t length_s
    uint32_t there  # 1, and 0 where a point has none

cdef struct PointLimits:  # what is known of an admitted point
    uint32_t rated_w  # 0: not known
    uint32_t step_wh  # the coarsest step that its meter's registers show
    uint32_t admitted

cdef struct EnergyBounds:
    int64_t excess_percent  # above rated power
    int64_t power_percent  # between registers and mean power


cdef inline int64_t slot_value(const SlotRow *slot, Value which, int64_t otherwise) noexcept nogil:
    return slot.value[<int> which] if slot.present >> <int> which & 1 else otherwise


cdef inline int64_t amount(int64_t value) noexcept nogil:
    return -value if value < 0 else value


cdef inline Registers registers_of(const RecordRow *record, const SlotRow *slot, int64_t id) noexcept nogil:
    """Of a slot with a reading; `there` is 0 where the meter has no energy register."""
    cdef Registers found
    cdef int64_t low, high, last_s = slot.value[<int> LAST_S]
    found.id = id
    found.seq = record.seq
    found.boot = record.boot
    found.length_s = record.length_s
    found.uptime_s = <int64_t> record.uptime_s - last_s
    found.time_s = <int64_t> record.time_s + record.length_s - last_s if record.has_time else NOT_READ
    found.import_wh = slot_value(slot, E_IMPORT_WH, NOT_READ)
    found.export_wh = slot_value(slot, E_EXPORT_WH, NOT_READ)
    found.there = found.import_wh != NOT_READ or found.export_wh != NOT_READ
    found.p_mean_w = <int32_t> slot_value(slot, P_MEAN_W, NO_POWER)
    if slot.value[<int> MISSED] * SAME_SHARE > record.samples_due:
        found.p_mean_w = NO_POWER
    low = amount(slot_value(slot, P_MIN_W, 0))
    high = amount(slot_value(slot, P_MAX_W, 0))
    found.p_most_w = <int32_t> (low if low > high else high)
    return found


cdef inline int64_t span_s(const Registers *before, const Registers *after) noexcept nogil:
    """Seconds between two readings of the registers, at least 0; NOT_READ where nothing tells."""
    cdef int64_t span
    if before.boot == after.boot:
        span = after.uptime_s - before.uptime_s
    elif before.time_s == NOT_READ or after.time_s == NOT_READ:
        return NOT_READ
    else:
        span = after.time_s - before.time_s
    if span < 0:
        return 0
    return span if span < <int64_t> UINT32_MAX else <int64_t> UINT32_MAX  # times 2.1 GW: still an int64


cdef inline bint jumped(int64_t step_wh, int64_t span, const PointLimits *point, const EnergyBounds *most) noexcept nogil:
    """Whether rated power, with its excess, and one step of the register do not explain the energy."""
    cdef int64_t possible_wh = <int64_t> point.rated_w * span // 3600
    return step_wh > possible_wh * (100 + most.excess_percent) // 100 + point.step_wh


cdef inline bint power_disagrees(
    const Registers *before, const Registers *after, int64_t span, const PointLimits *point, const EnergyBounds *most
) noexcept nogil:
    """Whether the registers' difference over one window, imported less exported, is another energy than its mean power's."""
    cdef int64_t export_wh = 0, difference_wh
    if after.p_mean_w == NO_POWER or before.import_wh == NOT_READ or after.import_wh == NOT_READ:
        return False
    if before.boot != after.boot or span == 0 or span > <int64_t> after.length_s + ADJACENT_S:
        return False
    if before.export_wh != NOT_READ and after.export_wh != NOT_READ:
        export_wh = after.export_wh - before.export_wh
    elif after.p_mean_w < 0:
        return False
    difference_wh = (after.import_wh - before.import_wh - export_wh) - <int64_t> after.p_mean_w * span // 3600
    return amount(difference_wh) > <int64_t> after.p_most_w * span // 3600 * most.power_percent // 100 + 2 * point.step_wh


cdef inline Check check_step(
    const Registers *before, const Registers *after, const PointLimits *point, const EnergyBounds *most
) noexcept nogil:
    """What the step between two of a point's windows says; NO_CHECK: nothing. Depends on these two alone."""
    cdef int64_t span
    cdef bint imports = before.import_wh != NOT_READ and after.import_wh != NOT_READ
    cdef bint exports = before.export_wh != NOT_READ and after.export_wh != NOT_READ
    if imports and after.import_wh < before.import_wh or exports and after.export_wh < before.export_wh:
        return ENERGY_FELL
    span = span_s(before, after)
    if span == NOT_READ:
        return NO_CHECK
    if point.rated_w and (
        imports and jumped(after.import_wh - before.import_wh, span, point, most)
        or exports and jumped(after.export_wh - before.export_wh, span, point, most)
    ):
        return ENERGY_JUMPED
    return ENERGY_NOT_POWER if power_disagrees(before, after, span, point, most) else NO_CHECK
