"""An operator's order: which terminals get a bundle, in which stages; checked and begun in one transaction."""

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gateway.journal.spans import Spans
from gateway.updates import bundles, rollouts
from gateway.updates.bundles import Bundle
from gateway.updates.rollouts import Plan
from gateway.updates.selection import Placed, staged
from gateway.updates.store import Store

HEARD_MS = 3_600_000  # who was heard so lately can be a canary: four windows
_READ_A_TIME = 4096


class Terms(NamedTuple):
    """How a rollout is to go on. percents: where each stage ends, the canaries' first."""

    percents: Sequence[int]
    may_fail: int
    silent_ms: int


class Begun(NamedTuple):
    """A rollout that was ordered, its terminals, and those that have the release already."""

    id: int
    placed: list[Placed]
    have_it: list[str]

    @property
    def canaries(self) -> list[str]:
        """Those that get it first."""
        return [one.terminal for one in self.placed if one.stage == 0]


class NobodyError(Exception):
    """Every terminal that was asked for has the release already."""


def begin(folder: Path, bundle: Bundle, names: Collection[str], terms: Terms, now_ms: int) -> Begun:
    """Keep the bundle and begin the rollout; the running gateway sees it within a second.

    Raises NobodyError, BusyError, UpdateError, StoreUnavailableError, NewerSchemaError.
    """
    heard = heard_lately(folder, now_ms)
    store = Store(folder)
    with closing(store), store.writing() as connection:
        bundles.keep(connection, bundle, now_ms)
        in_force = rollouts.in_force(connection)
        have_it = sorted(name for name in names if in_force.get(name, 0) >= bundle.number)
        left = set(names) - set(have_it)
        if not left:
            raise NobodyError
        placed = staged(left, heard, terms.percents, str(bundle.number))
        plan = Plan(bundle.number, bundle.board, terms.percents, terms.may_fail, terms.silent_ms)
        return Begun(rollouts.begin(connection, plan, placed, now_ms), placed, have_it)


def heard_lately(folder: Path, now_ms: int) -> set[str]:
    """The terminals of which the journal got a record within HEARD_MS."""
    try:
        spans = Spans(folder)
    except sqlite3.OperationalError:
        return set()  # no gateway has run here yet
    with closing(spans):
        found, at = set[str](), spans.first_id(now_ms - HEARD_MS) - 1
        while some := spans.after(at, _READ_A_TIME):
            found |= {name for name, _ in some}
            at = some[-1][1].id
    return found
