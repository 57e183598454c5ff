"""A terminal's gaps: which windows did not come in time, why, and asking for them again."""

from contextlib import closing
from typing import Annotated

import msgspec

from gateway.console.route import Call, RefusedError, Route, not_found
from gateway.console.users import Role
from gateway.gaps.ledger import Account, Run, states
from gateway.gaps.source import Source
from gateway.gaps.words import MEANING
from gateway.registry import Terminal
from gateway.wanted import requests
from gateway.wanted.ranges import size
from gateway.wanted.requests import Ask
from gateway.wanted.store import Store, looking

DAYS_MAX = 93  # a calendar of three months
RUNS_MAX = 2_000  # of one answer: a point that fails each hour for a quarter of a year
Second = Annotated[int, msgspec.Meta(ge=0, le=2**32)]


class AskSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[from_s, to_s) in Unix seconds."""

    from_s: Second
    to_s: Second


class Gap(msgspec.Struct, frozen=True):
    """Windows in a row of a point that are late or missing. meaning: English and Chinese."""

    point: int
    from_s: int
    to_s: int
    state: str
    meaning: list[str]


class DayShown(msgspec.Struct, frozen=True):
    """A day of all points, by the console's zone. day: since 1970-01-01; missing: windows by cause."""

    day: int
    due: int
    received: int
    late: int
    missing: dict[str, int]
    completeness: float | None


class Asked(msgspec.Struct, frozen=True):
    """Numbers that the terminal was asked for again, and what came of it."""

    epoch: int
    first: int
    last: int
    asked_by: str
    asked_ms: int
    sent: int
    missing: int
    outcome: str


class Calendar(msgspec.Struct, frozen=True):
    """A terminal's span. is_cut: there are more gaps than are shown. kept_from_s: before that nothing is known."""

    terminal: str
    points: dict[int, str]
    days: list[DayShown]
    gaps: list[Gap]
    is_cut: bool
    kept_from_s: int
    asked: list[Asked]


class Placed(msgspec.Struct, frozen=True):
    """How many numbers the terminal is asked for when it is heard next. 0: none is missing."""

    numbers: int


def _calendar(call: Call) -> Calendar:
    asked, terminal = _span(call), _terminal(call)
    offset_s = call.house.config.console.utc_offset_h * 3600
    with closing(Source(call.house.folder, call.house.config.verify.future_refuse_s)) as source:
        span = source.span(asked.from_s, asked.to_s, call.house.now_s)
        row = source.terminals().get(terminal.id)
        found = source.facts(row or 0, span)
        due = source.due(terminal, row, span, found)
        account, runs = Account(due, offset_s), list[Run]()
        cause_of = source.cause_of(terminal.id, row, span, found)
        for cell_s, of_points in states(due, found.cells, cause_of, span.now_s):
            runs += account.take(cell_s, of_points)
        runs += account.end()
        kept_from_s = source.kept_from_s()
    with looking(call.house.folder) as connection:
        placed = [] if connection is None else requests.of_terminal(connection, terminal.id)
    return Calendar(
        terminal.id,
        {number: point.name for number, point in sorted(terminal.points.items())},
        [
            DayShown(one.day, one.due, one.received, one.late, dict(one.missing), one.completeness)
            for one in account.days.values()
        ],
        [Gap(one.point, one.from_s, one.to_s, one.state, MEANING[one.state].split(" / ")) for one in runs[:RUNS_MAX]],
        len(runs) > RUNS_MAX,
        kept_from_s,
        [
            Asked(one.epoch, one.first, one.last, one.asked_by, one.asked_ms, one.sent, one.missing, one.outcome)
            for one in placed
        ],
    )


def _backfill(call: Call) -> Placed:
    asked, terminal = _span(call), _terminal(call)
    with closing(Source(call.house.folder, call.house.config.verify.future_refuse_s)) as source:
        span = source.span(asked.from_s, asked.to_s, call.house.now_s)
        row = source.terminals().get(terminal.id) or 0
        logs = source.logs_of(row, span, source.facts(row, span))
        asks = [Ask(terminal.id, log.epoch, *run) for log in logs for run in source.absent(row, log)]
    if asks:
        with closing(Store(call.house.folder)) as store, store.writing() as connection:
            requests.ask(connection, asks, "operator", call.house.clock.now_ms())
    return Placed(size((one.first, one.last) for one in asks))


ROUTES = [
    Route("GET", "/api/terminals/{id}/gaps", Role.VIEWER, "A terminal's gaps", AskSpan, Calendar, _calendar),
    Route("POST", "/api/terminals/{id}/backfill", Role.OPERATOR, "Ask for what is missing", AskSpan, Placed, _backfill),
]


def _span(call: Call) -> AskSpan:
    asked: AskSpan = call.asked
    if not asked.from_s < asked.to_s <= asked.from_s + DAYS_MAX * 86_400:
        raise RefusedError(400, "span", f"a span has up to {DAYS_MAX} days", f"时间跨度最多 {DAYS_MAX} 天")
    return asked


def _terminal(call: Call) -> Terminal:
    known = call.house.registry()
    found = known.get(call.path["id"]) or known.revoked(call.path["id"])
    if found is None:
        raise not_found(call.path["id"])
    return found
