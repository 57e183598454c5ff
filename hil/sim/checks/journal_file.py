"""The gateway's journal as its disk has it, at each commit: what was accepted, and what would survive a power cut."""

import sqlite3
from collections.abc import Callable, Mapping

from hil.oracle.sources import frames_in
from hil.sim.checks.violation import ViolationError
from protocol import mac
from protocol.errors import FrameError
from protocol.frame import open_frame
from protocol.record import Window

_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'blocks'"
Name = tuple[str, int, int]  # terminal, epoch, number


class JournalFile:
    """Follows the commits. `is_made(terminal, epoch, number, record)`: whether the terminal has made this record."""

    def __init__(
        self, keys: Mapping[str, Mapping[int, mac.Key]], is_made: Callable[[str, int, int, bytes], bool]
    ) -> None:
        self.records: dict[Name, bytes] = {}
        self.durable: set[Name] = set()
        self.starts: set[tuple[str, int]] = set()  # (terminal, Unix s) of windows that have a time or were placed
        self._keys = keys
        self._is_made = is_made
        self._last_block = 0
        self._unsynced: list[Name] = []

    def committed(self, connection: sqlite3.Connection, *, synced: bool) -> None:
        """A commit to the journal's file has ended; `synced`: it is on the disk. Raises ViolationError."""
        if not self._last_block and not connection.execute(_TABLE).fetchone():
            return  # its tables are being made
        rows = connection.execute("SELECT first, frames FROM blocks WHERE first > ?", (self._last_block,)).fetchall()
        for first, packed in rows:
            self._last_block = first
            for mask, terminal, data in frames_in(packed):
                self._take(terminal, data, mask)
        if synced:
            self.durable.update(self._unsynced)
            self._unsynced.clear()
        placed = "SELECT terminals.name, start_s FROM placements JOIN timeless USING (record) JOIN terminals"
        self.starts.update(connection.execute(f"{placed} ON terminals.id = timeless.terminal").fetchall())

    def has(self, terminal: str, epoch: int, seq: int, raw: bytes) -> bool:
        """Whether this record would be in the journal if the power went now."""
        name = (terminal, epoch, seq)
        return name in self.durable and self.records[name] == raw

    def _take(self, terminal: str, data: bytes, mask: int) -> None:
        try:
            frame = open_frame(data, terminal, dict(self._keys.get(terminal, {})))
        except FrameError as error:
            raise ViolationError(4, "frame_forged", f"a frame of {terminal} that nobody has sealed: {error}") from error
        for number, one in enumerate(frame.records):
            if not mask >> number & 1:
                continue
            name = (terminal, frame.epoch, one.seq)
            where = f"record {one.seq} of epoch {frame.epoch:#x} of {terminal}"
            if name in self.records:
                raise ViolationError(2, "identity_twice", f"{where} is committed, and was before")
            if not self._is_made(*name, one.raw):
                raise ViolationError(4, "record_of_nobody", f"{where} is committed, and no terminal has made it")
            self.records[name] = one.raw
            self._unsynced.append(name)
            if isinstance(one.body, Window) and one.body.start_s is not None:
                self.starts.add((terminal, one.body.start_s))
