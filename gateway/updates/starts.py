"""What a terminal began with at its newest start: it stands in for what it said of a release, where that was lost."""

import sqlite3
from typing import NamedTuple

from gateway.downward import Said
from gateway.updates import stages
from protocol import record

_RELEASE, _ON_TRIAL = 3, 4  # which of a boot's integers (UPDATES.md, FR-87); older firmware tells neither


class Start(NamedTuple):
    """release: the number of what it began with."""

    release: int
    on_trial: bool


def note(connection: sqlite3.Connection, said: Said) -> list[Start]:
    """Take in what a terminal says, after its last word was noted; the starts by which it stands then, the newest last.

    That is the newest one, if no word came after it, and before it the one that is said, which may come late.
    """
    is_start = said.code == record.BOOT and len(said.values) > _ON_TRIAL
    if is_start:
        connection.execute(
            "INSERT INTO words (terminal, epoch, seq, said_ms, start_epoch, start_seq, release, on_trial)"
            " VALUES (?1, ?2, -1, ?4, ?2, ?3, ?5, ?6) ON CONFLICT DO UPDATE SET"
            " start_epoch = ?2, start_seq = ?3, release = ?5, on_trial = ?6"
            " WHERE start_epoch IS NOT ?2 OR start_seq < ?3",
            (said.terminal, said.epoch, said.seq, said.came_ms, said.values[_RELEASE], said.values[_ON_TRIAL]),
        )
    if is_start and said.values[_ON_TRIAL]:  # a word as update_taken is: what was said before of its coming is over
        connection.execute(
            "UPDATE words SET epoch = ?2, seq = ?3 WHERE terminal = ?1", (said.terminal, said.epoch, said.seq)
        )
    row = connection.execute(
        "SELECT epoch, seq, start_epoch, start_seq, release, on_trial FROM words WHERE terminal = ?", (said.terminal,)
    ).fetchone()
    if row is None or row[2] is None:
        return []
    epoch, seq, start_epoch, start_seq, release, on_trial = row
    if not is_start and (start_epoch != epoch or start_seq < seq):
        return []
    if not on_trial:
        connection.execute("UPDATE words SET in_force = ? WHERE terminal = ?", (release, said.terminal))
    found = [Start(said.values[_RELEASE], bool(said.values[_ON_TRIAL]))] if is_start else []
    return [*found, Start(release, bool(on_trial))]


def state_after(state: str, number: int, start: Start) -> str:
    """How a terminal stands with a rollout's release after a start; what it said before gave `state`."""
    if start.release == number:
        return stages.TRIAL if start.on_trial and state != stages.GOOD else stages.GOOD
    return stages.WENT_BACK if state == stages.TRIAL else state
