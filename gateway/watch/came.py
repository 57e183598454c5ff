"""What came from terminals, out of the journal's columns: each record with when it came and when it tells of."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from cext.decoder import READING, Columns
from gateway.journal.rows import Decoded
from protocol.record import METER_LEARNT, METER_SWAPPED, RATIO_CHANGED, WINDOW, Reading

Values = tuple[int | None, ...]  # of a reading, in the order of protocol.record.Reading
WINDOW_CODE, NO_TIME = 0, -1  # no event has these
# told before the gateway tells the time, as a meter is read at once after a start: they count as of when they came
_AT_ONCE = frozenset({METER_SWAPPED, RATIO_CHANGED, METER_LEARNT})


class Came(NamedTuple):
    """A record. received_s: by the gateway's clock. [from_s, to_s): a window; from_s = to_s: an event's time.

    code, point, values: of an event; code WINDOW_CODE: a window; NO_TIME: it has no time yet, and tells only that the
    terminal was heard. readings: of a window, by point.
    """

    terminal: str
    received_s: int
    from_s: int
    to_s: int
    clock_error_s: int
    code: int = WINDOW_CODE
    point: int = 0
    values: tuple[int, ...] = ()
    readings: dict[int, Values] = {}  # noqa: RUF012  never changed
    marks: tuple[tuple[str, int | None], ...] = ()
    epoch: int = 0


class Asked(NamedTuple):
    """A record that is wanted. start_s: where the journal has it in time; None: nowhere yet."""

    terminal: str
    start_s: int | None
    marks: Sequence[tuple[str, int | None]]
    epoch: int


def came_of(asked: Sequence[Asked], decoded: Decoded) -> Iterator[Came]:
    """Those of `asked` that are not retired; decoded: of the same records, in the same order."""
    columns = decoded.columns
    readings = _readings(columns)
    records = zip(
        *(
            column.tolist()
            for column in (
                columns.records.frame,
                columns.records.type,
                columns.records.length_s,
                columns.records.clock_error_s,
                columns.records.code,
                columns.records.point,
                columns.records.first,
                columns.records.count,
            )
        ),
        strict=True,
    )
    of_row = list(records)
    for one, row in zip(asked, decoded.rows, strict=True):
        if row is None:
            continue
        frame, kind, length_s, error_s, code, point, first, count = of_row[row]
        received_s, marks = decoded.received_ms[frame] // 1000, tuple(one.marks)
        start_s = received_s if one.start_s is None and kind != WINDOW and code in _AT_ONCE else one.start_s
        if start_s is None:
            yield Came(one.terminal, received_s, received_s, received_s, 0, NO_TIME, epoch=one.epoch)
        elif kind == WINDOW:
            end_s = start_s + length_s
            shown = readings.get(row, {})
            yield Came(one.terminal, received_s, start_s, end_s, error_s, readings=shown, marks=marks, epoch=one.epoch)
        else:
            values = tuple(columns.integers[first : first + count].tolist())
            yield Came(one.terminal, received_s, start_s, start_s, error_s, code, point, values, {}, marks, one.epoch)


def _readings(columns: Columns) -> dict[int, dict[int, Values]]:
    """By record's row and point."""
    slots = columns.slots
    found: dict[int, dict[int, Values]] = {}
    for record, point, kind, present, values in zip(
        *(column.tolist() for column in (slots.record, slots.point, slots.kind, slots.present)),
        slots.values.tolist(),
        strict=True,
    ):
        if kind == READING:
            for at in _absent(present):
                values[at] = None
            found.setdefault(record, {})[point] = tuple(values)
    return found


@lru_cache(1024)  # a model of meter lacks the same quantities always
def _absent(present: int) -> tuple[int, ...]:
    """Which of a reading's values are not there."""
    return tuple(at for at in range(len(Reading._fields)) if not present >> at & 1)
