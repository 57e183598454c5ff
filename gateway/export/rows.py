"""Rows out of the journal: terminal by terminal, by the order of their logs, a bounded number of records at a time."""

from collections.abc import Iterable, Iterator

from cext.decoder import NONE_BECAUSE, READING
from gateway.export.columns import Row
from gateway.export.windows import Windows, windows
from gateway.journal.spans import Entry, Spans
from protocol.record import Reading

_NOTHING = (None,) * len(Reading._fields)
_ALL = (1 << len(Reading._fields)) - 1


def rows(spans: Spans, terminals: Iterable[str], from_s: int, to_s: int) -> Iterator[Row]:
    """A row for each point of each window that begins in [from_s, to_s)."""
    for some in windows(spans, terminals, from_s, to_s):
        yield from _rows(some)


def _rows(some: Windows) -> Iterator[Row]:
    records, slots = some.columns.records, some.columns.slots
    columns = (slots.point, slots.kind, slots.none_reason, slots.present, slots.values)
    of_slots = list(zip(*(column.tolist() for column in columns), strict=True))
    for row, entry in some.entries.items():
        head, tail = _of_record(entry), _behind(some, row)
        first = records.first[row]
        for point, kind, reason, present, values in of_slots[first : first + records.count[row]]:
            if kind == READING:
                shown = values if present == _ALL else [v if present >> i & 1 else None for i, v in enumerate(values)]
                yield (some.terminal, point, *head, None, *shown, marks_of(entry, point), *tail)
            elif kind == NONE_BECAUSE:
                yield (some.terminal, point, *head, reason, *_NOTHING, marks_of(entry, point), *tail)


def marks_of(entry: Entry, point: int) -> str:
    """The marks of this point, and of the whole record."""
    return ";".join(sorted({check for check, marked in entry.marks if marked in {None, point}})) if entry.marks else ""


def _of_record(entry: Entry) -> tuple[int | None, ...]:
    return entry.start_s, entry.start_s, entry.length_s, entry.received_ms, entry.received_ms


def _behind(some: Windows, row: int) -> tuple[int | bool, ...]:
    """The columns behind a reading's."""
    entry, records = some.entries[row], some.columns.records
    clock = (records.clock_source[row], records.clock_error_s[row], not records.has_time[row])
    return (records.samples_due[row], *clock, entry.epoch, entry.seq, entry.boot, entry.uptime_s)
