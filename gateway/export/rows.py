"""Rows out of the journal: terminal by terminal, by the order of their logs, a bounded number of records at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice

from cext.decoder import NONE_BECAUSE, READING, Columns, decode_payloads
from gateway.export.columns import Row
from gateway.journal.spans import Entry, Spans
from protocol import cbor, limits
from protocol.record import WINDOW

_VALUES = 20  # of a reading


def rows(spans: Spans, terminals: Iterable[str], from_s: int, to_s: int, future_s: int) -> Iterator[Row]:
    """A row for each point of each window that begins in [from_s, to_s). future_s: as verify allows (Source)."""
    known = spans.terminals()
    since_id = spans.first_id((from_s - future_s - limits.WINDOW_S) * 1000)
    for name in terminals:
        if name in known:
            entries = (
                entry
                for entry in spans.log(known[name], since_id)
                if entry.type == WINDOW and entry.start_s is not None and from_s <= entry.start_s < to_s
            )
            while some := list(islice(entries, limits.RECORDS_MAX)):
                yield from _rows(name, some, _decoded([spans.raw(entry.id) for entry in some]))


def _decoded(raws: list[bytes]) -> Columns:
    """The records' columns: they are put into a payload of their own, for the decoder that takes no less."""
    head = [cbor.integer(number) for number in (limits.VERSION, 0, 0, 0)]
    found = decode_payloads([cbor.array([*head, cbor.array(raws)])])
    if found.frames.reason[0]:
        raise ValueError(f"the journal holds a record that does not decode, at {found.frames.offset[0]}")
    return found


def _rows(terminal: str, entries: list[Entry], columns: Columns) -> Iterator[Row]:
    records, slots = columns.records, columns.slots
    for at in range(len(slots)):
        if slots.kind[at] not in {READING, NONE_BECAUSE}:
            continue
        of = slots.record[at]
        entry, point = entries[of], slots.point[at]
        marks = {check for check, marked in entry.marks if marked in {None, point}}
        present = slots.present[at]
        yield (
            terminal,
            point,
            entry.start_s,
            entry.start_s,
            entry.length_s,
            entry.received_ms,
            entry.received_ms,
            slots.none_reason[at] or None,
            *(slots.values[at, i] if present >> i & 1 else None for i in range(_VALUES)),
            ";".join(sorted(marks)),
            records.samples_due[of],
            records.clock_source[of],
            records.clock_error_s[of],
            not records.has_time[of],
            entry.epoch,
            entry.seq,
            entry.boot,
            entry.uptime_s,
        )
