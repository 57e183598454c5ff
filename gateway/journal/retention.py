"""What need not be kept any more leaves the journal: the oldest commits, whole ones, a few at a time.

Never what a sink has not settled, never what the index does not know yet, never the newest commit. That a record was
taken stays known for ever, and so does the chain's link at the point where the journal now begins (schema/0003.sql).
"""

import sqlite3
import struct
from collections.abc import Iterator, Mapping
from itertools import compress, groupby
from typing import NamedTuple

from gateway.database import transaction
from gateway.journal import blocks, index

BLOCKS_A_STEP = 16  # up to 1,024 frames, some 20 ms: a batch that waits meanwhile hardly notices


_RECORD = struct.Struct("<4xQ40x")  # of an entry of the index


class Rule(NamedTuple):
    """What is kept: what was received at `since_ms` or later, and of that no more than `bytes_most`."""

    since_ms: int
    bytes_most: int | None


class Settled(NamedTuple):
    """How far a sink needs the journal no more: records up to here, windows that were placed up to there."""

    record: int
    placement: int


class Retired(NamedTuple):
    """What a step came to. unplaced: windows among the records whose time never became known.

    more: there is more to retire now. held_by: sinks for whose sake something older than the rule says is kept.
    behind_index: the index does not know what comes next.
    """

    frames: int = 0
    records: int = 0
    unplaced: int = 0
    more: bool = False
    held_by: tuple[str, ...] = ()
    behind_index: bool = False


class _Block(NamedTuple):
    first: int
    records: int
    received_ms: int
    link: bytes
    frames: bytes


class _Chosen(NamedTuple):
    gone: list[_Block]
    more: bool = False
    held_by: tuple[str, ...] = ()
    behind_index: bool = False


class _Record(NamedTuple):
    day: int
    terminal: int
    epoch: int
    seq: int


def step(connection: sqlite3.Connection, rule: Rule, settled: Mapping[str, Settled]) -> Retired:
    """Retire the oldest of what the rule does not keep, in one transaction.

    Raises StoreUnavailableError: nothing is retired.
    """
    with transaction(connection):
        chosen = _choose(connection, rule, _most(connection, settled))
        done = _retire(connection, chosen.gone) if chosen.gone else Retired()
    return done._replace(more=chosen.more, held_by=chosen.held_by, behind_index=chosen.behind_index)


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the file holds; pages that were freed and wait to be used again do not count."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def is_retired(connection: sqlite3.Connection, terminal: int, epoch: int, seq: int) -> bool:
    """Whether a record was taken, and has left with its frame."""
    row = connection.execute(
        "SELECT last FROM retired WHERE terminal = ? AND epoch = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        (terminal, epoch, seq),
    ).fetchone()
    return row is not None and seq <= row[0]


def _choose(connection: sqlite3.Connection, rule: Rule, most: Mapping[str, int]) -> _Chosen:
    """The commits of a step. most: up to which record each sink lets go."""
    over_bytes = 0 if rule.bytes_most is None else used_bytes(connection) - rule.bytes_most
    limit = min(most.values())
    gone: list[_Block] = []
    for commit in _oldest_commits(connection):
        if commit[0].received_ms >= rule.since_ms and over_bytes <= 0:
            break
        last = commit[-1].first + commit[-1].records - 1
        if last > limit:
            held_by = tuple(sorted(sink for sink, to in most.items() if sink and to < last))
            return _Chosen(gone, held_by=held_by, behind_index=most[""] < last)
        if len(gone) >= BLOCKS_A_STEP:
            return _Chosen(gone, more=True)
        gone += commit
        over_bytes -= sum(len(one.frames) for one in commit)
    return _Chosen(gone)


def _most(connection: sqlite3.Connection, settled: Mapping[str, Settled]) -> dict[str, int]:
    """Up to which record each sink lets go; under "", the index."""
    (indexed,) = connection.execute("SELECT indexed FROM progress").fetchone()
    found = {"": int(indexed)}
    for sink, until in settled.items():
        (waiting,) = connection.execute(
            "SELECT min(record) FROM placements WHERE id > ?", (until.placement,)
        ).fetchone()
        found[sink] = until.record if waiting is None else min(until.record, waiting - 1)
    return found


def _oldest_commits(connection: sqlite3.Connection) -> Iterator[list[_Block]]:
    """The blocks commit by commit, the newest commit left out. Commits of one millisecond count as one."""
    rows = connection.execute("SELECT first, records, received_ms, link, frames FROM blocks ORDER BY first")
    before: list[_Block] = []
    for _, some in groupby(map(_Block._make, rows), lambda one: one.received_ms):
        if before:
            yield before
        before = list(some)


def _retire(connection: sqlite3.Connection, gone: list[_Block]) -> Retired:
    to = gone[-1].first + gone[-1].records - 1
    terminals = dict(connection.execute("SELECT name, id FROM terminals"))
    kept = [one for block in gone for one in blocks.frames_of(block.frames)]
    records = list(_records_of(kept, terminals))
    _leave_index(connection, records, to)
    _remember(connection, records)
    unplaced = _forget_times(connection, to)
    for table, column in (("remarks", "block"), ("blocks", "first")):
        connection.execute(f"DELETE FROM {table} WHERE {column} <= ?", (to,))  # noqa: S608  (names of our own)
    connection.execute(
        "UPDATE progress SET retired = ?, retired_ms = max(retired_ms, ?), link = ?",
        (to, gone[-1].received_ms, gone[-1].link),
    )
    done = Retired(len(kept), len(records), unplaced)
    counted = {"retired_frames": done.frames, "retired_records": done.records, "retired_unplaced": done.unplaced}
    connection.executemany(
        "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        counted.items(),
    )
    return done


def _records_of(kept: list[blocks.Kept], terminals: Mapping[str, int]) -> Iterator[_Record]:
    """What was new in the frames."""
    columns = blocks.columns_of(kept)
    epochs, counts = columns.frames.epoch, columns.frames.record_count
    of_frame = [terminals[one.terminal] for one in kept]
    is_new = [one.mask >> place & 1 for one, count in zip(kept, counts, strict=True) for place in range(count)]
    one = columns.records
    for frame, seq, timed, time_s in compress(zip(one.frame, one.seq, one.has_time, one.time_s, strict=True), is_new):
        yield _Record(time_s // index.DAY_S if timed else 0, of_frame[frame], epochs[frame], seq)


def _leave_index(connection: sqlite3.Connection, records: list[_Record], to: int) -> None:
    """Entries of the records, which all are up to `to`, leave their runs."""
    newest: dict[tuple[int, int, int], int] = {}
    for day, terminal, epoch, seq in records:
        newest[day, terminal, epoch] = max(seq, newest.get((day, terminal, epoch), 0))
    for key, seq in newest.items():
        rows = connection.execute(
            "SELECT first, entries FROM runs WHERE day = ? AND terminal = ? AND epoch = ? AND first <= ?", (*key, seq)
        ).fetchall()
        for first, packed in rows:
            kept = [at for at, (record,) in enumerate(_RECORD.iter_unpack(packed)) if record > to]
            if len(kept) * index.ENTRY.size == len(packed):
                continue
            index.leave_run(connection, key, first)
            if kept:
                index.add_run(connection, key, [packed[at * index.ENTRY.size :][: index.ENTRY.size] for at in kept])
    index.leave_days(connection, {day for day, _, _ in newest})


def _remember(connection: sqlite3.Connection, records: list[_Record]) -> None:
    """Add the records to `retired`, joined with the runs beside them."""
    for (terminal, epoch), some in groupby(sorted(one[1:] for one in records), lambda one: one[:2]):
        for first, last in _runs([seq for _, _, seq in some]):
            beside = connection.execute(
                "DELETE FROM retired WHERE terminal = ? AND epoch = ? AND first BETWEEN"
                " coalesce((SELECT max(first) FROM retired WHERE terminal = ? AND epoch = ? AND first < ?), ?) AND ?"
                " AND last >= ? RETURNING first, last",
                (terminal, epoch, terminal, epoch, first, first, last + 1, first - 1),
            ).fetchall()
            low = min([first, *(row[0] for row in beside)])
            high = max([last, *(row[1] for row in beside)])
            connection.execute(
                "INSERT INTO retired (terminal, epoch, first, last) VALUES (?, ?, ?, ?)", (terminal, epoch, low, high)
            )


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, last) of those side by side."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number > last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def _forget_times(connection: sqlite3.Connection, to: int) -> int:
    """Windows without a time of their own up to `to`; returns how many had no place."""
    (unplaced,) = connection.execute(
        "SELECT count(*) FROM timeless WHERE record <= ? AND record NOT IN (SELECT record FROM placements)", (to,)
    ).fetchone()
    connection.execute("DELETE FROM placements WHERE record <= ?", (to,))
    connection.execute("DELETE FROM timeless WHERE record <= ?", (to,))
    return int(unplaced)
