"""The gateway's quarantine as its disk has it: which frames are kept as evidence."""

import sqlite3
from collections import Counter

_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'refused'"
_NEW = "SELECT id, source, data FROM refused WHERE id > ?"


class QuarantineFile:
    """Follows the commits, and holds each frame that was let go against the evidence of it: one piece for each time."""

    def __init__(self) -> None:
        self._kept: Counter[tuple[str, bytes]] = Counter()  # (source, frame): how often it was ever put there
        self._used: Counter[tuple[str, bytes]] = Counter()
        self._last_id = 0

    def has_another(self, source: str, data: bytes) -> bool:
        """Whether this frame of this source stands there once more than it has said so before."""
        there = self._used[source, data] < self._kept[source, data]
        self._used[source, data] += there
        return there

    def committed(self, connection: sqlite3.Connection) -> None:
        """A commit to the quarantine's file has ended."""
        if not self._last_id and not connection.execute(_TABLE).fetchone():
            return  # its tables are being made
        for number, source, data in connection.execute(_NEW, (self._last_id,)):
            self._kept[source, data] += 1
            self._last_id = max(self._last_id, number)
