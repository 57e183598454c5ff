"""Orders to hand records over to a sink again, put into its file by another process; its thread takes them up."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.database import transaction
from gateway.forward.outbox import BACKLOG, LIVE, PLACEMENTS, RECORDS, file_of, writable


class Ordered(NamedTuple):
    """What a refeed was told to hand over again."""

    records: int
    placements: int


def order_refeed(folder: Path, sink: str, from_ms: int, last_id: int) -> Ordered:
    """Have handed over again what became safe at from_ms or later, of the records up to last_id.

    Without a note of that time (`marks`) it is all that the sink ever took. The sink's thread, or its next start, takes
    it up. Raises StoreUnavailableError, NewerSchemaError.
    """
    with closing(writable(file_of(folder, sink))) as connection, transaction(connection):
        cursors = {LIVE: 0, BACKLOG: 0, PLACEMENTS: 0, **dict(connection.execute("SELECT name, value FROM cursors"))}
        found = connection.execute(
            "SELECT record, placement FROM marks WHERE at_ms <= ? ORDER BY at_ms DESC LIMIT 1", (from_ms,)
        ).fetchone()
        record, placement = found or (0, 0)
        spans = [
            (RECORDS, record + 1, min(last_id, max(cursors[BACKLOG], cursors[LIVE]))),
            (PLACEMENTS, placement + 1, cursors[PLACEMENTS]),
        ]
        wanted = [span for span in spans if span[1] <= span[2]]
        connection.executemany("INSERT INTO refeeds (feed, next, last) VALUES (?, ?, ?)", wanted)
        counts = {feed: last - first + 1 for feed, first, last in wanted}
    return Ordered(counts.get(RECORDS, 0), counts.get(PLACEMENTS, 0))


def order_dead(folder: Path, sink: str) -> Ordered:
    """Have the dead letters handed over again, likewise."""
    with closing(writable(file_of(folder, sink))) as connection, transaction(connection):
        dead = connection.execute("SELECT record FROM dead ORDER BY record").fetchall()
        rows = [(RECORDS, one, one) for (one,) in dead]
        connection.executemany("INSERT INTO refeeds (feed, next, last) VALUES (?, ?, ?)", rows)
    return Ordered(len(dead), 0)
