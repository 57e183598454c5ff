"""The gateway's quarantine as its disk has it: which frames are kept as evidence."""

import sqlite3

_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'refused'"


class QuarantineFile:
    """Follows the commits. `kept` has every frame that was ever put there, as far as the gateway kept it."""

    def __init__(self) -> None:
        self.kept: set[bytes] = set()
        self._last_id = 0

    def committed(self, connection: sqlite3.Connection) -> None:
        """A commit to the quarantine's file has ended."""
        if not self._last_id and not connection.execute(_TABLE).fetchone():
            return  # its tables are being made
        for number, data in connection.execute("SELECT id, data FROM refused WHERE id > ?", (self._last_id,)):
            self.kept.add(data)
            self._last_id = max(self._last_id, number)
