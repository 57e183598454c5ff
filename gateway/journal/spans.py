"""Spans of the journal for those who look back: one terminal's log in its own order, bounded in memory and in time.

Up to `progress.indexed` the index tells, which has a day's records of a terminal side by side; behind it the newest
blocks are read, once, and kept until the index has them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.journal import index
from gateway.journal.index import Powers
from gateway.journal.rows import Blocks, Decoded, Mark, Row, Seen, connect_to
from protocol.record import WINDOW

_READ_A_TIME = 4096


class Entry(NamedTuple):
    """A record without its bytes. start_s: a window's start (where it was placed), an event's time; None: not known.

    uptime_s: at the window's end, at the event. received_ms: by the gateway's clock. marks: (check, point or None).
    """

    id: int
    epoch: int
    seq: int
    type: int
    start_s: int | None
    length_s: int
    boot: int
    uptime_s: int
    received_ms: int
    marks: list[Mark]


class Spans:
    """Reads the journal on a connection of its own. One thread at a time."""

    def __init__(self, folder: Path, *, of_many: bool = False) -> None:
        """of_many: windows of many terminals are asked for, one after the other.

        Raises sqlite3.OperationalError where there is no journal yet, OlderSchemaError where it must be migrated.
        """
        self._connection = connect_to(folder)
        self._blocks = Blocks(self._connection)
        self._of_many = of_many
        self._terminals: tuple[int, dict[str, int]] = (0, {})  # up to which row, and by name
        self._tail: dict[str, list[Row]] = {}  # by terminal, of what the index does not have
        self._tail_after = self._tail_to = 0
        # (terminal, since when, how far, from where on), what the index has
        self._at_hand: tuple[tuple[int, int, int, int], list[Row]] = ((0, 0, 0, 0), [])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def kept_from_ms(self) -> int:
        """What was received later than this is all there: nothing of it was retired. 0: nothing was retired."""
        return int(self._connection.execute("SELECT retired_ms FROM progress").fetchone()[0])

    def terminals(self) -> Mapping[str, int]:
        """Name to row, of every terminal that has a record."""
        (newest,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM terminals").fetchone()
        if newest != self._terminals[0]:  # they are only ever added
            found = self._connection.execute("SELECT name, id FROM terminals ORDER BY name")
            self._terminals = (newest, dict(found))
        return self._terminals[1]

    def first_id(self, received_ms: int) -> int:
        """The id from which on records were received at this time or later; one past the end if none was."""
        return self._blocks.first_id(received_ms)

    def log(self, terminal: int, since_id: int = 0) -> Iterator[Entry]:
        """Records of a terminal's row, by epoch and number, that were accepted at this id or later."""
        rows = [row for row in self._rows(terminal, since_id) if row.id >= since_id]
        rows.sort(key=lambda row: (row.epoch, row.seq))
        return iter(self._entries(rows))

    def windows(self, terminal: str, from_s: int, to_s: int) -> list[Entry]:
        """A terminal's windows that begin in [from_s, to_s), as it said or as they were placed, likewise.

        Of a few terminals: of the others nothing is decoded, and nothing is kept. Of many: what the index does not
        have is read once, and kept.
        """
        if self._of_many:
            self._look()
            indexed = self._tail_after
        else:
            (indexed,) = self._connection.execute("SELECT indexed FROM progress").fetchone()
        number, places = self.terminals().get(terminal, 0), self._places()
        first, last = from_s // index.DAY_S, to_s // index.DAY_S
        days = sorted(day for day, _ in index.days(self._connection) if day == 0 or first <= day <= last)  # 0: placed
        found = [row for day in days for row in self._of_day(number, day, indexed)]
        behind = self._tail.get(terminal, []) if self._of_many else self._blocks.of_terminal(terminal, indexed)
        rows = [
            row
            for row in self._blocks.marked(found) + behind
            if row.type == WINDOW
            and (start_s := places.get(row.id) if row.time_s is None else row.time_s) is not None
            and from_s <= start_s < to_s
        ]
        rows.sort(key=lambda row: (row.epoch, row.seq))
        return self._entries(rows)

    def powers(self, terminal: str, from_s: int, to_s: int) -> list[tuple[Entry, Powers]]:
        """The windows likewise, each with its mean powers: of the index, and out of the frames where it has none.

        Raises DamagedError.
        """
        entries, number = self.windows(terminal, from_s, to_s), self.terminals().get(terminal, 0)
        days = sorted({0, *((entry.start_s or 0) // index.DAY_S for entry in entries)})  # 0: placed
        found = dict(one for day in days for one in index.powers(self._connection, day, number))
        found |= self._blocks.powers([entry.id for entry in entries if entry.id not in found])
        return [(entry, found[entry.id]) for entry in entries if entry.id in found]

    def decoded(self, records: Sequence[int]) -> Decoded:
        """What these records say. Raises ValueError where the file is damaged."""
        return self._blocks.decoded(records)

    def before(self, terminal: int, epoch: int, seq: int) -> Entry | None:
        """The record before this number that knows its time."""
        self._look()
        places = self._places()
        found = [
            row
            for row in self._tail_of(terminal) + self._indexed(terminal)
            if row.epoch == epoch and row.seq < seq and (row.time_s is not None or row.id in places)
        ]
        newest = max(found, key=lambda row: row.seq, default=None)
        return self._entries([newest])[0] if newest else None

    def numbers(self, terminal: int, epoch: int, first: int, last: int) -> Iterator[int]:
        """The numbers first..last of a log that are in the journal, or were until they were retired, ascending."""
        self._look()
        tail = {row.seq for row in self._tail_of(terminal) if row.epoch == epoch and first <= row.seq <= last}
        for low, high in self._connection.execute(
            "SELECT first, last FROM extents WHERE terminal = ? AND epoch = ? AND first <= ? AND last >= ?",
            (terminal, epoch, last, first),
        ):
            tail.update(range(max(low, first), min(high, last) + 1))
        return iter(sorted(tail))

    def knows_time_before(self, terminal: int, time_s: int) -> bool:
        """Whether the terminal has a record of before this time."""
        self._look()
        (placed_s,) = self._connection.execute(
            "SELECT min(start_s) FROM placements JOIN timeless USING (record) WHERE terminal = ?", (terminal,)
        ).fetchone()
        times = [placed_s, *(row.time_s for row in self._tail_of(terminal))]
        if any(time < time_s for time in times if time is not None):
            return True
        day = time_s // index.DAY_S
        return index.knows_day_before(self._connection, terminal, day) or any(
            one.has_time and one.time_s < time_s for _, one in index.entries(self._connection, day, terminal)
        )

    def after(self, record: int, limit: int) -> list[tuple[str, Entry]]:
        """(terminal, record) with a greater id, in order of acceptance."""
        return self._named(self._blocks.after(record, limit))

    def newest(self, limit: int, terminal: str | None = None) -> list[tuple[str, Entry]]:
        """The newest records, the oldest of them first."""
        if terminal is None:
            return self.after(max(0, self._blocks.last_id() - limit), limit)
        row = self.terminals().get(terminal)
        rows = self._newest(row, limit) if row is not None and limit else []
        newest = sorted(rows, key=lambda one: one.id)[-limit:]
        return self._named([one._replace(terminal=terminal) for one in newest])

    def windows_after(self, record: int) -> tuple[list[Seen], int]:
        """(the windows with a time of the next block's records with a greater id, the last id of them all)."""
        return self._blocks.windows_after(record)

    def raw(self, record: int) -> bytes | None:
        """A record's bytes, out of its frame; None: it was retired since it was found."""
        try:
            return self._blocks.raw(record)
        except KeyError:
            return None

    def _rows(self, terminal: int, since_id: int) -> list[Row]:
        """The records of a terminal, in no order: all that were accepted since, and some from before."""
        self._look()
        return self._tail_of(terminal) + self._blocks.marked(self._indexed(terminal, since_id))

    def _newest(self, terminal: int, count: int) -> list[Row]:
        """So many of a terminal's records that were accepted last, and some more."""
        self._look()
        found = list(self._tail_of(terminal))
        indexed: list[Row] = []
        for day, last_record in index.days(self._connection):
            ids = sorted((row.id for row in (*found, *indexed)), reverse=True)
            if len(ids) >= count and ids[count - 1] > last_record:
                break
            indexed += self._of_day(terminal, day, self._tail_after)
        return found + self._blocks.marked(indexed)

    def _indexed(self, terminal: int, since_id: int = 0) -> list[Row]:
        """What the index has of a terminal, without its marks. The last one asked for is at hand."""
        (retired,) = self._connection.execute("SELECT retired FROM progress").fetchone()
        asked = (terminal, since_id, self._tail_after, int(retired))
        if self._at_hand[0] != asked:
            days = sorted(day for day, _ in index.days(self._connection, since_id))
            self._at_hand = (asked, [row for day in days for row in self._of_day(terminal, day, self._tail_after)])
        return self._at_hand[1]

    def _of_day(self, terminal: int, day: int, last: int) -> Iterator[Row]:
        """What the index had when it went as far as this record; what came into it since is in the tail."""
        for epoch, one in index.entries(self._connection, day, terminal):
            if one.record <= last:
                time_s = one.time_s if one.has_time else None
                span = (one.length_s, one.boot, one.uptime_s, one.received_ms)
                yield Row(one.record, "", epoch, one.seq, one.type, time_s, *span, [])

    def _tail_of(self, terminal: int) -> list[Row]:
        """What the index did not have of a terminal when we looked."""
        names = self._connection.execute("SELECT name FROM terminals WHERE id = ?", (terminal,)).fetchall()
        return self._tail.get(names[0][0], []) if names else []

    def _look(self) -> None:
        """Take in what came; forget what the index has by now."""
        (indexed,) = self._connection.execute("SELECT indexed FROM progress").fetchone()
        if indexed > self._tail_after:
            self._tail = {name: [row for row in rows if row.id > indexed] for name, rows in self._tail.items()}
            self._tail_after, self._tail_to = indexed, max(indexed, self._tail_to)
        while rows := self._blocks.after(self._tail_to, _READ_A_TIME):
            for row in rows:
                self._tail.setdefault(row.terminal, []).append(row)
            self._tail_to = rows[-1].id

    def _named(self, rows: list[Row]) -> list[tuple[str, Entry]]:
        names = [row.terminal for row in rows]
        return list(zip(names, self._entries(rows), strict=True))

    def _places(self) -> dict[int, int]:
        return dict(self._connection.execute("SELECT record, start_s FROM placements"))

    def _entries(self, rows: list[Row]) -> list[Entry]:
        places = self._places() if any(row.time_s is None for row in rows) else {}
        return [
            Entry(
                row.id,
                row.epoch,
                row.seq,
                row.type,
                places.get(row.id) if row.time_s is None else row.time_s,
                row.length_s,
                row.boot,
                row.uptime_s,
                row.received_ms,
                row.marks,
            )
            for row in rows
        ]
