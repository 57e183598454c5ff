"""Log texts (CN 3020) in a sink's file: those of events, in the outbox, and those that people have a platform told.

How often a platform answered other packets and not this one is kept beside the packet, over kills.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.database import transaction
from gateway.forward.log_texts import REFUSED, UNDER_WAY, WAITING
from gateway.hj212.packet import Packet

# A platform that is restarted or mended is back within an hour; as many as the tries of a message that is refused.
ROUNDS_MAX = 5
EVENTS_MAX = 5_000  # not answered yet, others are held; half a KiB each, and as many as people's texts
UNANSWERED, NO_LOG_ID, TOO_MANY = "unanswered", "no_log_id", "too_many_texts"
# Why a text was given up, for people.
REASONS = {
    UNANSWERED: f"the platform answered other packets and not this one, in {ROUNDS_MAX} rounds of resends",
    NO_LOG_ID: "the mapping has no log_id any more",
    TOO_MANY: f"{EVENTS_MAX} log texts of events waited before it, until the journal had retired it",
}


class TextPacket(NamedTuple):
    """A text that is not answered. sent: the platform may know it under its QN."""

    packet: Packet
    sent: bool


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Log texts that wait, events that are held too; of these, those that were refused in a round; those given up."""
    waiting, tried = _waiting(connection)
    (refused,) = connection.execute(
        "SELECT (SELECT count(*) FROM log_texts WHERE state = ?)"
        " + (SELECT count(*) FROM dead WHERE packet IS NOT NULL OR reason = ?)",
        (REFUSED, TOO_MANY),
    ).fetchone()
    return {"waiting": waiting, "tried": tried, "refused": refused}


def _waiting(connection: sqlite3.Connection) -> tuple[int, int]:
    """(texts that wait, events that are held too; those of them that were refused in a round)."""
    waiting, tried = connection.execute(
        "SELECT count(*), coalesce(sum(rounds > 0), 0) FROM (SELECT rounds FROM outbox WHERE is_text = 1"
        " UNION ALL SELECT rounds FROM log_texts WHERE state IN (?, ?))",
        (WAITING, UNDER_WAY),
    ).fetchone()
    (held,) = connection.execute("SELECT count(*) FROM held").fetchone()  # alone: SQLite counts a million in no time
    return waiting + held, tried


class TextPackets:
    """Of one sink, on its outbox's connection. Every method raises sqlite3.Error where the disk refuses."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def first(self, mns: Sequence[str], limit: int) -> list[TextPacket]:
        """Those of these stations that go next: what was sent, by QN; what people have told; events, fresh ones."""
        marks = ", ".join("?" * len(mns))
        rows = self._connection.execute(
            "SELECT qn, mn, data, sent, iif(sent, qn, '') AS sent_as, 0 AS kind, number AS place FROM log_texts"  # noqa: S608  (marks)
            f" WHERE state = ? AND mn IN ({marks})"
            " UNION ALL SELECT qn, mn, data, sent, iif(sent, qn, ''), 1 + backlog, id FROM outbox"
            f" WHERE is_text = 1 AND mn IN ({marks}) ORDER BY sent DESC, sent_as, kind, place LIMIT ?",
            (UNDER_WAY, *mns, *mns, limit),
        )
        return [TextPacket(Packet(*row[:3]), sent=bool(row[3])) for row in rows]

    def stations(self) -> dict[str, int]:
        """How many are under way, by MN."""
        query = (
            "SELECT mn, count(*) FROM (SELECT mn FROM log_texts WHERE state = ? UNION ALL"
            " SELECT mn FROM outbox WHERE is_text = 1) GROUP BY mn"
        )
        return dict(self._connection.execute(query, (UNDER_WAY,)))

    def waiting(self) -> int:
        """How many wait, events that are held too."""
        return _waiting(self._connection)[0]

    def room(self) -> int:
        """For how many more events there is room."""
        (count,) = self._connection.execute("SELECT count(*) FROM outbox WHERE is_text = 1").fetchone()
        return max(0, EVENTS_MAX - int(count))

    def note_sent(self, qn: str) -> bool:
        """A byte of it is sent only after that, and none where this is False: nobody has it told any more."""
        return self._note("sent = 1", qn)

    def refused(self, qn: str) -> bool:
        """A round more without an answer; whether it was the last, or nobody has it told any more."""
        if not self._note("rounds = rounds + 1", qn):
            return True
        (rounds,) = self._connection.execute(
            "SELECT rounds FROM outbox WHERE qn = ?1 UNION ALL SELECT rounds FROM log_texts WHERE qn = ?1", (qn,)
        ).fetchone()
        return bool(rounds >= ROUNDS_MAX)

    def all(self) -> list[str]:
        """The QNs of all that are under way."""
        query = "SELECT qn FROM outbox WHERE is_text = 1 UNION ALL SELECT qn FROM log_texts WHERE state = ?"
        return [row[0] for row in self._connection.execute(query, (UNDER_WAY,))]

    def give_up(self, qns: Iterable[str], reason: str) -> tuple[int, int]:
        """These are sent no more, and kept with their packets; how many are events, dead letters by that, how many told
        texts.
        """
        events = texts = 0
        with transaction(self._connection):
            for qn in qns:
                events += self._connection.execute(
                    "INSERT OR REPLACE INTO dead (record, reason, detail, packet)"
                    " SELECT record, ?, ?, data FROM outbox WHERE qn = ?",
                    (reason, REASONS[reason], qn),
                ).rowcount
                self._connection.execute("DELETE FROM outbox WHERE qn = ?", (qn,))
                texts += self._connection.execute(
                    "UPDATE log_texts SET state = ?, reason = ? WHERE qn = ? AND state = ?",
                    (REFUSED, REASONS[reason], qn, UNDER_WAY),
                ).rowcount
            self._connection.execute(
                "INSERT INTO counters (name, value) SELECT ?1, ?2 WHERE ?2 > 0"
                " ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (f"dead_{reason}", events),
            )
        return events, texts

    def _note(self, change: str, qn: str) -> bool:
        """Whether it is still under way."""
        with transaction(self._connection):
            tables = (("outbox", "is_text = 1"), ("log_texts", f"state = '{UNDER_WAY}'"))
            return any(
                self._connection.execute(f"UPDATE {table} SET {change} WHERE qn = ? AND {which}", (qn,)).rowcount  # noqa: S608  (of ours)
                for table, which in tables
            )
