"""A record as a JSON document: what brokers and message stores get. Units end the names; what is absent is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cext.decoder import NONE_BECAUSE, READING
from gateway.forward.sink import Batch
from gateway.journal.reader import Stored
from protocol.host.event_names import EVENT_NAMES
from protocol.record import WINDOW, Reading

_FIELDS = Reading._fields
_ALL = (1 << len(_FIELDS)) - 1


def documents(batch: Batch) -> Iterator[tuple[Stored, bytes]]:
    """(record, its document), in the batch's order. (terminal, epoch, seq) names it: met twice it counts once.

    A window: points, each with a reading's values or `none_because` (SPEC.md, FR-29). An event: its code, name, values.
    """
    records, slots = batch.columns.records, batch.columns.slots
    heads = {
        name: getattr(records, name).tolist()
        for name in ("frame", "first", "count", "length_s", "boot", "uptime_s", "samples_due", "clock_source",
                     "clock_error_s", "has_time", "code", "point")
    }  # fmt: skip
    kinds, points, reasons = slots.kind.tolist(), slots.point.tolist(), slots.none_reason.tolist()
    present: list[int] = slots.present.tolist()
    values: Any = slots.values.tolist()  # a list a slot
    integers = batch.columns.integers.tolist()
    for one, row in zip(batch.records, batch.rows, strict=True):
        head = {name: column[row] for name, column in heads.items()}
        span = range(head["first"], head["first"] + head["count"])
        found: dict[str, Any] = {
            "terminal": one.terminal,
            "epoch": one.epoch,
            "seq": one.seq,
            "type": "window" if one.type == WINDOW else "event",
            "time_s": one.start_s,
            "received_ms": batch.received_ms[head["frame"]],
            **{name: head[name] for name in ("boot", "uptime_s", "clock_source", "clock_error_s")},
        }
        if one.type == WINDOW:
            found |= {"length_s": head["length_s"], "samples_due": head["samples_due"], "placed": not head["has_time"]}
            if one.marks:
                found["marks"] = [{"check": check, "point": point} for check, point in one.marks]
            found["points"] = [
                _point(points[at], kinds[at], reasons[at], present[at], values[at])
                for at in span
                if kinds[at] in {READING, NONE_BECAUSE}
            ]
        else:
            name = EVENT_NAMES.get(head["code"], (f"code_{head['code']}", ()))[0]
            found |= {"code": head["code"], "event": name, "values": [integers[at] for at in span]}
            if head["point"]:
                found["point"] = head["point"]
        yield one, msgspec.json.encode(found)


def _point(point: int, kind: int, reason: int, present: int, values: list[int]) -> dict[str, int]:
    if kind == NONE_BECAUSE:
        return {"point": point, "none_because": reason}
    if present == _ALL:
        return {"point": point, **dict(zip(_FIELDS, values, strict=True))}
    there = {name: value for at, (name, value) in enumerate(zip(_FIELDS, values, strict=True)) if present >> at & 1}
    return {"point": point, **there}
