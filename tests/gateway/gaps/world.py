"""A naive world for the ledger's tests: a terminal on or off, a link up or down, frames that are refused.

It knows what happened, second by second; the ledger must find it out from what arrived.
"""

import random
import tempfile
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gateway.config import QuarantineConfig, VerifyConfig
from gateway.gaps.ledger import states
from gateway.gaps.source import Source
from gateway.gaps.words import CELL_S
from gateway.journal.journal import Journal
from gateway.quarantine.quarantine import Quarantine, Refused
from gateway.registry import Terminal
from tests.gateway.support import NOW_S, POINT, Accepted, Sender, accept, commit, event, reading, window

Spell = tuple[int, int]  # from, to
SPELL_S_MAX = 16 * CELL_S
BEGIN_S = NOW_S - 400 * 86400
CHUNK = 500  # records a commit
TERMINAL = Terminal("T0001", {}, {1: POINT}, commissioned_s=BEGIN_S)


@dataclass
class Made:
    """A record that the terminal made at made_s. cell_s: where its window truly was; timed: whether it knew that."""

    seq: int
    raw: bytes
    made_s: int
    cell_s: int | None
    timed: bool
    silent: bool = False
    refused: bool = False
    arrived_s: int | None = None


class World:
    """Everything by the seed alone. One hour in `often` begins a power cut or an outage, where there are any."""

    def __init__(self, seed: int, cells: int) -> None:
        self.seed = seed
        chance = random.Random(seed)
        self.end_s = BEGIN_S + cells * CELL_S
        self.off = self._spells(chance, 12 * CELL_S)
        self.down = self._spells(chance, SPELL_S_MAX)
        self.made: list[Made] = []
        refuses, timeless = chance.choice([0, 0, 0.05]), chance.choice([0, 0, 0, 0.2])
        for boot, (on_s, off_s) in enumerate(self.times_without(self.off), start=1):
            self._live(chance, boot, (on_s, off_s), timed=chance.random() >= timeless)
        for one in self.made:
            one.refused = chance.random() < refuses
        self._spells_sorted = sorted(self.off + self.down)
        self._deliver(chance)
        self._seen_by: tuple[int, list[Made], list[Made]] = (0, [], [])

    def _spells(self, chance: random.Random, longest_s: int) -> list[Spell]:
        often, found, at = chance.choice([0, 0.05, 0.2]), [], BEGIN_S + 600
        while at < self.end_s - 2 * longest_s:
            at += chance.randrange(60, 2 * CELL_S)
            if chance.random() < often:
                found.append((at, at + chance.randrange(30, longest_s)))
                at = found[-1][1] + 120
        return found

    def times_without(self, spells: list[Spell]) -> list[Spell]:
        """The times between the spells."""
        edges = [BEGIN_S, *(edge for spell in spells for edge in spell), self.end_s]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def _live(self, chance: random.Random, boot: int, on: Spell, *, timed: bool) -> None:
        on_s, off_s = on
        self._make(event, on_s, None, timed, on_s if timed else None, boot=boot, uptime_s=0)
        for start_s in range(on_s // CELL_S * CELL_S if timed else on_s, off_s - CELL_S + 1, CELL_S):
            silent, end_s = chance.random() < 0.1, start_s + CELL_S
            values = {"readings": [1 if silent else reading()], "boot": boot, "end_uptime_s": end_s - on_s}
            self._make(window, end_s, start_s // CELL_S * CELL_S, timed, start_s if timed else None, **values)
            self.made[-1].silent = silent

    def _make(
        self, make: object, made_s: int, cell_s: int | None, timed: bool, *time: int | None, **values: object
    ) -> None:
        seq = len(self.made) + 1
        self.made.append(Made(seq, make(seq, *time, **values), made_s, cell_s, timed))  # type: ignore[operator]

    def _deliver(self, chance: random.Random) -> None:
        """A record arrives while both terminal and link are up: at once, or some time into its backlog."""
        for one in self.made:
            up_s = self._up_from(one.made_s)
            one.arrived_s = up_s if up_s == one.made_s else self._up_from(up_s + chance.randrange(1500))

    def _up_from(self, at_s: int) -> int:
        """The first second from this on at which both are up; what is made as the power goes still goes out."""
        first_s, moved = at_s, True
        while moved:
            moved = False
            first = bisect_left(self._spells_sorted, (at_s - SPELL_S_MAX, 0))  # who began earlier has ended
            for begin, end in self._spells_sorted[first:]:
                if begin > at_s:
                    break
                if at_s < end and (begin < at_s or at_s != first_s):
                    at_s, moved = end, True
        return at_s

    def settled(self, now_s: int) -> bool:
        """Whether terminal and link have been up for half an hour."""
        return not any(begin < now_s and end > now_s - 1800 for begin, end in self.off + self.down)

    def was_off(self, cell_s: int) -> bool:
        return any(begin < cell_s + CELL_S and end > cell_s for begin, end in self.off)

    def seen_by(self, now_s: int) -> tuple[list[Made], list[Made]]:
        """What has arrived by now; and what of it is there with a time that the terminal knew."""
        if self._seen_by[0] != now_s:
            seen = [one for one in self.made if (one.arrived_s or 0) <= now_s]
            self._seen_by = (now_s, seen, [one for one in seen if one.timed and not one.refused])
        return self._seen_by[1:]

    def untimed_around(self, cell_s: int, now_s: int) -> Iterator[Made]:
        """Windows without a time, arrived by now, between the nearest records around the cell that knew theirs."""
        seen, sure = self.seen_by(now_s)
        before = max((one.seq for one in sure if one.made_s <= cell_s), default=0)
        after = min((one.seq for one in sure if one.made_s >= cell_s + CELL_S), default=1 << 32)
        return (one for one in seen if one.cell_s is not None and not one.timed and before < one.seq < after)

    @cached_property
    def of_cell(self) -> dict[int, Made]:
        """The windows that knew their time, by cell."""
        return {one.cell_s: one for one in self.made if one.cell_s is not None and one.timed}


class Stores:
    """The journal and quarantine that a world's records arrive at, in their order of arrival."""

    def __init__(self, folder: Path, world: World) -> None:
        self.journal = Journal(folder, VerifyConfig())
        self.quarantine = Quarantine(folder, QuarantineConfig())
        for connection in (self.journal._open().connection, self.quarantine._open()):
            connection.execute("PRAGMA synchronous = OFF")  # no power fails here, and a year is many commits
        self.sender = Sender()
        self._coming = sorted(world.made, key=lambda one: (one.arrived_s or 0, -one.seq))  # newest first: live lane

    def advance(self, now_s: int) -> None:
        """Take in what has arrived by now."""
        batch: list[Accepted] = []
        while self._coming and (self._coming[0].arrived_s or 0) <= now_s:
            one = self._coming.pop(0)
            data, at_s = self.sender.frame([one.raw]), one.arrived_s or 0
            if one.refused:
                bad = data[:-1] + bytes([data[-1] ^ 1])
                self.quarantine.add([Refused(at_s * 1000, self.sender.name, "", "mac", 9, len(bad), bad)])
            else:
                batch.append(accept(self.sender, data, now_s=at_s))
            if len(batch) == CHUNK:
                commit(self.journal, batch)
                batch = []
        commit(self.journal, batch)

    def close(self) -> None:
        self.journal.close()
        self.quarantine.close()


def seen(folder: Path, from_s: int, now_s: int) -> dict[int, tuple[str, int]]:
    """Cell to (state or cause, reason), as the ledger has it."""
    source = Source(folder, CELL_S)  # a clock is never ahead here: what lies before the span is not read
    span = source.span(from_s, now_s, now_s)
    row = source.terminals().get("T0001")
    facts = source.facts(row or 0, span)
    due = source.due(TERMINAL, row, span, facts)
    cause_of = source.cause_of("T0001", row, span, facts)
    found = {cell: (state, reason) for cell, [(_, state, reason)] in states(due, facts.cells, cause_of, now_s)}
    source.close()
    return found


@contextmanager
def stores_of(world: World) -> Iterator[tuple[Path, Stores]]:
    with tempfile.TemporaryDirectory() as name:
        stores = Stores(Path(name), world)
        yield Path(name), stores
        stores.close()
