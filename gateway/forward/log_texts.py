"""Log texts that a platform is to be told (HJ 212, CN 3020), in the sink's own file, beside the records' packets.

`tell` and `states` are for the watch, in a process of its own; LogTexts is the sink's thread's.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.database import transaction
from gateway.forward.text_seconds import TextSeconds
from gateway.hj212.packet import Packet

WAITING, UNDER_WAY, ANSWERED, REFUSED = "waiting", "under_way", "answered", "refused"
OPEN_MAX = 5_000  # not answered yet: each channel has 200 at most; what is over is tests of channels
KEPT = 10_000  # refused, for people to look at; half a KiB each
NO_CHANNEL = "its channel is in channels.toml no more"


class FullError(Exception):
    """Too many texts wait for the platform."""


class LogText(NamedTuple):
    """What a platform is to be told. terminals: the first of these that is a station tells it; None: any station."""

    id: str
    terminals: Sequence[str] | None
    time_s: int
    text: str


class State(NamedTuple):
    """What became of a text: WAITING, UNDER_WAY, ANSWERED, REFUSED with its reason."""

    state: str
    reason: str


def tell(connection: sqlite3.Connection, channel: str, texts: Sequence[LogText]) -> None:
    """Have the platform told these, durably; of an id that is there already, nothing. Raises FullError.

    channel: it has noted what became of all that it told before; "" has not, and is remembered for KEPT texts.
    """
    ids = json.dumps([one.id for one in texts])
    with transaction(connection):
        (count,) = connection.execute(
            "SELECT count(*) FROM log_texts WHERE state IN (?, ?) AND id NOT IN (SELECT value FROM json_each(?))",
            (WAITING, UNDER_WAY, ids),
        ).fetchone()
        if count + len(texts) > OPEN_MAX:
            raise FullError(f"{count} texts wait already; {OPEN_MAX} at most")
        connection.executemany(
            "INSERT OR IGNORE INTO log_texts (id, terminals, time_s, text, channel) VALUES (?, ?, ?, ?, ?)",
            [
                (one.id, None if one.terminals is None else json.dumps(one.terminals), *one[2:], channel)
                for one in texts
            ],
        )
        connection.execute(
            "DELETE FROM log_texts WHERE id NOT IN (SELECT value FROM json_each(?1)) AND channel IN (?2, '')"
            " AND ((state = ?3 AND channel != '')"
            " OR (state IN (?3, ?4) AND number <= (SELECT max(number) FROM log_texts) - ?5))",
            (ids, channel, ANSWERED, REFUSED, KEPT),
        )


def withdraw(connection: sqlite3.Connection, channels: Sequence[str]) -> int:
    """What other channels than these have told and the platform has not answered is refused; how many. Of no channel's
    name is what an earlier version took: it goes where there are no channels.
    """
    with transaction(connection):
        return connection.execute(
            "UPDATE log_texts SET state = ?, reason = ? WHERE state IN (?, ?)"
            " AND channel NOT IN (SELECT value FROM json_each(?))",
            (REFUSED, NO_CHANNEL, WAITING, UNDER_WAY, json.dumps([*channels, ""] if channels else [])),
        ).rowcount


def states(connection: sqlite3.Connection, ids: Iterable[str]) -> list[State]:
    """What became of each of these."""
    query = "SELECT state, reason FROM log_texts WHERE id = ?"
    return [State(*connection.execute(query, (one,)).fetchone()) for one in ids]


class LogTexts:
    """The texts of one sink, on its outbox's connection."""

    def __init__(self, connection: sqlite3.Connection, seconds: TextSeconds) -> None:
        self._connection, self._seconds = connection, seconds

    def waiting(self, limit: int) -> list[LogText]:
        """Those that have no packet yet, in order."""
        rows = self._connection.execute(
            "SELECT id, terminals, time_s, text FROM log_texts WHERE state = ? ORDER BY number LIMIT ?",
            (WAITING, limit),
        )
        return [LogText(row[0], None if row[1] is None else json.loads(row[1]), *row[2:]) for row in rows.fetchall()]

    def take(self, text: LogText, packet: Packet) -> None:
        """The text's packet, durably: a byte of it is sent only after that."""
        with transaction(self._connection):
            self._seconds.keep()
            self._connection.execute(
                "UPDATE log_texts SET state = ?, mn = ?, qn = ?, data = ? WHERE id = ? AND state = ?",
                (UNDER_WAY, packet.mn, packet.qn, packet.data, text.id, WAITING),
            )

    def refuse(self, text: LogText, reason: str) -> None:
        """This platform can't be told it."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE log_texts SET state = ?, reason = ? WHERE id = ? AND state = ?",
                (REFUSED, reason, text.id, WAITING),
            )

    def renumber(self, qn: str, packet: Packet) -> None:
        """Its packet gets another QN. One that is no text's: nothing. Within the caller's transaction."""
        self._connection.execute("UPDATE log_texts SET qn = ?, data = ? WHERE qn = ?", (packet.qn, packet.data, qn))

    def answered(self, qns: Iterable[str]) -> int:
        """The platform has these; how many were texts. Within the caller's transaction."""
        query = "UPDATE log_texts SET state = ?, data = NULL WHERE qn = ? AND state = ?"
        return sum(self._connection.execute(query, (ANSWERED, qn, UNDER_WAY)).rowcount for qn in qns)
