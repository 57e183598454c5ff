"""Rows out of the journal: terminal by terminal, by the order of their logs, a bounded number of records at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice

from cext.decoder import NONE_BECAUSE, READING, Columns, decode_payloads
from gateway.export.columns import Row
from gateway.journal.spans import Entry, Spans
from protocol import cbor, limits
from protocol.record import WINDOW, Reading

_NOTHING = (None,) * len(Reading._fields)
_ALL = (1 << len(Reading._fields)) - 1
_HEAD_BYTES = 8  # of a payload around its records, at most: array, four small integers, array
_GROUP_BYTES = limits.FRAME_BYTES_MAX - _HEAD_BYTES  # a record alone always fits: it came in a frame


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
                found = [(entry, raw) for entry in some if (raw := spans.raw(entry.id)) is not None]
                yield from _rows(name, [entry for entry, _ in found], _decoded([raw for _, raw in found]))


def _decoded(raws: list[bytes]) -> Columns:
    """The records' columns: they are put into payloads, which the decoder takes, none larger than a frame may be."""
    groups: list[list[bytes]] = [[]]
    size = 0
    for raw in raws:
        size += len(raw)
        if groups[-1] and size > _GROUP_BYTES:
            groups.append([])
            size = len(raw)
        groups[-1].append(raw)
    head = [cbor.integer(number) for number in (limits.VERSION, 0, 0, 0)]
    found = decode_payloads([cbor.array([*head, cbor.array(group)]) for group in groups])
    if any(found.frames.reason):
        raise ValueError("the journal holds a record that does not decode")
    return found


def _rows(terminal: str, entries: list[Entry], columns: Columns) -> Iterator[Row]:
    records, slots = columns.records, columns.slots
    heads = [_of_record(entry) for entry in entries]
    tails = [
        (due, source, error_s, not timed, entry.epoch, entry.seq, entry.boot, entry.uptime_s)
        for due, source, error_s, timed, entry in zip(
            *(column.tolist() for column in (records.samples_due, records.clock_source, records.clock_error_s)),
            records.has_time.tolist(),
            entries,
            strict=True,
        )
    ]
    for of, point, kind, reason, present, values in zip(
        *(column.tolist() for column in (slots.record, slots.point, slots.kind, slots.none_reason, slots.present)),
        slots.values.tolist(),
        strict=True,
    ):
        if kind == READING:
            shown = values if present == _ALL else [v if present >> i & 1 else None for i, v in enumerate(values)]
            yield (terminal, point, *heads[of], None, *shown, _marks(entries[of], point), *tails[of])
        elif kind == NONE_BECAUSE:
            yield (terminal, point, *heads[of], reason, *_NOTHING, _marks(entries[of], point), *tails[of])


def _of_record(entry: Entry) -> tuple[int | None, ...]:
    return entry.start_s, entry.start_s, entry.length_s, entry.received_ms, entry.received_ms


def _marks(entry: Entry, point: int) -> str:
    """The marks of this point, and of the whole record."""
    return ";".join(sorted({check for check, marked in entry.marks if marked in {None, point}})) if entry.marks else ""
