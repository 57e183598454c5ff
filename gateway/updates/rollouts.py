"""Rollouts and how their terminals stand: begun, offered, what the terminals say, halted and resumed.

A terminal's events may come in any order, and again: by epoch and seq the last word of a log counts, and of two logs
the one that came last.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.downward import Said
from gateway.updates import stages, starts
from gateway.updates.selection import Placed
from gateway.updates.stages import Rule, Standing, Step
from protocol import record, update

AGAIN_MS = 300_000  # a terminal that takes an offer says so within seconds; its ack, or the offer, was lost
AGAIN_MS_MAX = 21_600_000  # one that never answers, having firmware too old for it, costs four messages a day

EVENTS = frozenset(
    {
        record.UPDATE_PROGRESS,
        record.UPDATE_REFUSED,
        record.UPDATE_TAKEN,
        record.UPDATE_GOOD,
        record.UPDATE_ROLLED_BACK,
    }
)
_OUT_OF_MEMORY, _APPLICATION_CHANGED = 16, 19  # why of a boot: 19, it begins with what it took (SPEC.md, section 4)
LATER = frozenset({update.NO_TIME, update.ON_TRIAL})  # refused for now: offered again
_FORGOTTEN = frozenset({stages.OFFERED, stages.DOWNLOADING, stages.VERIFYING})  # by a start of the terminal
_MEMBER = "rollout, terminal, stage, state, stored_bytes, reason, since_ms, offered, due_ms, excused"


class Rollout(NamedTuple):
    """A row of `rollouts` (schema/0001.sql)."""

    id: int
    number: int
    board: str
    percents: tuple[int, ...]
    may_fail: int
    silent_ms: int
    begun_ms: int
    state: str
    stage: int
    stage_ms: int
    why: str
    changed_ms: int

    @property
    def rule(self) -> Rule:
        """By which it goes on."""
        return Rule(len(self.percents), self.may_fail, self.silent_ms)


class Member(NamedTuple):
    """A row of `members`."""

    rollout: int
    terminal: str
    stage: int
    state: str
    stored_bytes: int
    reason: int | None
    since_ms: int
    offered: int
    due_ms: int
    excused: int

    @property
    def standing(self) -> Standing:
        """As stages.py judges it."""
        return Standing(self.terminal, self.stage, self.state, self.since_ms, bool(self.excused))


class Plan(NamedTuple):
    """What an operator orders."""

    number: int
    board: str
    percents: Sequence[int]
    may_fail: int
    silent_ms: int


class BusyError(Exception):
    """A terminal is in another rollout that runs; the text says which."""


def begin(connection: sqlite3.Connection, plan: Plan, placed: Sequence[Placed], now_ms: int) -> int:
    """A rollout; its id. Halted ones that have some of these terminals end. Raises BusyError."""
    for one in unfinished(connection):
        mine = {member.terminal for member in members(connection, one.id)}
        shared = sorted(mine & {member.terminal for member in placed})
        if shared and one.state == stages.RUNNING:
            raise BusyError(f"{shared[0]}: in rollout {one.id}, which runs; stop it first / 已在升级任务中，请先停止")
        if shared:
            why = f"replaced by release {plan.number} / 被新版本取代"
            _change(connection, one.id, Step(stages.ENDED, one.stage, why), now_ms)
    cursor = connection.execute(
        "INSERT INTO rollouts (number, board, percents, may_fail, silent_ms, begun_ms, state, stage, stage_ms, why,"
        " changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, '', ?)",
        (
            *(plan.number, plan.board, json.dumps(list(plan.percents)), plan.may_fail, plan.silent_ms),
            *(now_ms, stages.RUNNING, now_ms, now_ms),
        ),
    )
    number = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO members (rollout, terminal, stage, state, stored_bytes, since_ms, offered, due_ms, excused)"
        " VALUES (?, ?, ?, ?, 0, ?, 0, 0, 0)",
        [(number, one.terminal, one.stage, stages.WAITING, now_ms) for one in placed],
    )
    return number


def leave_out(connection: sqlite3.Connection, rollout: int, boards: Mapping[str, str]) -> None:
    """Note which terminals are not in it though they were asked for, and the board of each."""
    connection.executemany(
        "INSERT INTO left_out (rollout, terminal, board) VALUES (?, ?, ?)",
        [(rollout, terminal, board) for terminal, board in boards.items()],
    )


def left_out(connection: sqlite3.Connection, rollout: int) -> dict[str, str]:
    """The terminals that are not in it, by name, with their boards."""
    query = "SELECT terminal, board FROM left_out WHERE rollout = ? ORDER BY terminal"
    return dict(connection.execute(query, (rollout,)))


def unfinished(connection: sqlite3.Connection) -> list[Rollout]:
    """Those that run or were halted, the oldest first."""
    return [one for one in every(connection) if one.state in stages.OPEN][::-1]


def every(connection: sqlite3.Connection) -> list[Rollout]:
    """All, the newest first."""
    rows = connection.execute(
        "SELECT id, number, board, percents, may_fail, silent_ms, begun_ms, state, stage, stage_ms, why, changed_ms"
        " FROM rollouts ORDER BY id DESC"
    )
    return [Rollout(*row)._replace(percents=tuple(json.loads(row[3]))) for row in rows]


def members(connection: sqlite3.Connection, rollout: int) -> list[Member]:
    """Its terminals, by stage and name."""
    rows = connection.execute(
        f"SELECT {_MEMBER} FROM members WHERE rollout = ? ORDER BY stage, terminal",  # noqa: S608
        (rollout,),
    )
    return [Member(*row) for row in rows]


def in_force(connection: sqlite3.Connection) -> dict[str, int]:
    """By terminal, the number of the release that it said last to be in force."""
    return dict(connection.execute("SELECT terminal, in_force FROM words WHERE in_force IS NOT NULL"))


def offer(connection: sqlite3.Connection, one: Member, now_ms: int) -> Member:
    """Note that it is offered now; the row as it is then."""
    begun = one.state in {stages.WAITING, stages.SILENT}
    state, since_ms, excused = (stages.OFFERED, now_ms, 0) if begun else (one.state, one.since_ms, one.excused)
    due_ms = now_ms + min(AGAIN_MS << min(one.offered, 20), AGAIN_MS_MAX)
    after = one._replace(state=state, since_ms=since_ms, excused=excused, offered=one.offered + 1, due_ms=due_ms)
    _put(connection, after)
    return after


def hear(connection: sqlite3.Connection, said: Said) -> Member | None:
    """Take in what a terminal says; how it stands then, None where that is no news, or of no rollout."""
    if not said.values or not _is_newer(connection, said):
        return None
    if not _is_aside(said):
        _note_word(connection, said)
    begun_with = starts.note(connection, said)
    # a start names no release, and who can't believe a manifest says 0
    number = said.values[0] if said.code != record.BOOT and said.values[0] else None
    row = connection.execute(
        f"SELECT {_MEMBER} FROM members WHERE terminal = ?1 AND (?2 IS NULL OR ?2 ="  # noqa: S608
        " (SELECT number FROM rollouts WHERE id = rollout)) ORDER BY rollout DESC LIMIT 1",
        (said.terminal, number),
    ).fetchone()
    if row is None:
        return None
    before = Member(*row)
    after = _after(connection, before, said)
    if begun_with:
        (number,) = connection.execute("SELECT number FROM rollouts WHERE id = ?", (before.rollout,)).fetchone()
        state = after.state
        for start in begun_with:
            state = starts.state_after(state, number, start)
        if state != after.state:
            after = after._replace(state=state, reason=None, since_ms=said.came_ms)
    if after != before:
        _put(connection, after)
    return after


def take_back(connection: sqlite3.Connection, one: Member, now_ms: int) -> Member:
    """Note that the terminal is told to forget what it has of it; the row as it is then."""
    after = one._replace(state=stages.WAITING, stored_bytes=0, since_ms=now_ms, due_ms=0)
    _put(connection, after)
    return after


def _put(connection: sqlite3.Connection, one: Member) -> None:
    connection.execute(
        "UPDATE members SET state = ?, stored_bytes = ?, reason = ?, since_ms = ?, offered = ?, due_ms = ?, excused = ?"
        " WHERE rollout = ? AND terminal = ?",
        (*one[3:], one.rollout, one.terminal),
    )


def _is_newer(connection: sqlite3.Connection, said: Said) -> bool:
    """Whether nothing is noted that the terminal said after it."""
    last = connection.execute("SELECT epoch, seq FROM words WHERE terminal = ?", (said.terminal,)).fetchone()
    return last is None or last[0] != said.epoch or last[1] < said.seq


def _is_aside(said: Said) -> bool:
    """Whether what was said before it still counts when it comes later: a start, a refusal of what it took."""
    if said.code == record.BOOT:
        return True
    return said.code == record.UPDATE_REFUSED and said.values[1:2] in ([update.STALE], *([one] for one in LATER))


def _note_word(connection: sqlite3.Connection, said: Said) -> None:
    """The terminal's last word, and what is in force by it."""
    values, in_force_now = said.values, None
    if said.code == record.UPDATE_GOOD:
        in_force_now = values[0]
    elif said.code == record.UPDATE_ROLLED_BACK and len(values) > 1:
        in_force_now = values[1]
    connection.execute(
        "INSERT INTO words (terminal, epoch, seq, in_force, said_ms) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT DO UPDATE SET epoch = ?2, seq = ?3, in_force = coalesce(?4, in_force), said_ms = ?5",
        (said.terminal, said.epoch, said.seq, in_force_now, said.came_ms),
    )


def _after(connection: sqlite3.Connection, one: Member, said: Said) -> Member:
    """How the terminal stands by its last word."""
    now = one._replace(since_ms=said.came_ms, reason=None)
    if said.code == record.BOOT:
        return _after_start(one, said)
    if said.code == record.UPDATE_PROGRESS:
        stored, end = (*said.values[1:3], 0, 0)[:2]
        state = stages.VERIFYING if 0 < end <= stored else stages.DOWNLOADING
        return now._replace(state=state, stored_bytes=max(0, stored), due_ms=said.came_ms + AGAIN_MS)
    if said.code == record.UPDATE_TAKEN:
        return now._replace(state=stages.TRIAL)
    if said.code == record.UPDATE_GOOD:
        return now._replace(state=stages.GOOD)
    if said.code == record.UPDATE_ROLLED_BACK:
        return now._replace(state=stages.WENT_BACK, reason=said.values[2] if len(said.values) > 2 else None)
    return _after_refusal(connection, now, one, said)


def _after_start(one: Member, said: Said) -> Member:
    """A start forgets what has not come whole; it is offered again at once.

    Not where it took the terminal's memory: it would take it again and again, and each start costs readings.
    """
    if said.values[0] == _APPLICATION_CHANGED or one.state not in _FORGOTTEN:
        return one
    if said.values[0] == _OUT_OF_MEMORY and one.state != stages.OFFERED:
        return one._replace(state=stages.REFUSED, reason=update.MEMORY, since_ms=said.came_ms)
    return one._replace(state=stages.OFFERED, stored_bytes=0, since_ms=said.came_ms, due_ms=0)


def _after_refusal(connection: sqlite3.Connection, now: Member, before: Member, said: Said) -> Member:
    reason = said.values[1] if len(said.values) > 1 else None
    if before.state in {stages.TRIAL, stages.GOOD, stages.WENT_BACK}:
        return before  # what it took it refuses as stale from then on
    if reason in LATER:
        return now._replace(state=stages.OFFERED, due_ms=said.came_ms + AGAIN_MS)
    if reason == update.STALE and in_force(connection).get(now.terminal) == said.values[0]:
        return now._replace(state=stages.GOOD)  # it has it already
    return now._replace(state=stages.REFUSED, reason=reason)


def take_step(connection: sqlite3.Connection, one: Rollout, now_ms: int, silent: Iterable[str], step: Step) -> None:
    """Note what was judged of a rollout that runs: which terminals are silent, and how it goes on.

    Nothing is noted if an operator stopped it meanwhile.
    """
    (state,) = connection.execute("SELECT state FROM rollouts WHERE id = ?", (one.id,)).fetchone()
    if state != stages.RUNNING:
        return
    connection.executemany(
        "UPDATE members SET state = ?, since_ms = ? WHERE rollout = ? AND terminal = ?",
        [(stages.SILENT, now_ms, one.id, terminal) for terminal in silent],
    )
    if step != (one.state, one.stage, one.why):
        _change(connection, one.id, step, now_ms)


def halt(connection: sqlite3.Connection, one: Rollout, why: str, now_ms: int) -> None:
    """Nothing of it goes down any more."""
    _change(connection, one.id, Step(stages.HALTED, one.stage, why), now_ms)


def end(connection: sqlite3.Connection, one: Rollout, why: str, now_ms: int) -> None:
    """A halted one is over: it does not go on any more."""
    _change(connection, one.id, Step(stages.ENDED, one.stage, why), now_ms)


def resume(connection: sqlite3.Connection, one: Rollout, now_ms: int) -> int:
    """It goes on, and the failures so far do not halt it again; how many those are. All is offered anew."""
    failed = f"rollout = ? AND excused = 0 AND state IN ({', '.join('?' * len(stages.FAILED))})"
    excused = connection.execute(f"UPDATE members SET excused = 1 WHERE {failed}", (one.id, *stages.FAILED)).rowcount  # noqa: S608
    connection.execute(
        "UPDATE members SET since_ms = ?, due_ms = 0, offered = 0 WHERE rollout = ? AND state IN (?, ?, ?, ?)",
        (now_ms, one.id, *stages.UNDER_WAY),
    )
    _change(connection, one.id, Step(stages.RUNNING, one.stage), now_ms)
    connection.execute("UPDATE rollouts SET stage_ms = ? WHERE id = ?", (now_ms, one.id))
    return excused


def _change(connection: sqlite3.Connection, rollout: int, step: Step, now_ms: int) -> None:
    connection.execute(
        "UPDATE rollouts SET state = ?1, why = ?2, changed_ms = ?3, stage_ms = iif(stage = ?4, stage_ms, ?3),"
        " stage = ?4 WHERE id = ?5",
        (step.state, step.why, now_ms, step.stage, rollout),
    )
