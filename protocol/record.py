"""Records: one window's readings, or one event (SPEC.md, section 4); the same bytes in flash, frame and journal.

Absent quantities are None, never 0. All numbers are integers; the unit ends the name (dv = 0.1 V, milli = 0.001).
"""

from collections import namedtuple

from protocol import cbor, limits
from protocol.errors import FrameError

WINDOW = 1
EVENT = 2

# how the terminal knows the time (FR-25)
CLOCK_NONE = 0
CLOCK_RTC = 1
CLOCK_SNTP = 2
CLOCK_GATEWAY = 3

# none, because (FR-29): why a point has no reading in a window
NONE_SILENT = 1  # the meter answered nothing
NONE_EXCEPTION = 2  # the meter refused (Modbus exception, DL/T 645 error answer)
NONE_GARBLED = 3  # answers came, none intact
NONE_OTHER_METER = 4  # what answered is not the meter of this profile
NONE_NOT_SAMPLED = 5  # the terminal did not get to it in this window

# flags of a reading (FR-30)
FLAG_FEW_SAMPLES = 0x01  # under 75 % of the samples due
FLAG_ENERGY_STEP = 0x02  # an energy register fell, or rose by more than the meter can measure

# event codes (FR-31); the integers that follow stand in host/event_names.py
BOOT = 1
CLOCK_SET = 2
METER_SILENT = 3
METER_BACK = 4
LOG_DAMAGED = 5
LOG_FULL = 6
NUMBERS_SKIPPED = 7
LOG_PUT_BACK = 8
LOG_RENUMBERED = 9
CONFIG_TAKEN = 10
CONFIG_REFUSED = 11
CONFIG_ROLLED_BACK = 12
REQUEST_UNMET = 13
HEALTH = 15
MAINS_LOST = 16
MAINS_BACK = 17
INPUT = 18
LOW_VOLTAGE = 19
METER_STATE = 20
METER_SWAPPED = 21
RATIO_CHANGED = 22
ENERGY_ROLLED_OVER = 23
UPDATE_PROGRESS = 24
UPDATE_REFUSED = 25
UPDATE_TAKEN = 26
UPDATE_GOOD = 27
UPDATE_ROLLED_BACK = 28
CONSOLE_OPENED = 29
CONSOLE_REFUSED = 30
KEY_DRAWN = 31
KEY_REFUSED = 32
CERTIFICATES_TAKEN = 33
CERTIFICATES_REFUSED = 34
CERTIFICATES_ROLLED_BACK = 35
METER_LEARNT = 36

# why a configuration is refused (SPEC.md, section 5)
CONFIG_STALE = 1  # its version is not above the newest that the terminal took
CONFIG_DOCUMENT = 2  # not JSON, or something in it is not allowed
CONFIG_MISFIT = 3  # with the technician's terminal.json it makes no whole
CONFIG_PROFILE = 4  # a meter's profile that the terminal lacks or can't use
CONFIG_NOT_STORED = 5  # the flash did not take it

# why a terminal draws no key (FR-92)
KEY_STALE = 1  # the generation is not above that of the key in use
KEY_POINT = 2  # the gateway's point is not one of the curve
KEY_NOT_STORED = 3  # the flash did not take it
KEY_MEMORY = 4  # the heap did not suffice

# why certificates are refused (FR-95); 1 and 5 as for configurations
CERTIFICATES_FORM = 2  # not the certificates that were promised, or TLS does not take them
CERTIFICATES_NO_TLS = 3  # this terminal does not connect by TLS

# why an update went back (UPDATES.md)
BACK_STARTS = 1  # it began three times without an ack
BACK_NO_ACK = 2  # no ack in time
BACK_CRASHED = 3  # it could not be begun with
BACK_NO_METER = 4  # the gateway answered, and no meter did, though one had before the update

Window = namedtuple(
    "Window",
    (
        "start_s",  # Unix seconds of the window's start; None: the clock was never set in this boot (FR-26)
        "length_s",
        "boot",  # counts the terminal's starts
        "end_uptime_s",  # seconds since that start, at the window's end
        "clock_source",
        "clock_error_s",  # bound of the clock's error; 65535 = not known
        "samples_due",
        "readings",  # [i] is point i + 1: None (no such point), int (none, because) or Reading
    ),
)

Reading = namedtuple(
    "Reading",
    (
        "first_s",  # from the window's start to the first sample
        "last_s",  # from the last sample to the window's end
        "run_s",  # seconds with power above the point's threshold
        "p_mean_w",
        "p_min_w",
        "p_max_w",
        "e_import_wh",  # registers at the last sample
        "e_export_wh",
        "r_import_varh",
        "r_export_varh",
        "ua_dv",
        "ub_dv",
        "uc_dv",
        "ia_ma",
        "ib_ma",
        "ic_ma",
        "pf_milli",
        "flags",
        "missed",  # samples due but not taken
        "q_mean_var",  # from meters without reactive energy registers
    ),
)

Event = namedtuple(
    "Event",
    ("time_s", "boot", "uptime_s", "clock_source", "clock_error_s", "code", "point", "values"),
)

# seq: its number in the log; type: WINDOW or EVENT; body: Window or Event; raw: the record's bytes
Record = namedtuple("Record", ("seq", "type", "body", "raw"))

# a reading's last items are left out as far as they say nothing: flags 0, missed 0, q_mean_var absent (FR-30)
_ITEMS_MIN = 17
_ITEMS_MAX = 20


def encode_window(seq: int, window: Window) -> bytes:
    """The record's bytes. The values must be within protocol.limits: `decode_record` of the result is the check."""
    u_ref = _voltage_reference(window.readings)
    body = [
        cbor.optional(window.start_s),
        cbor.integer(window.length_s),
        cbor.integer(window.boot),
        cbor.integer(window.end_uptime_s),
        cbor.integer(window.clock_source),
        cbor.integer(window.clock_error_s),
        cbor.integer(window.samples_due),
        cbor.optional(u_ref),
        cbor.array([_encode_slot(slot, u_ref, window.length_s) for slot in window.readings]),
    ]
    return cbor.array([cbor.integer(seq), cbor.integer(WINDOW), cbor.array(body)])


def encode_event(seq: int, event: Event) -> bytes:
    """The record's bytes."""
    body = [
        cbor.optional(event.time_s),
        cbor.integer(event.boot),
        cbor.integer(event.uptime_s),
        cbor.integer(event.clock_source),
        cbor.integer(event.clock_error_s),
        cbor.integer(event.code),
        cbor.optional(event.point),
        cbor.array([cbor.integer(value) for value in event.values]),
    ]
    return cbor.array([cbor.integer(seq), cbor.integer(EVENT), cbor.array(body)])


def kind_of(data: bytes) -> int:
    """The kind of an intact record, read without its body. Raises FrameError."""
    return _after_seq(data).uint(limits.UINT32_MAX)


def renumbered(data: bytes, seq: int) -> bytes:
    """An intact record's bytes under another number."""
    reader = _after_seq(data)
    return data[:1] + cbor.integer(seq) + data[reader.at :]


def _after_seq(data: bytes) -> cbor.Reader:
    reader = cbor.Reader(data, 0, len(data), "ends_early")
    reader.array(3, 3)
    reader.uint(limits.UINT32_MAX)
    return reader


def decode_record(data: bytes) -> Record:
    """The record in exactly these bytes. Raises FrameError."""
    reader = cbor.Reader(data, 0, len(data), "ends_early")
    record = read_record(reader)
    reader.done()
    return record


def read_record(reader: cbor.Reader) -> Record:
    """The next record. Raises FrameError."""
    begin = reader.at
    reader.array(3, 3)
    seq = reader.uint(limits.UINT32_MAX)
    kind = reader.uint(limits.UINT32_MAX)
    if kind not in (WINDOW, EVENT):
        raise reader.fail("record_type")
    body = _read_window(reader) if kind == WINDOW else _read_event(reader)
    return Record(seq, kind, body, bytes(reader.data[begin : reader.at]))


def _voltage_reference(readings: "list[Reading | int | None]") -> "int | None":
    """The record's first voltage: the others are differences from it, one byte each on a common busbar (FR-28)."""
    for slot in readings:
        if isinstance(slot, tuple):
            for voltage in (slot.ua_dv, slot.ub_dv, slot.uc_dv):
                if voltage is not None:
                    return int(voltage)
    return None


def _encode_slot(slot: "Reading | int | None", u_ref: "int | None", length_s: int) -> bytes:
    if not isinstance(slot, tuple):
        return cbor.optional(slot)
    r = slot
    items = [
        cbor.integer(r.first_s),
        cbor.integer(r.last_s),
        _encode_run(r.run_s, length_s),
        cbor.optional(r.p_mean_w),
        _difference(r.p_mean_w, r.p_min_w),
        _difference(r.p_max_w, r.p_mean_w),
        cbor.optional(r.e_import_wh),
        cbor.optional(r.e_export_wh),
        cbor.optional(r.r_import_varh),
        cbor.optional(r.r_export_varh),
        _difference(r.ua_dv, u_ref),
        _difference(r.ub_dv, u_ref),
        _difference(r.uc_dv, u_ref),
        cbor.optional(r.ia_ma),
        _difference(r.ib_ma, r.ia_ma),
        _difference(r.ic_ma, r.ia_ma),
        _difference(limits.PF_MILLI_MAX, r.pf_milli),
    ]
    if r.flags or r.missed or r.q_mean_var is not None:
        items.append(cbor.integer(r.flags))
    if r.missed or r.q_mean_var is not None:
        items.append(cbor.integer(r.missed))
    if r.q_mean_var is not None:
        items.append(cbor.integer(r.q_mean_var))
    return cbor.array(items)


def _encode_run(run_s: int, length_s: int) -> bytes:
    if run_s == 0:
        return b"\xf4"
    return b"\xf5" if run_s == length_s else cbor.integer(run_s)


def _difference(value: "int | None", base: "int | None") -> bytes:
    return b"\xf6" if value is None or base is None else cbor.integer(value - base)


def _read_window(reader: cbor.Reader) -> Window:
    reader.array(9, 9)
    start_s = reader.optional_uint(limits.UINT32_MAX)
    length_s = reader.uint(limits.WINDOW_S)
    if length_s == 0:
        raise reader.fail("range")
    boot = reader.uint(limits.UINT32_MAX)
    end_uptime_s = reader.uint(limits.UINT32_MAX)
    clock_source = reader.uint(limits.CLOCK_SOURCE_MAX)
    clock_error_s = reader.uint(limits.CLOCK_ERROR_S_MAX)
    due = reader.uint(limits.SAMPLES_DUE_MAX)
    u_ref = reader.optional_uint(limits.VOLTAGE_DV_MAX)
    u_ref_at = reader.item_at
    readings = []
    for _ in range(reader.array(0, limits.POINTS_MAX)):
        readings.append(_read_slot(reader, u_ref, length_s, due))
    if _voltage_reference(readings) != u_ref:
        raise FrameError("not_canonical", u_ref_at)
    return Window(start_s, length_s, boot, end_uptime_s, clock_source, clock_error_s, due, readings)


def _read_slot(reader: cbor.Reader, u_ref: "int | None", length_s: int, due: int) -> "Reading | int | None":
    first = reader.peek()
    if first == cbor.NULL:
        reader.null()
        return None
    if first >> 5 != cbor.ARRAY:
        reason = reader.uint(limits.NONE_REASON_MAX)
        if reason == 0:
            raise reader.fail("range")
        return reason
    items = reader.array(_ITEMS_MIN, _ITEMS_MAX)
    return _read_reading(reader, items, u_ref, length_s, due)


def _read_reading(reader: cbor.Reader, items: int, u_ref: "int | None", length_s: int, due: int) -> Reading:
    first_s = reader.uint(length_s)
    last_s = reader.uint(length_s - first_s)
    run_s = _read_run(reader, length_s)
    power = limits.POWER_W_MAX
    p_mean = reader.optional_integer(-power, power)
    p_min = _read_from(reader, p_mean, -power, p_mean, -1)
    p_max = _read_from(reader, p_mean, p_mean, power, 1)
    energies = [reader.optional_uint(limits.ENERGY_WH_MAX) for _ in range(4)]
    voltages = [_read_from(reader, u_ref, 0, limits.VOLTAGE_DV_MAX, 1) for _ in range(3)]
    current = limits.CURRENT_MA_MAX
    ia = reader.optional_integer(-current, current)
    ib = _read_from(reader, ia, -current, current, 1)
    ic = _read_from(reader, ia, -current, current, 1)
    pf = _read_from(reader, limits.PF_MILLI_MAX, -limits.PF_MILLI_MAX, limits.PF_MILLI_MAX, -1)
    tail = _read_tail(reader, items - _ITEMS_MIN, due)
    values = [first_s, last_s, run_s, p_mean, p_min, p_max] + energies + voltages + [ia, ib, ic, pf] + tail
    return Reading(*values)


def _read_tail(reader: cbor.Reader, items: int, due: int) -> "list[int | None]":
    """(flags, missed, q_mean_var); the item that ends the tail must say something."""
    flags = reader.uint(limits.FLAGS_MAX) if items > 0 else 0
    missed = reader.uint(due) if items > 1 else 0
    q_mean = reader.integer(-limits.POWER_W_MAX, limits.POWER_W_MAX) if items > 2 else None
    if (items == 1 and not flags) or (items == 2 and not missed):
        raise reader.fail("not_canonical")
    return [flags, missed, q_mean]


def _read_run(reader: cbor.Reader, length_s: int) -> int:
    first = reader.peek()
    if first in (cbor.FALSE, cbor.TRUE):
        reader.at += 1
        return length_s if first == cbor.TRUE else 0
    run_s = reader.uint(length_s)
    if run_s in (0, length_s):
        raise reader.fail("not_canonical")
    return run_s


def _read_from(
    reader: cbor.Reader, base: "int | None", minimum: "int | None", maximum: "int | None", sign: int
) -> "int | None":
    """Base + sign * the next integer, within bounds; null if absent, and always where the base is."""
    if reader.null():
        return None
    span = limits.UINT32_MAX
    difference = reader.integer(-span, span)
    if base is None or minimum is None or maximum is None:
        raise reader.fail("type")
    value = base + sign * difference
    if value < minimum or value > maximum:
        raise reader.fail("range")
    return value


def _read_event(reader: cbor.Reader) -> Event:
    reader.array(8, 8)
    time_s = reader.optional_uint(limits.UINT32_MAX)
    boot = reader.uint(limits.UINT32_MAX)
    uptime_s = reader.uint(limits.UINT32_MAX)
    clock_source = reader.uint(limits.CLOCK_SOURCE_MAX)
    clock_error_s = reader.uint(limits.CLOCK_ERROR_S_MAX)
    code = reader.uint(limits.EVENT_CODE_MAX)
    point = reader.optional_uint(limits.POINTS_MAX)
    if point == 0:
        raise reader.fail("range")
    bound = limits.ENERGY_WH_MAX
    values = [reader.integer(-bound, bound) for _ in range(reader.array(0, limits.EVENT_INTS_MAX))]
    return Event(time_s, boot, uptime_s, clock_source, clock_error_s, code, point, values)
