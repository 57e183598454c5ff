"""A journal filled to a size, with real frames or, where that takes too long, with an index over frames not there."""

import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cext.decoder import KeyState
from gateway import decode, verify
from gateway.config import VerifyConfig
from gateway.database import connect
from gateway.journal import index
from gateway.journal.journal import FILE, Batch, Journal
from gateway.registry import Point, Senders, Terminal
from hil.benchmarks.ingest.load import BOOT, EPOCH, POINTS, SECRET, names
from hil.benchmarks.realistic import windows
from protocol import frame, mac

TERMINALS = 7056
BATCH_FRAMES = 500  # [intake] of the configuration
WINDOWS_A_FRAME = 8
ENTRIES_A_RUN = 9  # of a terminal, in one writing of the index
RECORDS_A_BLOCK = 64
DAY_S = 86_400
KEY = mac.Key(SECRET, 1)
_ENTRY = struct.Struct("<IQQIIIHBB16s")


class Filling:
    """A journal that is filled further and further, by the fleet, slot by slot."""

    def __init__(self, folder: Path, slots: int, seed: int, terminals: int = TERMINALS) -> None:
        """slots: how many windows of each terminal there can be in all."""
        self.folder = folder
        self.journal = Journal(folder, VerifyConfig())
        self.end_s = int(time.time()) // 900 * 900
        self._raws = windows(slots, seed, self.end_s)
        self._slot = 0
        states = {1: KeyState(SECRET)}
        points = {
            number: Point(number=number, name="p", kind="production", rated_power_w=200_000)
            for number in range(1, POINTS + 1)
        }
        self.terminals = [Terminal(name, states, points) for name in names(terminals)]
        self._bounds = verify.bounds_of(VerifyConfig())

    @property
    def records(self) -> int:
        """How many are in."""
        return self.journal.head().record

    def slot_start_s(self) -> int:
        """When the newest window began."""
        return self.end_s - 900 * (len(self._raws) - self._slot + 1)

    def fill(self, readings: int) -> None:
        """Up to so many, eight windows a frame."""
        while self.records * POINTS < readings:
            self._take(min(WINDOWS_A_FRAME, len(self._raws) - self._slot))
        self.write_index()

    def burst(self) -> None:
        """One more window of each terminal, a frame each, and what is due after it."""
        self._take(1)

    def _take(self, count: int) -> None:
        raws = self._raws[self._slot : self._slot + count]
        self._slot += count
        for begin in range(0, len(self.terminals), BATCH_FRAMES):
            some = self.terminals[begin : begin + BATCH_FRAMES]
            frames = [frame.seal_frame(KEY, one.id, EPOCH, BOOT, self._slot, raws) for one in some]
            senders = Senders.of(some)
            columns = decode.decode_batch(frames, senders)
            now_ms = (self.slot_start_s() + 900) * 1000
            findings = verify.check_batch(columns, senders, now_ms, self._bounds)
            self.journal.commit(Batch(now_ms, frames, senders, columns, findings))
            self.journal.tidy(idle=False)

    def write_index(self) -> None:
        """Of all that is in."""
        opened = self.journal._open()  # noqa: SLF001  (as the gateway does when 65,536 records have none)
        index.write(opened.connection, opened.ledger, opened.next_id - 1)

    def pretend(self, readings: int) -> None:
        """So many readings of earlier days, before there are any: an index over blocks without frames."""
        self.journal.close()
        with closing(connect(self.folder / FILE)) as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO terminals (name) VALUES (?)", [(one.id,) for one in self.terminals])
            add_index(connection, 1, readings // POINTS, self.end_s - (len(self._raws) + 96) * 900)
            connection.execute("COMMIT")


def add_index(connection: sqlite3.Connection, first: int, count: int, before_s: int) -> None:
    """Records first .. first + count - 1 of the days before before_s, all terminals alike, in an epoch of their own."""
    each = count // TERMINALS
    connection.executemany(
        "INSERT INTO blocks (first, records, received_ms, link, marks, frames) VALUES (?, ?, ?, x'', x'', x'')",
        (
            (at, min(RECORDS_A_BLOCK, first + count - at), before_s * 1000)
            for at in range(first, first + count, RECORDS_A_BLOCK)
        ),
    )
    connection.executemany(
        "INSERT INTO runs (day, terminal, epoch, first, entries) VALUES (?, ?, ?, ?, ?)",
        _runs(first, each, before_s - 900 * each),
    )
    connection.executemany(
        "INSERT INTO extents (terminal, epoch, first, last, first_record, last_record, ends)"
        " VALUES (?, ?, 0, ?, ?, ?, x'')",
        ((terminal, EPOCH - 1, each - 1, first, first + count - 1) for terminal in range(1, TERMINALS + 1)),
    )
    last = first + count - 1
    connection.execute(
        "INSERT OR REPLACE INTO days SELECT DISTINCT day, ? FROM runs WHERE epoch = ?", (last, EPOCH - 1)
    )
    connection.execute("UPDATE progress SET indexed = ?", (last,))


def _runs(first: int, each: int, begin_s: int) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Rows of the index in its order: day by day, terminal by terminal."""
    begin_s = begin_s // DAY_S * DAY_S
    for day_first in range(0, each, 96):
        of_day = range(day_first, min(day_first + 96, each))
        for terminal in range(TERMINALS):
            for at in range(of_day.start, of_day.stop, ENTRIES_A_RUN):
                numbers = range(at, min(at + ENTRIES_A_RUN, of_day.stop))
                entries = b"".join(
                    _ENTRY.pack(n, first + n * TERMINALS + terminal, 0, begin_s + 900 * n, 1, 900 * n, 900, 1, 1, b"")
                    for n in numbers
                )
                yield (begin_s + 900 * at) // DAY_S, terminal + 1, EPOCH - 1, at, entries
