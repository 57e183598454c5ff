"""The checks by number, as the journal keeps them in a mark: a number never gets another meaning (gateway/verify.py)."""

cdef enum Check:
    NO_CHECK = 0
    TIME_BEFORE_2020 = 1
    TIME_FAR_IN_FUTURE = 2
    TIME_IN_FUTURE = 3
    WINDOW_NOT_ALIGNED = 4
    POINT_UNKNOWN = 5
    ENERGY_FELL = 6
    ENERGY_JUMPED = 7
    ENERGY_STEP = 8
    ENERGY_NOT_POWER = 9
    PHASES_NOT_TOTAL = 10
    SAMPLES_NONE = 11
    POINT_MISSING = 12
    FEW_SAMPLES = 13
    CLOCK_UNCERTAIN = 14
    FLAG_UNKNOWN = 15
    EPOCH_BACK = 16
    METER_NOT_COMMISSIONED = 17
    CHECK_COUNT

cdef enum Severity:
    IS_NOTE = 1
    IS_MARK = 2
    IS_REFUSE = 3


cdef inline Severity severity_of(Check check) noexcept nogil:
    if check <= TIME_FAR_IN_FUTURE:
        return IS_REFUSE
    return IS_MARK if check <= SAMPLES_NONE or check == METER_NOT_COMMISSIONED else IS_NOTE
