# The contract of cext.decoder; what each part does stands in decoder.pyx.

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

REASON_NAMES: tuple[str, ...]

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

@final
class KeyState:
    def __init__(self, secret: bytes) -> None: ...  # 32 bytes, else ValueError

# Frame i is claimed by terminals[i], whose keys are keys[i]: generation to KeyState.
def decode_batch(
    frames: Sequence[bytes], terminals: Sequence[str], keys: Sequence[Mapping[int, KeyState]]
) -> list[Frame | Refusal]: ...
def hmac_sha256(secret: bytes, data: bytes) -> bytes: ...
