"""Alarms, durably: what a look found, and what people did about it."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.database import opening, transaction
from gateway.watch.alarms import CLOSED, FAMILIES, OPEN, STEPS, WITHDRAWN, Alarm, settled
from gateway.watch.finding import Finding
from gateway.watch.heard import Heard
from gateway.watch.linkage import Standing
from gateway.watch.meters import Told

SCHEMA = Path(__file__).parent / "schema"
FILE = "alarms.sqlite3"
_ALARM = "id, kind, from_s, to_s, facts"
_MEETING = (
    f"SELECT state, {_ALARM} FROM alarms WHERE enterprise = ? AND subject = ? AND family = ?"  # noqa: S608
    f" AND to_s >= ? AND from_s <= ? AND state != '{WITHDRAWN}' ORDER BY from_s"
)
ROW = "id, enterprise, subject, kind, from_s, to_s, facts, state, found_ms, changed_ms, maintenance"

_HEARD = (
    f"INSERT OR REPLACE INTO heard (terminal, {', '.join(Heard._fields)})"  # noqa: S608
    f" VALUES (?, {', '.join('?' * len(Heard._fields))})"
)

_TOLD = "INSERT OR REPLACE INTO meters VALUES (?, ?, ?, ?, ?, ?, ?)"


_STANDING = ", ".join(Standing._fields)
_STANDS = f"INSERT OR REPLACE INTO standing (enterprise, linkage, made_of, {_STANDING}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_FORGET = "DELETE FROM standing WHERE enterprise = ? AND linkage = ?"


class Look(NamedTuple):
    """What was found of a subject in [from_s, to_s), in these families.

    enterprise: "" where it is of none. subject: a linkage's name, TERMINAL/POINT, or a terminal.
    """

    enterprise: str
    subject: str
    families: Sequence[str]
    found: Sequence[Finding]
    from_s: int
    to_s: int


class Progress(NamedTuple):
    """The newest record, placement and remark of the journal that were looked at."""

    record: int
    placement: int
    remark: int = 0


class Known(NamedTuple):
    """What is kept with the alarms of a look. By terminal: what it told last, until when replays were sought.

    meters: what was told of meters' identities since the look before.
    standing: by (enterprise, linkage) what the linkage is made of, and how it stands; None: not known.
    """

    progress: Progress
    heard: Mapping[str, Heard] = MappingProxyType({})
    replayed_s: Mapping[str, int] = MappingProxyType({})
    meters: Sequence[Told] = ()
    standing: Mapping[tuple[str, str], tuple[str, Standing] | None] = MappingProxyType({})


class Row(NamedTuple):
    """An alarm as people see it. Times in Unix seconds; found_ms, changed_ms by the gateway's clock.

    maintenance: why nobody is told of it; "": there is no reason.
    """

    id: int
    enterprise: str
    subject: str
    kind: str
    from_s: int
    to_s: int
    facts: Mapping[str, int]
    state: str
    found_ms: int
    changed_ms: int
    maintenance: str = ""


class Step(NamedTuple):
    """What somebody did about an alarm."""

    at_ms: int
    state: str
    who: str
    note: str


class StepRefusedError(Exception):
    """This can't be done with the alarm as it is; the text says what can."""


def open_file(folder: Path) -> sqlite3.Connection:
    """The file, made or brought up to date. Raises StoreUnavailableError, NewerSchemaError."""
    with opening(folder / FILE, SCHEMA) as connection:
        return connection


def row_of(columns: Sequence[Any]) -> Row:
    """Of ROW's columns."""
    row = Row(*columns)
    return row._replace(facts=json.loads(columns[Row._fields.index("facts")]))


class Store:
    """The file, to read and write."""

    def __init__(self, folder: Path) -> None:
        """Open or make it. Raises StoreUnavailableError, NewerSchemaError."""
        self._connection = open_file(folder)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def progress(self) -> Progress:
        """How far the journal was looked at."""
        return Progress(*self._connection.execute("SELECT record, placement, remark FROM progress").fetchone())

    def heard(self) -> dict[str, Heard]:
        """What each terminal told last."""
        rows = self._connection.execute(f"SELECT terminal, {', '.join(Heard._fields)} FROM heard")  # noqa: S608
        return {terminal: Heard(*row) for terminal, *row in rows}

    def standing(self, made_of: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], Standing]:
        """How linkages stand, by (enterprise, linkage): those that are made of this; what is known of others goes."""
        rows = self._connection.execute(f"SELECT enterprise, linkage, made_of, {_STANDING} FROM standing")  # noqa: S608
        known = {(one[0], one[1]): (one[2], Standing(*one[3:])) for one in rows}
        found = {key: one for key, (made, one) in known.items() if made_of.get(key) == made}
        with transaction(self._connection):
            self._connection.executemany(_FORGET, [key for key in known if key not in found])
        return found

    def subjects(self) -> set[tuple[str, str]]:
        """(enterprise, subject) of all that ever had an alarm."""
        return set(self._connection.execute("SELECT DISTINCT enterprise, subject FROM alarms"))

    def replayed_s(self) -> dict[str, int]:
        """Until when each terminal's windows were held against its history."""
        return dict(self._connection.execute("SELECT terminal, until_s FROM replayed"))

    def meters(self, terminal: str) -> list[Told]:
        """What it told of its meters' identities."""
        return [Told(*row) for row in self._connection.execute("SELECT * FROM meters WHERE terminal = ?", (terminal,))]

    def begin_s(self, enterprise: str, subject: str, family: str, from_s: int, to_s: int) -> int | None:
        """When the first alarm of a subject and family began that meets or touches [from_s, to_s); None: none does."""
        (found,) = self._connection.execute(
            "SELECT min(from_s) FROM alarms WHERE enterprise = ? AND subject = ? AND family = ? AND to_s >= ?"
            " AND from_s <= ?",
            (enterprise, subject, family, from_s, to_s),
        ).fetchone()
        return None if found is None else int(found)

    def take(self, looks: Iterable[Look], known: Known, now_ms: int) -> int:
        """What was found, and how far the journal is looked at with it; how many alarms are new.

        Raises StoreUnavailableError: nothing is taken.
        """
        begun = 0
        with transaction(self._connection):
            for look in looks:
                for family in look.families:
                    begun += self._take(look, family, now_ms)
            self._connection.execute("UPDATE progress SET record = ?, placement = ?, remark = ?", known.progress)
            self._connection.executemany(_HEARD, [(name, *one) for name, one in known.heard.items()])
            self._connection.executemany("INSERT OR REPLACE INTO replayed VALUES (?, ?)", known.replayed_s.items())
            self._connection.executemany(_TOLD, known.meters)
            rows = [(*key, one[0], *one[1]) for key, one in known.standing.items() if one is not None]
            self._connection.executemany(_STANDS, rows)
            self._connection.executemany(_FORGET, [key for key, one in known.standing.items() if one is None])
        return begun

    def rows(self, state: str | None = None, enterprise: str | None = None, limit: int = 100) -> list[Row]:
        """Alarms, the newest first."""
        found = self._connection.execute(
            f"SELECT {ROW} FROM alarms WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR enterprise = ?2)"  # noqa: S608
            " ORDER BY from_s DESC, id DESC LIMIT ?3",
            (state, enterprise, limit),
        )
        return [row_of(one) for one in found]

    def open_counts(self) -> dict[str, int]:
        """How many alarms each subject has that nobody closed and nothing disproved."""
        return dict(
            self._connection.execute(
                "SELECT subject, count(*) FROM alarms WHERE state NOT IN (?, ?) GROUP BY subject", (CLOSED, WITHDRAWN)
            )
        )

    def open_kinds(self) -> dict[str, dict[str, int]]:
        """Likewise, of each enterprise by kind, the most frequent first."""
        query = (
            "SELECT enterprise, kind, count(*) FROM alarms WHERE state NOT IN (?, ?) GROUP BY 1, 2 ORDER BY 3 DESC, 2"
        )
        found: dict[str, dict[str, int]] = {}
        for enterprise, kind, count in self._connection.execute(query, (CLOSED, WITHDRAWN)):
            found.setdefault(enterprise, {})[kind] = count
        return found

    def meeting(self, enterprise: str, from_s: int, to_s: int, limit: int) -> list[Row]:
        """An enterprise's alarms that meet [from_s, to_s) and nothing disproved, the newest first."""
        found = self._connection.execute(
            f"SELECT {ROW} FROM alarms WHERE enterprise = ? AND to_s > ? AND from_s < ? AND state != ?"  # noqa: S608
            " ORDER BY from_s DESC, id DESC LIMIT ?",
            (enterprise, from_s, to_s, WITHDRAWN, limit),
        )
        return [row_of(one) for one in found]

    def changed_ms(self) -> int:
        """When an alarm changed last; 0: there was never one."""
        (found,) = self._connection.execute("SELECT coalesce(max(changed_ms), 0) FROM alarms").fetchone()
        return int(found)

    def row(self, number: int) -> Row | None:
        """An alarm by its id."""
        found = self._connection.execute(f"SELECT {ROW} FROM alarms WHERE id = ?", (number,)).fetchone()  # noqa: S608
        return None if found is None else row_of(found)

    def steps(self, number: int) -> list[Step]:
        """What was done about an alarm, in order."""
        found = self._connection.execute(
            "SELECT at_ms, state, who, note FROM steps WHERE alarm = ? ORDER BY rowid", (number,)
        )
        return [Step(*one) for one in found]

    def step(self, number: int, step: Step) -> None:
        """Note what somebody does about an alarm. Raises StepRefusedError, StoreUnavailableError."""
        with transaction(self._connection):
            before = self.row(number)
            if before is None:
                raise StepRefusedError(f"{number}: no such alarm / 没有此报警")
            if step.state not in STEPS[before.state]:
                can = ", ".join(STEPS[before.state]) or "nothing / 无"
                raise StepRefusedError(f"{number}: is {before.state}; what can follow / 可执行: {can}")
            self._connection.execute(
                "UPDATE alarms SET state = ?, changed_ms = ? WHERE id = ?", (step.state, step.at_ms, number)
            )
            self._connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?, ?)", (number, *step))

    def _take(self, look: Look, family: str, now_ms: int) -> int:
        found = [one for one in look.found if FAMILIES[one.kind] == family]
        from_s = min((look.from_s, *(one.from_s for one in found)))  # what meets the span may begin before it
        to_s = max((look.to_s, *(one.to_s for one in found)))
        meeting = self._connection.execute(_MEETING, (look.enterprise, look.subject, family, from_s, to_s))
        kept = [
            (state, Alarm(number, kind, from_s, to_s, json.loads(facts)))
            for state, number, kind, from_s, to_s, facts in meeting.fetchall()
        ]
        before = [one for state, one in kept if state != CLOSED]
        closed = [one for state, one in kept if state == CLOSED]
        after, gone = settled(before, closed, found, look.from_s, look.to_s)
        self._connection.executemany(
            "UPDATE alarms SET state = ?, changed_ms = ? WHERE id = ?", [(WITHDRAWN, now_ms, one) for one in gone]
        )
        self._connection.executemany(
            "UPDATE alarms SET kind = ?, from_s = ?, to_s = ?, facts = ?, changed_ms = ? WHERE id = ?",
            [(*_columns(one), now_ms, one.id) for one in after if one.id and one not in before],
        )
        begun = [one for one in after if one.id == 0]
        self._connection.executemany(
            "INSERT INTO alarms (enterprise, subject, family, kind, from_s, to_s, facts, state, found_ms, changed_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*look[:2], family, *_columns(one), OPEN, now_ms, now_ms) for one in begun],
        )
        return len(begun)


def _columns(one: Alarm) -> tuple[str, int, int, str]:
    return one.kind, one.from_s, one.to_s, json.dumps(dict(one.facts), sort_keys=True)
