"""An operator's order: which terminals get a bundle, in which stages; checked and begun in one transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
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
    """A rollout that was ordered, its terminals, and those that are not in it.

    have_it: have the release already. left_out: by terminal, the board that is not the release's.
    """

    id: int
    placed: list[Placed]
    have_it: list[str]
    left_out: dict[str, str]

    @property
    def canaries(self) -> list[str]:
        """Those that get it first."""
        return [one.terminal for one in self.placed if one.stage == 0]


class NobodyError(Exception):
    """Every terminal that was asked for has the release already, or another board, as the text says."""


def begin(folder: Path, bundle: Bundle, boards: Mapping[str, str | None], terms: Terms, now_ms: int) -> Begun:
    """Keep the bundle and begin the rollout; the running gateway sees it within a second.

    boards: by terminal that is to get it; None: not known, so that it is offered, and judged by the terminal. Raises
    NobodyError, BusyError, UpdateError, StoreUnavailableError, NewerSchemaError.
    """
    left_out = {name: board for name, board in sorted(boards.items()) if board not in {None, bundle.board}}
    if len(left_out) == len(boards):
        raise NobodyError(f"it is for {bundle.board}, and none of these terminals is / 这些终端的板型均不符")
    heard = heard_lately(folder, now_ms)
    store = Store(folder)
    with closing(store), store.writing() as connection:
        bundles.keep(connection, bundle, now_ms)
        in_force = rollouts.in_force(connection)
        have_it = sorted(name for name in boards.keys() - left_out if in_force.get(name, 0) >= bundle.number)
        left = boards.keys() - left_out.keys() - set(have_it)
        if not left:
            raise NobodyError("all these terminals have it already / 这些终端均已是该版本")
        placed = staged(left, heard, terms.percents, str(bundle.number))
        plan = Plan(bundle.number, bundle.board, terms.percents, terms.may_fail, terms.silent_ms)
        number = rollouts.begin(connection, plan, placed, now_ms)
        rollouts.leave_out(connection, number, left_out)
        return Begun(number, placed, have_it, left_out)


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
