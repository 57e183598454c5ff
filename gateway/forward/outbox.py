"""A sink's own durable state: what it has taken from the journal, what is under way, what is settled, how it is."""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from gateway.database import StoreUnavailableError, connect_for_reading, opening, schema_version, transaction
from gateway.forward import acknowledged, health, held, text_packets
from gateway.forward.acknowledged import Cell
from gateway.forward.log_texts import LogTexts
from gateway.forward.text_packets import TextPackets
from gateway.forward.text_seconds import TextSeconds
from gateway.hj212.packet import Packet, is_text

SCHEMA = Path(__file__).parent / "schema"

LIVE, BACKLOG, PLACEMENTS = "live", "backlog", "placements"
T = TypeVar("T")
RECORDS = "records"  # a feed of `refeeds`, beside PLACEMENTS
MODE = 0o600  # SQLite gives its -wal and -shm files the mode of the file itself
MARK_EVERY_MS = 600_000
VARIABLES_MAX = 500  # of one statement: SQLite allows 32,766, and one is prepared for each count of them
MARKS_MAX = 60_000  # more than a year of them


class Refeed(NamedTuple):
    """A span that is to be handed over again: ids next..last of a feed."""

    id: int
    feed: str
    next: int
    last: int


@dataclass
class Taken:
    """What one look into the journal came to; stored in one transaction by `Outbox.take`."""

    packets: list[tuple[int, list[Packet]]] = field(default_factory=list)  # (record, its packets), in order
    ahead: list[int] = field(default_factory=list)
    dead: list[tuple[int, str, str]] = field(default_factory=list)  # (record, reason, detail)
    alive: list[int] = field(default_factory=list)  # handed over again with success: dead no more
    handed: list[int] = field(default_factory=list)  # of those that were held
    held: list[int] = field(default_factory=list)  # to be handed over later
    counts: Counter[str] = field(default_factory=Counter)
    cursors: dict[str, int] = field(default_factory=dict)
    refed: Refeed | None = None  # with its new `next`
    texts: dict[str, str] = field(default_factory=dict)
    backlog: bool = False  # the packets are not urgent
    cells: dict[int, Cell] = field(default_factory=dict)  # of the records that are windows with a time
    done: list[int] = field(default_factory=list)  # records that the sink has
    withheld: list[tuple[int, str]] = field(default_factory=list)  # records that it is not to have, with the reason


class Outbox:
    """The one writer of a sink's file. Every method raises StoreUnavailableError where the disk refuses."""

    def __init__(self, folder: Path, sink: str) -> None:
        self._connection = writable(file_of(folder, sink))
        self.text_packets, self.text_seconds = TextPackets(self._connection), TextSeconds(self._connection)
        self.log_texts = LogTexts(self._connection, self.text_seconds)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def cursors(self) -> dict[str, int]:
        """How far each lane has looked; 0 before the first look."""
        rows = self._connection.execute("SELECT name, value FROM cursors")
        return {LIVE: 0, BACKLOG: 0, PLACEMENTS: 0, **dict(rows)}

    def settled(self) -> int:
        """How many records of the journal are delivered, skipped, dead, or log texts; ids count without gaps."""
        return _count_settled(self._connection)

    def safe_to(self) -> int:
        """Up to this record everything is safe, what is to be handed over again not counted in."""
        return _settled(self._connection)[0]

    def ahead(self, first: int, last: int) -> set[int]:
        """Records of this span that the live lane has taken."""
        rows = self._connection.execute("SELECT record FROM ahead WHERE record BETWEEN ? AND ?", (first, last))
        return {row[0] for row in rows}

    def held(self, limit: int) -> list[int]:
        """The oldest records that are to be handed over when there is room."""
        return held.first(self._connection, limit)

    def refeed(self) -> Refeed | None:
        """The span that is to be handed over again next."""
        row = self._connection.execute("SELECT id, feed, next, last FROM refeeds ORDER BY id LIMIT 1").fetchone()
        return Refeed(*row) if row else None

    def text(self, name: str) -> str | None:
        """What the sink wants to remember under this name; None before the first time."""
        row = self._connection.execute("SELECT value FROM texts WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def texts(self) -> dict[str, str]:
        """All that the sink remembers."""
        return dict(self._connection.execute("SELECT name, value FROM texts"))

    def remember(self, texts: Mapping[str, str]) -> None:
        """Keep these texts."""
        with transaction(self._connection):
            self._put_texts(texts)

    def stations(self) -> dict[str, int]:
        """How many packets are under way, without log texts, by MN."""
        return dict(self._connection.execute("SELECT mn, count(*) FROM outbox WHERE is_text = 0 GROUP BY mn"))

    def last_id(self) -> int:
        """The place of the packet that stands last in line; 0: there is none."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()[0])

    def sent_before(self, mns: Sequence[str], old: int, after_qn: str, limit: int) -> list[Packet]:
        """Packets of these stations up to place `old` that are not confirmed, by QN; no log texts, as below."""
        rows = self._connection.execute(
            f"SELECT qn, mn, data FROM outbox WHERE mn IN ({_marks(mns)})"  # noqa: S608  (marks)
            " AND is_text = 0 AND id <= ? AND qn > ? ORDER BY qn LIMIT ?",
            (*mns, old, after_qn, limit),
        )
        return [Packet(*row) for row in rows]

    def under_way(self, mns: Sequence[str], *, backlog: bool, after: int, limit: int) -> "list[Waiting]":
        """Packets of these stations behind place `after` that are not confirmed, in order."""
        rows = self._connection.execute(
            f"SELECT id, qn, mn, data FROM outbox WHERE mn IN ({_marks(mns)})"  # noqa: S608  (marks)
            " AND is_text = 0 AND backlog = ? AND id > ? ORDER BY id LIMIT ?",
            (*mns, backlog, after, limit),
        )
        return [Waiting(row[0], Packet(*row[1:])) for row in rows]

    def overtaken(
        self, mns: Sequence[str], after: Mapping[bool, int], qn: str, renumbered: Callable[[Packet], Packet]
    ) -> None:
        """Packets of these stations that were never sent, with a QN below that of one that goes before them, get later
        QNs. after: by backlog or not, the last place that may have been sent.
        """
        found = []
        for backlog, place in after.items():
            rows = self._connection.execute(
                f"SELECT id, qn, mn, data FROM outbox WHERE mn IN ({_marks(mns)})"  # noqa: S608  (marks)
                " AND is_text = 0 AND backlog = ? AND id > ? AND qn < ? ORDER BY id",
                (*mns, backlog, place, qn),
            )
            found += [(number, renumbered(Packet(*packet))) for number, *packet in rows.fetchall()]
        with transaction(self._connection):  # behind all the QNs: to give one may be a transaction, too
            self._connection.executemany(
                "UPDATE outbox SET qn = ?, data = ? WHERE id = ?", [(one.qn, one.data, number) for number, one in found]
            )

    def renumber(self, qn: str, packet: Packet) -> None:
        """A packet that was never sent gets another QN. One that is not of the outbox: nothing."""
        with transaction(self._connection):
            self._connection.execute("UPDATE outbox SET qn = ?, data = ? WHERE qn = ?", (packet.qn, packet.data, qn))
            self.log_texts.renumber(qn, packet)

    def take(self, taken: Taken) -> None:
        """Make durable what was taken from the journal; a byte of its packets is sent only after that."""
        connection = self._connection
        cells = taken.cells
        nothing = (None, None)
        rows = [
            (record, packet.mn, packet.qn, packet.data, taken.backlog, is_text(packet), *cells.get(record, nothing))
            for record, packets in taken.packets
            for packet in packets
        ]
        dead = [(*one, *cells.get(one[0], nothing)) for one in taken.dead]
        with transaction(connection):
            connection.executemany(
                "INSERT INTO outbox (record, mn, qn, data, backlog, is_text, terminal, cell)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            acknowledged.note(connection, [cells[record] for record in taken.done if record in cells])
            acknowledged.withhold(
                connection, [(cells[record], reason) for record, reason in taken.withheld if record in cells]
            )
            held.note(connection, taken.handed + taken.alive, taken.held)
            self.text_seconds.keep()
            connection.executemany("INSERT OR IGNORE INTO ahead (record) VALUES (?)", [(one,) for one in taken.ahead])
            connection.executemany("DELETE FROM dead WHERE record = ?", [(one,) for one in taken.alive])
            connection.executemany(
                "INSERT OR REPLACE INTO dead (record, reason, detail, terminal, cell) VALUES (?, ?, ?, ?, ?)", dead
            )
            connection.executemany("INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)", taken.cursors.items())
            connection.execute("DELETE FROM ahead WHERE record <= ?", (taken.cursors.get(BACKLOG, 0),))
            if taken.refed is not None:
                self._move_refeed(taken.refed)
            self._put_texts(taken.texts)
            self._count(taken.counts)

    def confirm(self, qns: Iterable[str]) -> list[int]:
        """The platform has these packets; returns the records of which it now has all."""
        connection = self._connection
        cells: dict[int, tuple[str | None, int]] = {}
        all_qns = list(qns)
        with transaction(connection):
            texts = self.log_texts.answered(all_qns)
            for some in _chunks(all_qns):
                cells |= {
                    record: (terminal, cell)
                    for record, terminal, cell in connection.execute(
                        f"DELETE FROM outbox WHERE qn IN ({_marks(some)}) RETURNING record, terminal, cell",  # noqa: S608
                        some,
                    ).fetchall()
                }
            for records in _chunks(list(cells)):
                rest = " UNION ".join(  # what is under way, and what a text of was given up
                    f"SELECT record FROM {table} WHERE record IN ({_marks(records)})"  # noqa: S608  (marks)
                    for table in ("outbox", "dead")
                )
                for (record,) in connection.execute(rest, records * 2):
                    del cells[record]
            acknowledged.note(connection, [Cell(name, cell) for name, cell in cells.values() if name is not None])
            self._count({"delivered": len(cells), **({"log_texts": texts} if texts else {})})
        return list(cells)

    def mark(self, now_ms: int) -> None:
        """Note up to where everything is safe, if the last note is old enough."""
        connection = self._connection
        (newest,) = connection.execute("SELECT coalesce(max(at_ms), 0) FROM marks").fetchone()
        if abs(now_ms - newest) < MARK_EVERY_MS:
            return
        with transaction(connection):
            record, placement = _settled(connection)
            connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (now_ms, record, placement))
            acknowledged.forget(connection, now_ms // 1000)
            connection.execute(
                "DELETE FROM marks WHERE at_ms <= (SELECT at_ms FROM marks ORDER BY at_ms DESC LIMIT 1 OFFSET ?)",
                (MARKS_MAX,),
            )

    def put_back(self, record: int) -> None:
        """Hand everything over again from behind this record: the sink says that it has no more."""
        with transaction(self._connection):
            cursors = self.cursors()
            spans = [(RECORDS, record + 1, max(cursors[BACKLOG], cursors[LIVE])), (PLACEMENTS, 1, cursors[PLACEMENTS])]
            self._connection.executemany(
                "INSERT INTO refeeds (feed, next, last) VALUES (?, ?, ?)", [one for one in spans if one[1] <= one[2]]
            )

    def set_health(self, reason: str, detail: str, now_ms: int) -> None:
        """How the sink is from now on; '' for well."""
        with transaction(self._connection):
            health.note(self._connection, reason, detail, now_ms)

    def _move_refeed(self, refed: Refeed) -> None:
        if refed.next > refed.last:
            self._connection.execute("DELETE FROM refeeds WHERE id = ?", (refed.id,))
        else:
            self._connection.execute("UPDATE refeeds SET next = ? WHERE id = ?", (refed.next, refed.id))

    def _put_texts(self, texts: Mapping[str, str]) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO texts (name, value) VALUES (?, ?)", texts.items())

    def _count(self, counts: Mapping[str, int]) -> None:
        self._connection.executemany(
            "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            counts.items(),
        )


def _chunks(values: list[T]) -> Iterator[list[T]]:
    return (values[at : at + VARIABLES_MAX] for at in range(0, len(values), VARIABLES_MAX))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


class Waiting(NamedTuple):
    """A packet that is not confirmed, and its place in line."""

    id: int
    packet: Packet


def file_of(folder: Path, sink: str) -> Path:
    """The sink's file."""
    return folder / f"sink-{sink}.sqlite3"


def reach(folder: Path, sink: str) -> tuple[int, int]:
    """The furthest record, and placement, of the journal that a sink's file speaks of; 0 where it speaks of none."""
    with closing(connect_for_reading(file_of(folder, sink))) as connection:
        cursors = dict(connection.execute("SELECT name, value FROM cursors"))
        rows = connection.execute("SELECT max(record) FROM ahead UNION SELECT max(record) FROM outbox")
        records = [row[0] or 0 for row in rows]
        return max([cursors.get(LIVE, 0), cursors.get(BACKLOG, 0), *records]), cursors.get(PLACEMENTS, 0)


def settled(folder: Path, sink: str) -> tuple[int, int]:
    """Up to which record, and placement, a sink needs the journal no more; 0 where it has not begun."""
    if not file_of(folder, sink).exists():
        return 0, 0
    try:
        with closing(connect_for_reading(file_of(folder, sink))) as connection:
            return _settled(connection)
    except sqlite3.OperationalError:  # made this moment, without its tables yet
        return 0, 0


def _settled(connection: sqlite3.Connection) -> tuple[int, int]:
    """Without texts: they may wait for months, and need their packets alone."""
    one = connection.execute
    cursors = dict(one("SELECT name, value FROM cursors"))
    (oldest,) = one("SELECT min(record) FROM outbox WHERE is_text = 0").fetchone()
    again = dict(one("SELECT feed, min(next) FROM refeeds GROUP BY feed"))
    records = [cursors.get(BACKLOG, 0), *(first - 1 for first in (oldest, again.get(RECORDS)) if first is not None)]
    placement = cursors.get(PLACEMENTS, 0)
    return min(records), min(placement, again.get(PLACEMENTS, placement + 1) - 1)


def _count_settled(connection: sqlite3.Connection) -> int:
    one = connection.execute
    cursors = dict(one("SELECT name, value FROM cursors"))
    (ahead,) = one("SELECT count(*) FROM ahead").fetchone()
    return int(cursors.get(BACKLOG, 0) + ahead - _under_way(connection))


def _under_way(connection: sqlite3.Connection) -> int:
    """Records of which more than a text is under way; an event has one text. By indexes: it may be 100,000 packets."""
    one = connection.execute
    (records,) = one("SELECT count(DISTINCT record) FROM outbox").fetchone()
    (texts,) = one(
        "SELECT count(*) FROM outbox text WHERE is_text = 1 AND NOT EXISTS"
        " (SELECT 1 FROM outbox WHERE record = text.record AND is_text = 0)"
    ).fetchone()
    return int(records - texts)


def status(folder: Path, sink: str) -> dict[str, object]:
    """What `wattline gateway status` says of a sink. confirmed: every record up to this id is settled, or a log text;
    settled: so many are.
    """
    zero = {"confirmed": 0, "settled": 0, "under_way": 0, "refeed": 0, "dead": {}, "counts": {}}
    not_started = {"state": "not started", **zero}
    if not file_of(folder, sink).exists():
        return not_started
    with closing(connect_for_reading(file_of(folder, sink))) as connection:
        if schema_version(connection) < len(list(SCHEMA.glob("*.sql"))):  # made this moment, or not migrated yet
            return not_started
        one = connection.execute
        return {
            **health.of(connection),
            "confirmed": _settled(connection)[0],
            "settled": _count_settled(connection),
            "under_way": _under_way(connection),
            "refeed": one("SELECT coalesce(sum(last - next + 1), 0) FROM refeeds").fetchone()[0],
            **({"log_texts": texts} if any((texts := text_packets.counts(connection)).values()) else {}),
            "dead": dict(one("SELECT reason, count(*) FROM dead GROUP BY reason ORDER BY reason")),
            "counts": dict(one("SELECT name, value FROM counters ORDER BY name")),
        }


def writable(path: Path) -> sqlite3.Connection:
    """The sink's file, made where there is none. It may hold a platform's password and key: it is its owner's alone.

    Raises StoreUnavailableError, NewerSchemaError.
    """
    try:
        _keep_private(path)
    except OSError as error:
        raise StoreUnavailableError(f"{path}: {error}") from error
    with opening(path, SCHEMA) as connection:
        return connection


def _keep_private(path: Path) -> None:
    """A file that is there is not opened: to close it would take the locks of this process's connections from it."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    for more in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{more}").chmod(MODE)  # made by an earlier version, or by a copy
