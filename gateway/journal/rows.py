"""Records as they stand in blocks: what reader.py and spans.py are made of."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from cext.decoder import READING, Columns
from cext.verify import NAMES, window_points
from gateway.database import connect_for_reading, newer, schema_version
from gateway.journal import blocks
from gateway.journal.blocks import DamagedError, Kept
from gateway.journal.index import Powers
from gateway.journal.journal import FILE, SCHEMA
from protocol.record import WINDOW, Reading

POWERS_A_TIME = 512  # windows decoded at once: five days of a terminal, some 5 MiB
_P_MEAN_W = 1 << Reading._fields.index("p_mean_w")  # of what is present
BLOCKS_KEPT = 64  # decoded and at hand: a reader that goes on where it was decodes each block once

_RECEIVED_MS_MAX = 253_402_300_799_999  # the year 9999, the last that a date can be of

Mark = tuple[str, int | None]  # check, point or None for all


class OlderSchemaError(Exception):
    """The file was written by an older version of this program, and no gateway of this one has run on it yet."""


class Row(NamedTuple):
    """A record without its bytes. id: the order of acceptance.

    time_s: a window's start, an event's time, as the terminal said; None: it did not know. uptime_s: at the window's
    end, at the event. received_ms: by the gateway's clock.
    """

    id: int
    terminal: str
    epoch: int
    seq: int
    type: int
    time_s: int | None
    length_s: int
    boot: int
    uptime_s: int
    received_ms: int
    marks: list[Mark]


def connect_to(folder: Path) -> sqlite3.Connection:
    """A connection that can't change the journal.

    Raises sqlite3.OperationalError where there is none, OlderSchemaError, NewerSchemaError.
    """
    connection = connect_for_reading(folder / FILE)
    version, newest = schema_version(connection), len(list(SCHEMA.glob("*.sql")))
    if version == newest:
        return connection
    connection.close()
    if version > newest:
        raise newer(folder / FILE, version, newest)
    text = f"schema {version} of {newest}: run the gateway once, it migrates / 数据库版本较旧，请先运行网关以迁移"
    raise OlderSchemaError(text)


class Seen(NamedTuple):
    """A window, of a known time, as the gauges need it: points as bits, point 1 the lowest."""

    terminal: str
    start_s: int
    length_s: int
    readings: int
    silent: int


class Unpacked(NamedTuple):
    """A block's records, in order: item i of each is one. points: (has a reading, has none because), as bits."""

    rows: list[Row]
    raws: list[bytes]
    points: list[tuple[int, int]]


NOTHING = Unpacked([], [], [])


class Decoded(NamedTuple):
    """Records as columns. rows[i]: the row of the i-th record in columns.records, None where it is retired.

    frames[f]: the frame that is row f of columns.frames, as it came; received_ms[f]: when, by the gateway's clock.
    """

    columns: Columns
    rows: list[int | None]
    frames: list[Kept]
    received_ms: list[int]


class Blocks:
    """Reads blocks by record. One thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unpacked = lru_cache(BLOCKS_KEPT)(self._unpack)

    def after(self, record: int, limit: int) -> list[Row]:
        """Records with a greater id, in order."""
        found: list[Row] = []
        first = self._first_of(record + 1)
        while first is not None and len(found) < limit:
            rows = self._unpacked(first).rows
            if not rows:
                break
            found += [row for row in rows if row.id > record][: limit - len(found)]
            first = rows[-1].id + 1 if rows[-1].id < self.last_id() else None
        return self._with_remarks(found)

    def of_terminal(self, terminal: str, record: int) -> list[Row]:
        """A terminal's records with a greater id, in order; of the others' frames none is decoded."""
        found: list[Row] = []
        for first, received_ms, marks, packed in self._connection.execute(
            "SELECT first, received_ms, marks, frames FROM blocks WHERE first + records - 1 > ?1"
            " AND first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?1), 0) ORDER BY first",
            (record,),
        ):
            some = list(blocks.of_terminal(packed, terminal))
            if some:
                kept = [one for one, _ in some]
                numbers = [at + number for one, number in some for at in range(one.mask.bit_count())]
                ids = [first + number for number in numbers]
                columns = blocks.columns_of(kept)
                found += _rows(ids, received_ms, blocks.marks_of(marks, first), kept, columns, _are_new(kept, columns))
        return self._with_remarks([row for row in found if row.id > record])

    def row(self, record: int) -> Row | None:
        """One record; None: there is none of this id, or it is retired."""
        found = self.after(record - 1, 1)
        return found[0] if found and found[0].id == record else None

    def frame(self, record: int) -> tuple[Kept, int]:
        """The frame that brought a record, and the record's place in it. Raises KeyError where there is none."""
        row = self._connection.execute(
            "SELECT first, frames FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1", (record,)
        ).fetchone()
        number = record - row[0] if row else -1  # among the new ones of the block
        for kept in blocks.frames_of(row[1]) if row else ():
            count = kept.mask.bit_count()
            if number < count:
                return kept, [place for place in range(64) if kept.mask >> place & 1][number]
            number -= count
        raise KeyError(record)

    def decoded(self, records: Sequence[int]) -> Decoded:
        """What these records say, in any order; as many blocks are read as it takes. Raises ValueError: damaged."""
        found: list[tuple[int, Kept]] = []
        places: dict[int, tuple[int, int]] = {}
        wanted = sorted(set(records))
        at = 0
        while at < len(wanted):
            block = self._connection.execute(
                "SELECT first, records, received_ms, frames FROM blocks WHERE first <= ? AND first + records > ?"
                " ORDER BY first DESC LIMIT 1",
                (wanted[at], wanted[at]),
            ).fetchone()
            if block is None:
                at += 1
                continue
            first, count, received_ms, packed = block
            end = bisect_left(wanted, first + count, at)
            asked = iter(wanted[at:end])
            for kept, of_frame in blocks.holding(packed, [record - first for record in wanted[at:end]]):
                places |= {next(asked): (len(found), place) for place in of_frame}
                found.append((received_ms, kept))
            at = end
        frames = [one for _, one in found]
        columns = blocks.columns_of(frames)
        heads = columns.frames.first_record.tolist()
        rows = [None if (one := places.get(record)) is None else heads[one[0]] + one[1] for record in records]
        return Decoded(columns, rows, frames, [at_ms for at_ms, _ in found])

    def powers(self, records: Sequence[int]) -> Iterator[tuple[int, Powers]]:
        """(record, its mean powers) of these windows that are kept, in any order. Raises DamagedError."""
        for at in range(0, len(records), POWERS_A_TIME):
            some = records[at : at + POWERS_A_TIME]
            found = self.decoded(some)
            of_rows = powers_of(found.columns)
            yield from ((one, of_rows[row]) for one, row in zip(some, found.rows, strict=True) if row is not None)

    def first_id(self, received_ms: int) -> int:
        """The id from which on records were received at this time or later; one past the end if none was."""
        first = self._connection.execute("SELECT coalesce(min(first), 1) FROM blocks").fetchone()[0]
        low, high = int(first), self.last_id() + 1
        while low < high:
            middle = (low + high) // 2
            begin, count, received = self._connection.execute(
                "SELECT first, records, received_ms FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1", (middle,)
            ).fetchone()
            if received < received_ms:
                low = int(begin + count)
            else:
                high = int(begin)
        return low

    def raw(self, record: int) -> bytes:
        """A record's bytes, out of its frame. Raises KeyError where there is none."""
        first = self._first_of(record)
        if first is None or first > record:
            raise KeyError(record)
        return self._unpacked(first).raws[record - first]

    def windows_after(self, record: int) -> tuple[list[Seen], int]:
        """(the windows with a time of the next block's records with a greater id, the last id of them all)."""
        first = self._first_of(record + 1)
        block = NOTHING if first is None else self._unpacked(first)
        seen = [
            Seen(row.terminal, row.time_s, row.length_s, *points)
            for row, points in zip(block.rows, block.points, strict=True)
            if row.id > record and row.type == WINDOW and row.time_s is not None
        ]
        return seen, block.rows[-1].id if block.rows else record

    def last_id(self) -> int:
        """The id of the newest record, 0 if there is none."""
        row = self._connection.execute("SELECT first + records - 1 FROM blocks ORDER BY first DESC LIMIT 1").fetchone()
        return int(row[0]) if row else 0

    def marked(self, rows: list[Row]) -> list[Row]:
        """The same records, of any blocks, with their marks."""
        if not rows:
            return rows
        wanted: dict[int, list[Mark]] = {row.id: [] for row in rows}
        for first, marks in self._connection.execute(
            "SELECT first, marks FROM blocks WHERE marks != x'' AND first BETWEEN"
            " coalesce((SELECT max(first) FROM blocks WHERE first <= ?), 0) AND ?",
            (min(wanted), max(wanted)),
        ):
            for record, check, point in blocks.marks_of(marks, first):
                if record in wanted:
                    wanted[record].append((check, point))
        return self._with_remarks([row._replace(marks=sorted(wanted[row.id], key=repr)) for row in rows])

    def _first_of(self, record: int) -> int | None:
        """Where the block with this record begins, or where it is retired the next one; None: it is not there yet."""
        row = self._connection.execute(
            "SELECT first, records FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1", (record,)
        ).fetchone()
        if row is None or row[0] + row[1] <= record:  # blocks do not overlap: no earlier one has it
            row = self._connection.execute(
                "SELECT first FROM blocks WHERE first > ? ORDER BY first LIMIT 1", (record,)
            ).fetchone()
        return int(row[0]) if row else None

    def _unpack(self, first: int) -> Unpacked:
        row = self._connection.execute(
            "SELECT first, records, received_ms, marks, frames FROM blocks WHERE first = ?", (first,)
        ).fetchone()
        return unpack(*row) if row else NOTHING

    def _with_remarks(self, rows: list[Row]) -> list[Row]:
        """Energy marks are those that were found last."""
        if not rows:
            return rows
        span = (min(row.id for row in rows), max(row.id for row in rows))
        remarks: dict[int, dict[int, int]] = {}
        for record, point, check in self._connection.execute(
            "SELECT record, point, energy_check FROM remarks WHERE record BETWEEN ? AND ? ORDER BY id", span
        ):
            remarks.setdefault(record, {})[point] = check
        return [row._replace(marks=remarked(row.marks, remarks[row.id])) if row.id in remarks else row for row in rows]


STEP_CHECKS = frozenset({"energy_fell", "energy_jumped", "energy_not_power"})  # those that the records before decide


def remarked(marks: list[Mark], later: dict[int, int]) -> list[Mark]:
    """Marks after others were found for some points. later: point to the check's number, 0 for none."""
    kept = [(check, point) for check, point in marks if check not in STEP_CHECKS or point not in later]
    return sorted(kept + [(NAMES[check], point) for point, check in later.items() if check], key=repr)


def unpack(first: int, records: int, received_ms: int, marks: bytes, frames: bytes) -> Unpacked:
    """The records of a block. Raises DamagedError."""
    kept = blocks.frames_of(frames)
    columns = blocks.columns_of(kept)
    one, payloads = columns.records, [blocks.payload_of(each.data) for each in kept]
    is_new = _are_new(kept, columns)
    if sum(is_new) != records:
        raise DamagedError(f"block {first} has {sum(is_new)} records and should have {records}")
    if not 0 <= received_ms <= _RECEIVED_MS_MAX:
        raise DamagedError(f"block {first} was received at {received_ms} ms")
    raws = [payloads[frame][begin:end] for frame, begin, end in zip(one.frame, one.begin, one.end, strict=True)]
    return Unpacked(
        list(_rows(range(first, first + records), received_ms, blocks.marks_of(marks, first), kept, columns, is_new)),
        list(compress(raws, is_new)),
        list(compress(window_points(columns), is_new)),
    )


def powers_of(columns: Columns) -> list[Powers]:
    """Of each record; of an event none."""
    slots = columns.slots
    fields = (slots.record, slots.kind, slots.present, slots.p_mean_w)
    found: list[list[int | None]] = [[] for _ in columns.records.seq]
    for record, kind, present, power_w in zip(*(one.tolist() for one in fields), strict=True):  # points from 1 on
        found[record].append(power_w if kind == READING and present & _P_MEAN_W else None)
    return list(found)


def _are_new(kept: list[Kept], columns: Columns) -> list[int]:
    """Of each record of these frames, whether it was new here."""
    return [
        one.mask >> place & 1
        for one, count in zip(kept, columns.frames.record_count, strict=True)
        for place in range(count)
    ]


def _rows(
    ids: Sequence[int],
    received_ms: int,
    marks: Iterable[tuple[int, str, int | None]],
    kept: list[Kept],
    columns: Columns,
    is_new: list[int],
) -> Iterator[Row]:
    marked: dict[int, list[Mark]] = {}
    for record, check, point in marks:
        marked.setdefault(record, []).append((check, point))
    one, epochs = columns.records, columns.frames.epoch.tolist()
    fields = zip(
        one.frame, one.seq, one.type, one.has_time, one.time_s, one.length_s, one.boot, one.uptime_s, strict=True
    )
    for record, (frame, seq, kind, timed, time_s, *rest) in zip(ids, compress(fields, is_new), strict=True):
        length_s, boot, uptime_s = rest
        yield Row(
            record,
            kept[frame].terminal,
            epochs[frame],
            seq,
            kind,
            time_s if timed else None,
            length_s,
            boot,
            uptime_s,
            received_ms,
            sorted(marked[record], key=repr) if record in marked else [],
        )
