"""A record of the journal as an operator reads it: one object, or one line."""

from datetime import UTC, datetime
from typing import Any

from gateway.journal.spans import Entry
from protocol import meter_state
from protocol.host.event_names import EVENT_NAMES
from protocol.record import METER_STATE, Event, Reading, Window, decode_record

NONE_WORDS = {1: "silent", 2: "exception", 3: "garbled", 4: "other_meter", 5: "not_sampled"}  # FR-29
_SHOWN = (("p_mean_w", "W"), ("e_import_wh", "Wh"), ("run_s", "s running"))  # of a reading, on a line


def described(terminal: str, entry: Entry, raw: bytes) -> dict[str, Any]:
    """Everything that a record says, by name; what is absent is left out."""
    body = decode_record(raw).body
    found: dict[str, Any] = {
        "record": entry.id,
        "received": _iso(entry.received_ms / 1000),
        "terminal": terminal,
        "epoch": entry.epoch,
        "seq": entry.seq,
        "boot": entry.boot,
        "uptime_s": entry.uptime_s,
        "clock_source": body.clock_source,
        "clock_error_s": body.clock_error_s,
    }
    if entry.start_s is not None:
        found["time"] = _iso(entry.start_s)
        found["time_unix_s"] = entry.start_s
    if entry.marks:
        found["marks"] = [{"check": check, "point": point} for check, point in entry.marks]
    return {**found, **(_window(body) if isinstance(body, Window) else _event(body))}


def line(found: dict[str, Any]) -> str:
    """The same for one line of a screen."""
    time = found.get("time", "no time yet")
    words = [f"{found['received']}  {found['terminal']}  {found['epoch']:08x}/{found['seq']}"]
    if found["type"] == "window":
        words.append(f"window {time} +{found['length_s']} s")
        words += [f"{point}: {_slot_text(slot)}" for point, slot in found["points"].items()]
    else:
        about = f" point {found['point']}" if found.get("point") else ""
        values = ", ".join(f"{name} {value}" for name, value in found["values"].items())
        state = f" ({', '.join(found['state']) or 'nothing'})" if "state" in found else ""
        words.append(f"event {time} {found['event']}{about} {values}{state}".rstrip())
    if "marks" in found:
        marks = (f"{one['check']}{'' if one['point'] is None else ' ' + str(one['point'])}" for one in found["marks"])
        words.append(f"MARKED {', '.join(marks)}")
    return " | ".join(words)


def _window(body: Window) -> dict[str, Any]:
    points = {point: _slot(slot) for point, slot in enumerate(body.readings, start=1) if slot is not None}
    return {"type": "window", "length_s": body.length_s, "samples_due": body.samples_due, "points": points}


def _slot(slot: Reading | int) -> dict[str, Any]:
    if isinstance(slot, int):
        return {"none_because": slot, "meaning": NONE_WORDS.get(slot, "unknown")}
    return {name: value for name, value in slot._asdict().items() if value is not None}


def _event(body: Event) -> dict[str, Any]:
    name, meanings = EVENT_NAMES.get(body.code, (f"code_{body.code}", ()))
    names = [*meanings, *(f"value_{number}" for number in range(len(meanings) + 1, len(body.values) + 1))]
    found = {"type": "event", "event": name, "code": body.code}
    if body.point is not None:
        found["point"] = body.point
    if body.code == METER_STATE and body.values:
        found["state"] = meter_state.words(body.values[0])
    return {**found, "values": dict(zip(names, body.values, strict=False))}


def _slot_text(slot: dict[str, Any]) -> str:
    if "none_because" in slot:
        return f"none ({slot['meaning']})"
    return " ".join(f"{slot[name]} {unit}" for name, unit in _SHOWN if name in slot)


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
