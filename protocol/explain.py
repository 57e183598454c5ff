"""Says in words what a captured frame or message to a terminal means, field by field. Host only.

It has no key: everything is explained but whether the tag is genuine.
"""

from datetime import UTC, datetime
from typing import Any

from protocol import ack, cbor, down, errors, frame, limits, mac, meter_state, record, update
from protocol.host.event_names import EVENT_NAMES

_Credential = down.KeyOffer | down.KeyUse | down.Certificates
_Down = ack.Ack | down.Request | down.Configuration | down.Offer | down.Chunk | down.Abort | _Credential

_FRAME_ITEMS = 5
_KIND_SHOWN_MAX = 255
_CLOCKS = ("none", "RTC", "SNTP or a modem", "gateway")
_NONE_REASONS = {
    record.NONE_SILENT: "the meter was silent",
    record.NONE_EXCEPTION: "the meter refused",
    record.NONE_GARBLED: "no answer was intact",
    record.NONE_OTHER_METER: "another meter answered",
    record.NONE_NOT_SAMPLED: "not sampled in this window",
}
_REFUSALS = {
    ack.REFUSED_CONFLICT: "another record with this identity is durable",
    ack.REFUSED_CONTENT: "its content was refused",
    ack.REFUSED_POINTS: "a point that the gateway does not know",
}
_FLAGS = {record.FLAG_FEW_SAMPLES: "few samples", record.FLAG_ENERGY_STEP: "energy register stepped"}


def explain(data: bytes) -> dict[str, Any]:
    """`{"verdict", "reason", "fields"}` of what goes up or down; never raises, whatever the bytes."""
    fields: dict[str, Any] = {"bytes": len(data)}
    try:
        _explain_into(fields, data)
    except errors.FrameError as error:
        return {"verdict": error.verdict, "reason": str(error), "fields": fields}
    return {"verdict": "ok", "reason": "", "fields": fields}


def _explain_into(fields: dict[str, Any], data: bytes) -> None:
    envelope = mac.Envelope(data)
    fields["envelope"] = {
        "structure": "COSE_Mac0 (tag 17)",
        "algorithm": "HMAC 256/256 (5)",
        "key_generation": envelope.generation,
        "payload_bytes": envelope.payload_end - envelope.payload_at,
        "tag": envelope.tag.hex(),
        "authentication": "not checked: that needs the terminal's id and key",
    }
    frame.expect_version(frame.payload_reader(envelope))
    fields["version"] = 1
    reader = frame.payload_reader(envelope)
    if _goes_down(frame.payload_reader(envelope)):
        fields.update(_down_fields(down.read_down(reader, envelope.generation)))
    else:
        fields.update(_frame_fields(frame.read_frame(reader, envelope.generation)))


def _goes_down(reader: cbor.Reader) -> bool:
    """The direction, which only the tag is sure of, by the shape.

    A kind is a small number, an epoch hardly ever; and of what has five items, as a frame has, only in a frame the
    fourth is an integer.
    """
    _, items = reader.head()
    reader.uint(limits.VERSION)
    if _KIND_SHOWN_MAX < reader.uint(limits.VERSION_MAX) <= limits.UINT32_MAX:
        return False
    if items != _FRAME_ITEMS:
        return True
    reader.uint(limits.UINT32_MAX)
    return reader.peek() >> 5 != cbor.UINT


def _frame_fields(one: frame.Frame) -> dict[str, Any]:
    return {
        "direction": "up: terminal to gateway",
        "epoch": one.epoch,
        "boot_id": one.boot_id,
        "sent_at_uptime_ms": one.sent_ms,
        "records": [_record_fields(item) for item in one.records],
    }


def _down_fields(one: _Down) -> dict[str, Any]:
    if isinstance(one, ack.Ack):
        return _ack_fields(one)
    if isinstance(one, down.Request):
        return {
            "direction": "down: request of the gateway",
            "epoch": one.epoch,
            "wanted": [f"seq {first} to {last}" for first, last in one.ranges],
            "answers": _echo_words(one.echo),
        }
    if isinstance(one, down.Configuration):
        return {
            "direction": "down: configuration by the gateway",
            "version": one.version,
            "document": one.document.decode(errors="backslashreplace"),
            "answers": _echo_words(one.echo),
        }
    if isinstance(one, down.KeyOffer | down.KeyUse | down.Certificates):
        return _credential_fields(one)
    return _update_fields(one)


def _credential_fields(one: _Credential) -> dict[str, Any]:
    if isinstance(one, down.KeyOffer):
        said: dict[str, Any] = {"direction": "down: offer of a key", "offered": one.offered, "point": one.point.hex()}
    elif isinstance(one, down.KeyUse):
        said = {"direction": "down: use the key that this is sealed with"}
    else:
        said = {"direction": "down: certificates", "version": one.version, "document": one.document.hex()}
    return {**said, "answers": _echo_words(one.echo)}


def _update_fields(one: down.Offer | down.Chunk | down.Abort) -> dict[str, Any]:
    if isinstance(one, down.Offer):
        said: dict[str, Any] = {"direction": "down: offer of a release", "newest": one.vouched, **_manifest(one.signed)}
    elif isinstance(one, down.Chunk):
        end = one.offset + len(one.content)
        said = {
            "direction": "down: a piece of a release",
            "number": one.number,
            "piece": f"bytes {one.offset} to {end}",
        }
    else:
        said = {"direction": "down: end of an unfinished update", "number": one.number}
    return {**said, "answers": _echo_words(one.echo)}


def _manifest(signed: bytes) -> dict[str, Any]:
    """What a manifest says, whoever signed it."""
    try:
        found = update.read_manifest(update.signed_of(signed).payload)
    except update.UpdateError as error:
        return {"manifest": str(error)}
    return {
        "number": found.number,
        "version": found.version,
        "board": found.board,
        "best_before": _time_words(found.best_before_s),
        "payload_bytes": found.payload_bytes,
        "application": found.application.hex(),
    }


def _ack_fields(one: ack.Ack) -> dict[str, Any]:
    return {
        "direction": "down: ack of the gateway",
        "epoch": one.epoch,
        "durable": [f"seq {first} to {last}" for first, last in one.durable],
        "refused": [
            f"seq {first} to {last}: {_REFUSALS.get(reason, f'reason {reason}')}" for first, last, reason in one.refused
        ],
        "gateway_time": _time_words(one.time_ms / 1000),
        "answers": None if one.echo is None else _echo_words(one.echo),
    }


def _echo_words(echo: tuple[int, int]) -> str:
    return f"the frame of start {echo[0]:08x} sent at uptime {echo[1]} ms"


def _record_fields(one: record.Record) -> dict[str, Any]:
    body = _window_fields(one.body) if one.type == record.WINDOW else _event_fields(one.body)
    return {"seq": one.seq, "bytes": len(one.raw), **body}


def _clock_words(source: int, error_s: int) -> str:
    bound = "error not known" if error_s == 0xFFFF else f"error at most {error_s} s"
    return f"{_CLOCKS[source]}, {bound}"


def _time_words(time_s: float | None) -> str:
    if time_s is None:
        return "not known yet: placed by boot and uptime"
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{time_s} s after 1970: beyond the calendar"


def _window_fields(window: record.Window) -> dict[str, Any]:
    return {
        "type": "window",
        "start": _time_words(window.start_s),
        "length_s": window.length_s,
        "boot": window.boot,
        "end_uptime_s": window.end_uptime_s,
        "clock": _clock_words(window.clock_source, window.clock_error_s),
        "samples_due": window.samples_due,
        "readings": [
            _slot_fields(point, slot, window) for point, slot in enumerate(window.readings, start=1) if slot is not None
        ],
    }


def _slot_fields(point: int, slot: record.Reading | int, window: record.Window) -> dict[str, Any]:
    if isinstance(slot, int):
        return {"point": point, "none_because": _NONE_REASONS.get(slot, f"reason {slot}")}
    fields = {name: value for name, value in slot._asdict().items() if value is not None}
    if window.start_s is not None:
        fields["first_sample"] = _time_words(window.start_s + slot.first_s)
        fields["last_sample"] = _time_words(window.start_s + window.length_s - slot.last_s)
    fields["flags"] = [words for bit, words in _FLAGS.items() if slot.flags & bit] or slot.flags
    return {"point": point, **fields}


def _event_fields(event: record.Event) -> dict[str, Any]:
    name, meanings = EVENT_NAMES.get(event.code, (f"code {event.code}", ()))
    values = {
        (meanings[index] if index < len(meanings) else f"value_{index}"): value
        for index, value in enumerate(event.values)
    }
    return {
        "type": "event",
        "event": name,
        "time": _time_words(event.time_s),
        "boot": event.boot,
        "uptime_s": event.uptime_s,
        "clock": _clock_words(event.clock_source, event.clock_error_s),
        "point": event.point,
        **values,
        **({"state": meter_state.words(event.values[0])} if event.code == record.METER_STATE and event.values else {}),
    }
