"""The second of each log text (HJ 212, CN 3020) of a station, its DataTime.

The standard gives a packet no name but its QN, which is another when it is told anew: a platform may know a text by MN,
CN and DataTime alone, and keep one a second. So each has a second of its own; an event that is told again has it still.
"""

import sqlite3

SPAN_S = 600  # that a text's second is behind its time: a message has 200 changes, a terminal 64 points
KEPT = 200_000  # seconds that are remembered, 60 bytes each: a week of a province's events
TOLD = 0  # in the place of a record: what people have told


class TextSeconds:
    """Of one sink, on its outbox's connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._given: dict[tuple[str, int], int] = {}  # not durable yet

    def of(self, mn: str, time_s: int, record: int) -> int:
        """The first second from time_s on that no other text of the station has; else time_s."""
        query = "SELECT second, record FROM text_seconds WHERE mn = ? AND second >= ? AND second < ?"
        used: dict[int, int] = dict(self._connection.execute(query, (mn, time_s, time_s + SPAN_S)))
        used |= {second: whose for (of_mn, second), whose in self._given.items() if of_mn == mn}
        for second in range(time_s, time_s + SPAN_S):
            if second not in used or (record != TOLD and used[second] == record):
                self._given[mn, second] = record
                return second
        return time_s

    def keep(self) -> None:
        """Have those that were given remembered, within the caller's transaction."""
        if not self._given:
            return
        put = "INSERT OR IGNORE INTO text_seconds (mn, second, record) VALUES (?, ?, ?)"
        self._connection.executemany(put, [(*key, record) for key, record in self._given.items()])
        self._connection.execute(
            "DELETE FROM text_seconds WHERE number <= (SELECT max(number) FROM text_seconds) - ?", (KEPT,)
        )
        self._given.clear()
