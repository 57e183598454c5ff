"""One frame through both decoders and both forms of the compiled one's result; a failure prints what replays it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cext import decoder
from cext.decoder import Columns, decode_payloads
from protocol import cbor, frame, limits, mac, record
from protocol.errors import FrameError

SECRET = bytes(range(32))
TERMINAL = "T0001"
KEY = mac.Key(SECRET, 1)
PYTHON_KEYS = {1: KEY}
STATES = {1: decoder.KeyState(SECRET)}


def by_python(data: bytes, terminal: str = TERMINAL, keys: Mapping[int, mac.Key] = PYTHON_KEYS) -> tuple[Any, ...]:
    """The frame, or (reason, offset)."""
    try:
        return frame.open_frame(data, terminal, dict(keys))
    except FrameError as error:
        return (error.reason, error.offset)


def expect_same(frames: Sequence[bytes]) -> list[decoder.Frame | decoder.Refusal]:
    """Both decoders say the same of each; returns what they say."""
    got = decoder.decode_batch(frames, [TERMINAL] * len(frames), [STATES] * len(frames))
    for data, one in zip(frames, got, strict=True):
        wanted = by_python(data)
        assert one == wanted, f"replay: by_python(bytes.fromhex('{data.hex()}'))\n python: {wanted}\n cext: {one}"
        assert isinstance(one, decoder.Frame) == isinstance(wanted, frame.Frame), data.hex()
    columns = decoder.decode_columns(frames, [TERMINAL] * len(frames), [STATES] * len(frames), digests=True)
    assert from_columns(columns, frames) == got, f"replay: columns of {[data.hex() for data in frames]}"
    _expect_same_of_payloads(frames, got)
    return got


def _expect_same_of_payloads(frames: Sequence[bytes], got: Sequence[decoder.Frame | decoder.Refusal]) -> None:
    """Each payload alone, where it ends with the memory that holds it: a step too far is one out of bounds."""
    payloads, wanted = [], []
    for data, one in zip(frames, got, strict=True):
        begin = _payload_at(data)
        if begin and one[0] not in ("kid", "mac"):
            payloads.append(payload_of(data))
            said = one[1] - begin if isinstance(one, decoder.Refusal) else 0
            wanted.append((one.reason, said) if isinstance(one, decoder.Refusal) else ("", 0))
    table = decoder.decode_payloads(payloads).frames
    alone = [(decoder.REASON_NAMES[reason], at) for reason, at in zip(table.reason, table.offset, strict=True)]
    assert alone == wanted, f"replay: payloads {[one.hex() for one in payloads]}"


def _payload_at(data: bytes) -> int:
    """Where the payload begins; 0 if there is none."""
    try:
        return mac.Envelope(data).payload_at
    except FrameError:
        return 0


def from_columns(columns: decoder.Columns, frames: Sequence[bytes]) -> list[decoder.Frame | decoder.Refusal]:
    """What decode_batch says, put together from the columns alone; raises where they contradict each other."""
    f = columns.frames
    assert len(columns) == len(f) == len(frames)
    found: list[decoder.Frame | decoder.Refusal] = []
    record_at = 0
    for n, data in enumerate(frames):
        if f.reason[n]:
            assert not any(
                (f.generation[n], f.epoch[n], f.boot_id[n], f.sent_ms[n], f.first_record[n], f.record_count[n])
            )
            found.append(decoder.Refusal(decoder.REASON_NAMES[f.reason[n]], f.offset[n]))
            continue
        assert f.first_record[n] == record_at
        record_at += f.record_count[n]
        records = [_record(columns, row, n, data) for row in range(f.first_record[n], record_at)]
        found.append(decoder.Frame(f.generation[n], f.epoch[n], f.boot_id[n], f.sent_ms[n], records))
    assert record_at == len(columns.records)
    kinds = columns.records.type.tolist()
    counts = columns.records.count.tolist()
    assert sum(count for kind, count in zip(kinds, counts, strict=True) if kind == 1) == len(columns.slots)
    assert sum(count for kind, count in zip(kinds, counts, strict=True) if kind == 2) == len(columns.integers)
    return found


def _record(columns: decoder.Columns, row: int, n: int, data: bytes) -> decoder.Record:
    r = columns.records
    assert r.frame[row] == n
    raw = data[r.begin[row] : r.end[row]]
    assert bytes(r.digest.tolist()[row]) == hashlib.sha256(raw).digest()
    time_s = r.time_s[row] if r.has_time[row] else None
    assert time_s is not None or r.time_s[row] == 0
    clock = (r.boot[row], r.uptime_s[row], r.clock_source[row], r.clock_error_s[row])
    rows = range(r.first[row], r.first[row] + r.count[row])
    body: decoder.Window | decoder.Event
    if r.type[row] == record.WINDOW:
        assert (r.code[row], r.point[row]) == (0, 0)
        slots = [_slot(columns.slots, at, row, point) for point, at in enumerate(rows, start=1)]
        body = decoder.Window(time_s, r.length_s[row], *clock, r.samples_due[row], slots)
    else:
        assert (r.length_s[row], r.samples_due[row]) == (0, 0)
        values = [columns.integers[at] for at in rows]
        body = decoder.Event(time_s, *clock, r.code[row], r.point[row] or None, values)
    return decoder.Record(r.seq[row], r.type[row], body, raw)


def _slot(slots: decoder.SlotTable, at: int, row: int, point: int) -> decoder.Reading | int | None:
    assert (slots.record[at], slots.point[at]) == (row, point)
    kind, present = slots.kind[at], slots.present[at]
    names = decoder.Reading._fields
    columns = [getattr(slots, name)[at] for name in names]
    assert all(present >> bit & 1 or not value for bit, value in enumerate(columns)), "what is absent is not 0"
    if kind == decoder.READING:
        assert slots.none_reason[at] == 0
        return decoder.Reading._make(value if present >> bit & 1 else None for bit, value in enumerate(columns))
    assert present == 0
    if kind == decoder.NONE_BECAUSE:
        return slots.none_reason[at]
    assert (kind, slots.none_reason[at]) == (decoder.NO_POINT, 0)
    return None


def reseal(payload: bytes) -> bytes:
    """A frame around any payload, with a tag that is right: what lies behind the tag is reached."""
    return mac.seal(KEY, mac.external_aad(TERMINAL, limits.UP, limits.VERSION), payload)


def payload_of(data: bytes) -> bytes:
    """The payload of a frame that is well-formed."""
    envelope = mac.Envelope(data)
    return data[envelope.payload_at : envelope.payload_end]


def columns_of(*raws: bytes) -> Columns:
    head = [cbor.integer(number) for number in (1, 0, 0, 0)]
    columns = decode_payloads([cbor.array([*head, cbor.array([raw])]) for raw in raws])
    assert not any(columns.frames.reason)
    return columns
