"""The bounds of the wire format, as in protocol/limits.py (FR-40 to FR-45); tests hold the two together at each bound."""

cdef extern from *:
    """
    #define WL_UINT32_MAX ((uint64_t)0xFFFFFFFFu)
    #define WL_UINT64_MAX UINT64_MAX
    #define WL_UINT53_MAX (((uint64_t)1 << 53) - 1)
    #define WL_INTEGER_TOP ((uint64_t)1 << 62)
    #define WL_POWER_W_MAX ((int64_t)0x7FFFFFFF)
    #define WL_CURRENT_MA_MAX ((int64_t)0x7FFFFFFF)
    """
    const uint64_t UINT32_MAX "WL_UINT32_MAX"
    const uint64_t UINT64_MAX "WL_UINT64_MAX"  # a version
    const uint64_t UINT53_MAX "WL_UINT53_MAX"  # energies, instants in ms, an event's integers
    const uint64_t INTEGER_TOP "WL_INTEGER_TOP"  # beyond all of ours; up to here conversion to int64_t is exact
    const int64_t POWER_W_MAX "WL_POWER_W_MAX"
    const int64_t CURRENT_MA_MAX "WL_CURRENT_MA_MAX"

cdef enum:
    VERSION = 1
    FRAME_BYTES_MAX = 4096
    RECORDS_MAX = 64
    BATCH_FRAMES_MAX = 65536  # ours, not the wire's: row numbers stay within 32 bits; a burst is 7,056
    POINTS_MAX = 32
    EVENT_INTS_MAX = 8
    MAC_BYTES = 32
    KEY_BYTES = 32
    TAG_MAC0 = 17
    LABEL_ALGORITHM = 1
    LABEL_KID = 4
    ALGORITHM_HMAC_256 = 5
    WINDOW_S = 900
    SAMPLES_DUE_MAX = 900
    CLOCK_SOURCE_MAX = 3
    CLOCK_ERROR_S_MAX = 0xFFFF
    VOLTAGE_DV_MAX = 1000000
    PF_MILLI_MAX = 1000
    FLAGS_MAX = 0xFFFF
    NONE_REASON_MAX = 255
    EVENT_CODE_MAX = 255
    WINDOW = 1  # record types
    EVENT = 2
