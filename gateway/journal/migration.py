"""Steps between the journal's versions that SQL can't do.

Each runs after its schema's statements, in their transaction.
"""

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from cext.verify import NAMES
from gateway.journal import blocks, chain

_FRAMES = """
SELECT frames_1.id, frames_1.received_ms, terminals.name, frames_1.bytes
FROM frames_1 JOIN terminals ON terminals.id = frames_1.terminal ORDER BY frames_1.id
"""


class _Frame(NamedTuple):
    """A frame of version 1 as a block has it."""

    received_ms: int
    packed: bytes
    records: list[int]
    marks: list[tuple[int, int, int]]  # (record, check's number, point)


def to_blocks(connection: sqlite3.Connection) -> None:
    """Version 1 to 2: a row a frame and a row a record become blocks. Records keep their numbers: sinks know them."""
    link, expected = chain.START, 1
    for received_ms, frames in itertools.groupby(_frames(connection), lambda one: one.received_ms):
        for some in _some(frames, blocks.FRAMES_MAX):
            first, records = some[0].records[0], sum(len(one.records) for one in some)
            if [number for one in some for number in one.records] != list(range(expected, expected + records)):
                raise ValueError(f"journal of version 1: records from {expected} on are not in order")
            marks = b"".join(blocks.MARK.pack(n - first, check, point) for one in some for n, check, point in one.marks)
            packed = b"".join(one.packed for one in some)
            link = chain.link_of(link, (first, records, received_ms), marks, packed)
            connection.execute(
                "INSERT INTO blocks (first, records, received_ms, link, marks, frames) VALUES (?, ?, ?, ?, ?, ?)",
                (first, records, received_ms, link, marks, packed),
            )
            expected += records
    _copy_the_rest(connection)
    for table in ("placements_1", "boots_1", "records_1", "frames_1"):
        connection.execute(f"DROP TABLE {table}")


STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {2: to_blocks}


def _frames(connection: sqlite3.Connection) -> Iterator[_Frame]:
    for frame, received_ms, name, data in connection.execute(_FRAMES):
        begins = _begins(data)
        mask, numbers, marks = 0, [], []
        rows = connection.execute("SELECT id, at, marks FROM records_1 WHERE frame = ? ORDER BY id", (frame,))
        for number, at, text in rows:
            mask |= 1 << begins.index(at)
            numbers.append(number)
            marks += [(number, NAMES.index(check), point or 0) for check, point in json.loads(text)]
        head = blocks.HEAD.pack(mask, len(data), len(name))
        yield _Frame(received_ms, head + name.encode("ascii") + data, numbers, marks)


def _begins(data: bytes) -> list[int]:
    """Where each record begins in a frame's bytes."""
    kept = [blocks.Kept(0, "", data)]
    offset = data.index(blocks.payload_of(data))
    return [offset + begin for begin in blocks.columns_of(kept).records.begin]


def _some(frames: Iterable[_Frame], most: int) -> Iterator[list[_Frame]]:
    iterator = iter(frames)
    while some := list(itertools.islice(iterator, most)):
        yield some


def _copy_the_rest(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TEMP VIEW untimed_1 AS SELECT * FROM records_1 WHERE start_s IS NULL AND type = 1")
    for statement in (
        "INSERT INTO boots SELECT terminal, epoch, boot, error_s, uptime_s, seq, time_s FROM boots_1",
        "INSERT INTO placements (id, record, start_s) SELECT id, record, start_s FROM placements_1 ORDER BY id",
        "INSERT INTO timeless SELECT id, terminal, epoch, boot, uptime_s, length_s FROM untimed_1",
        "INSERT INTO logs SELECT terminal, epoch, min(id) FROM records_1 GROUP BY terminal, epoch",
        "INSERT INTO counters (name, value) SELECT 'frames', count(*) FROM frames_1",
        "INSERT INTO counters (name, value) SELECT 'windows', count(*) FROM records_1 WHERE type = 1",
        "INSERT INTO counters (name, value) SELECT 'events', count(*) FROM records_1 WHERE type = 2",
    ):
        connection.execute(statement)
    connection.execute("DROP VIEW untimed_1")
