# The contract of cext.decoder: frames of a batch in, checked columns (or tuples) out; what refuses a frame, and
# where.
#
# Columns come from memory that the parser filled: no Python object a reading, no copy, read-only, of native byte
# order. A column is a memoryview (`column[i]`, `column.tolist()`, `numpy.asarray(column)`); a table's `rows` are all
# its bytes (`numpy.frombuffer(table.rows, numpy.dtype(table.dtype))`, `struct.iter_unpack`). Views keep the memory;
# dropping the last frees it. numpy is never needed. What is absent is 0 in its column, and says so in the one beside
# it named here.
#
# Memory: about 1.8 KB of rows for a window of 9 points, at most 370 KB for a frame (64 windows of 32 points that have
# no reading): bound a batch by frames with that in mind. 16 to 512 frames a call are fastest: the call's own cost is
# spread, and the rows stay in the processor's cache.

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

from typing_extensions import Buffer

# A reason's code is its place here: "" (taken) is 0, the others are keys of protocol.errors.REASONS, which has the
# verdict of each (incomplete, malformed, unknown, refused) and what to do. `terminal` is not among them: it is said by
# who looks the terminal up.
REASON_NAMES: tuple[str, ...]

# What this machine can compute SHA-256 with ("x86 SHA", "ARMv8 SHA2", "portable"), the fastest first; the one in use.
SHA256_IMPLEMENTATIONS: tuple[str, ...]
SHA256_IMPLEMENTATION: str

# `kind` of a slot
NO_POINT: int  # the terminal has no such point
NONE_BECAUSE: int  # no reading; `none_reason` says why (FR-29)
READING: int

class Reading(NamedTuple):
    first_s: int
    last_s: int
    run_s: int
    p_mean_w: int | None
    p_min_w: int | None
    p_max_w: int | None
    e_import_wh: int | None
    e_export_wh: int | None
    r_import_varh: int | None
    r_export_varh: int | None
    ua_dv: int | None
    ub_dv: int | None
    uc_dv: int | None
    ia_ma: int | None
    ib_ma: int | None
    ic_ma: int | None
    pf_milli: int | None
    flags: int
    missed: int
    q_mean_var: int | None

class Window(NamedTuple):
    start_s: int | None
    length_s: int
    boot: int
    end_uptime_s: int
    clock_source: int
    clock_error_s: int
    samples_due: int
    readings: list[Reading | int | None]

class Event(NamedTuple):
    time_s: int | None
    boot: int
    uptime_s: int
    clock_source: int
    clock_error_s: int
    code: int
    point: int | None
    values: list[int]

class Record(NamedTuple):
    seq: int
    type: int
    body: Window | Event
    raw: bytes

class Frame(NamedTuple):
    generation: int
    epoch: int
    boot: int
    sent_ms: int
    records: list[Record]

class Refusal(NamedTuple):
    reason: str  # a key of protocol.errors.REASONS
    offset: int  # the byte at which it was seen

# A terminal's secret of one generation, as the two hash states that HMAC needs. Made once a key; shows nothing.
@final
class KeyState:
    def __init__(self, secret: bytes) -> None: ...  # 32 bytes, else ValueError

# Rows of one kind, in the order of the batch; every other attribute is a column of len(table) items.
class Table:
    def __len__(self) -> int: ...
    @property
    def rows(self) -> memoryview[int]: ...  # all of it, one structure after the other, as unsigned bytes
    @property
    def dtype(self) -> dict[str, Any]: ...  # what numpy.dtype takes: names, formats (as in `struct`), offsets, itemsize

# One row a frame given. Of a refused frame all but `reason` and `offset` is 0.
class FrameTable(Table):
    reason: memoryview[int]  # uint8, index into REASON_NAMES; 0: taken
    offset: memoryview[int]  # uint32, the byte of the frame (or payload) at which the reason was seen
    generation: memoryview[int]  # uint8, of the key that verified it; 0 from decode_payloads
    epoch: memoryview[int]  # uint32
    boot_id: memoryview[int]  # uint32, names the terminal's start in which it was sealed
    sent_ms: memoryview[int]  # uint64, the terminal's uptime then
    first_record: memoryview[int]  # uint32, row in `records`
    record_count: memoryview[int]  # uint16, 1 to 64; those rows follow one another

# One row a record of a frame that was taken, in the frames' order.
class RecordTable(Table):
    frame: memoryview[int]  # uint32, row in `frames`
    begin: memoryview[int]  # uint32, the record's bytes are frames[frame][begin:end] of what was given
    end: memoryview[int]  # uint32
    seq: memoryview[int]  # uint32
    type: memoryview[int]  # uint8, 1 window, 2 event
    time_s: memoryview[int]  # uint32, Unix seconds: a window's start, an event's time; meaningless unless `has_time`
    has_time: memoryview[int]  # uint8, 0: the clock was not set (FR-26)
    boot: memoryview[int]  # uint32, the boot in which the window closed or the event was
    uptime_s: memoryview[int]  # uint32, at the window's end, at the event
    clock_source: memoryview[int]  # uint8, 0 none, 1 RTC, 2 SNTP, 3 gateway
    clock_error_s: memoryview[int]  # uint16, at most; 65535: not known
    first: memoryview[int]  # uint32, a window's first row in `slots`, an event's first place in `integers`
    count: memoryview[int]  # uint8, a window's slots (0 to 32), an event's integers (0 to 8)
    length_s: memoryview[int]  # uint16, 1 to 900; 0 of an event
    samples_due: memoryview[int]  # uint16, of each point of a window; 0 of an event
    code: memoryview[int]  # uint8, of an event (FR-31); 0 of a window
    point: memoryview[int]  # uint8, the point an event is about, 1 to 32; 0: none, and of a window
    digest: memoryview[int]  # uint8, two-dimensional, 32 a record: SHA-256 of its bytes; only with `digests`

# One row for each point of a window.
class SlotTable(Table):
    record: memoryview[int]  # uint32, row in `records`
    point: memoryview[int]  # uint8, 1 to 32
    kind: memoryview[int]  # uint8, NO_POINT, NONE_BECAUSE or READING
    none_reason: memoryview[int]  # uint8, 1 to 255 where kind is NONE_BECAUSE, else 0
    present: memoryview[int]  # uint32, bit i: value i (in the order below) is there; 0 unless kind is READING
    values: memoryview[int]  # int64, two-dimensional: the 20 columns below, side by side
    first_s: memoryview[int]  # int64, as all that follow; from the window's start to the first sample
    last_s: memoryview[int]  # from the last sample to the window's end
    run_s: memoryview[int]  # with power above the point's threshold
    p_mean_w: memoryview[int]
    p_min_w: memoryview[int]
    p_max_w: memoryview[int]
    e_import_wh: memoryview[int]  # registers at the last sample
    e_export_wh: memoryview[int]
    r_import_varh: memoryview[int]
    r_export_varh: memoryview[int]
    ua_dv: memoryview[int]  # 0.1 V
    ub_dv: memoryview[int]
    uc_dv: memoryview[int]
    ia_ma: memoryview[int]
    ib_ma: memoryview[int]
    ic_ma: memoryview[int]
    pf_milli: memoryview[int]  # 0.001
    flags: memoryview[int]  # bits, FR-30
    missed: memoryview[int]  # samples due but not taken
    q_mean_var: memoryview[int]

# What a batch says; len() is the number of frames.
class Columns:
    def __len__(self) -> int: ...
    frames: FrameTable
    records: RecordTable
    slots: SlotTable
    integers: memoryview[int]  # int64, what the events carry

# Frame i is claimed by terminals[i], whose keys are keys[i]: generation to KeyState. A frame is refused for exactly
# one reason and costs its neighbours nothing. The GIL is released. TypeError and ValueError are about the arguments
# (lengths that differ, more than 65,536 frames), never about a frame's bytes; MemoryError costs the batch.
def decode_columns(
    frames: Sequence[bytes],
    terminals: Sequence[str],
    keys: Sequence[Mapping[int, KeyState]],
    *,
    digests: bool = False,  # also SHA-256 of each record
) -> Columns: ...

# As decode_columns, for payloads alone, of frames that were authenticated before: nothing is verified here. Offsets,
# and records' begin and end, are those in the payload.
def decode_payloads(payloads: Sequence[bytes], *, digests: bool = False) -> Columns: ...

# As decode_columns, as tuples equal to those of protocol.frame.open_frame: a Python object each value.
def decode_batch(
    frames: Sequence[bytes], terminals: Sequence[str], keys: Sequence[Mapping[int, KeyState]]
) -> list[Frame | Refusal]: ...

# For the tests: what the decoder computes with, by one of SHA256_IMPLEMENTATIONS, else KeyError.
def sha256(data: bytes, implementation: str) -> bytes: ...
def sha256_two(first: bytes, second: bytes, implementation: str) -> tuple[bytes, bytes]: ...
def hmac_sha256(secret: bytes, data: bytes, implementation: str = ...) -> bytes: ...

# (terminal, ack) for a batch. outcomes: a byte a record, as in cext.verify.OUTCOMES; terminals, keys: as for
# decode_columns.
def seal_acks(
    columns: Columns,
    outcomes: Buffer,
    terminals: Sequence[str],
    keys: Sequence[Mapping[int, KeyState]],
    time_ms: int,
) -> list[tuple[str, bytes]]: ...

# What goes down to a terminal, sealed, around any payload of 1 to 4,049 bytes (protocol/down.py makes them); else
# ValueError.
def seal_payload(key: KeyState, generation: int, terminal: str, payload: bytes) -> bytes: ...
