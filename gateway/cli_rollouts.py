"""Rollouts as `wattline gateway update` shows them, to programs and to people."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.cli_common import line_text, time_text
from gateway.updates import stages
from gateway.updates.order import Begun
from gateway.updates.rollouts import Member, Rollout
from protocol.update import REFUSALS

Row = dict[str, Any]
OTHER_BOARD = "other_board"  # why a terminal is left out
SHOWN_MAX = 20  # terminals by name, for a person; --json has all
BACK = {  # why a terminal went back (protocol/UPDATES.md, FR-87)
    1: "three starts without an ack / 三次启动均未收到确认",
    2: "no ack in time / 限期内未收到确认",
    3: "it could not be begun with / 无法启动",
    4: "it read no meter, though one answered before / 升级后读不到电表",
}
STATES = {
    stages.RUNNING: "running / 进行中",
    stages.HALTED: "halted / 已停止",
    stages.DONE: "done / 已完成",
    stages.ENDED: "ended / 已终止",
}


def begun_text(found: Begun) -> Iterator[str]:
    """What was ordered, for a person."""
    canaries = found.canaries
    more = f" + {len(canaries) - SHOWN_MAX}" if len(canaries) > SHOWN_MAX else ""
    named = ", ".join(canaries[:SHOWN_MAX]) + more
    yield f"rollout {found.id}: {len(found.placed)} terminals; canaries / 金丝雀: {named}"
    if found.have_it:
        yield f"  {len(found.have_it)} have it already / 已是该版本"
    yield from _left_out_text(left_out_rows(found.left_out))


def left_out_rows(boards: Mapping[str, str]) -> list[Row]:
    """Terminals that a rollout leaves out, by name with their boards, and why."""
    return [{"terminal": name, "reason": OTHER_BOARD, "board": board} for name, board in boards.items()]


def _left_out_text(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        named = ", ".join(f"{one['terminal']} {one['board']}" for one in rows[:SHOWN_MAX])
        more = f" + {len(rows) - SHOWN_MAX}" if len(rows) > SHOWN_MAX else ""
        yield f"  {len(rows)} left out / 跳过: {OTHER_BOARD}: another board / 板型不符: {named}{more}"


def rollout_row(one: Rollout) -> Row:
    """A rollout alone."""
    return {
        "rollout": one.id,
        "release": one.number,
        "board": one.board,
        "state": one.state,
        "why": one.why,
        "percents": list(one.percents),
        "stage": one.stage,
        "begun": time_text(one.begun_ms),
        "changed": time_text(one.changed_ms),
    }


def rollout_text(row: Row) -> str:
    """Likewise, on a line."""
    said = (
        f"rollout {row['rollout']}: release {row['release']}, {row['version']}, {row['board']}: {STATES[row['state']]}"
    )
    return said + (f": {row['why']}" if row["why"] else "") + f"; begun {row['begun']}, changed {row['changed']}"


def progress_row(one: Rollout, members: Sequence[Member], payload_bytes: int) -> Row:
    """A rollout with its stages and its terminals."""
    staged = [
        {
            "to_percent": percent,
            "begun": stage <= one.stage,
            "states": dict(Counter(member.state for member in members if member.stage == stage)),
        }
        for stage, percent in enumerate(one.percents)
    ]
    terminals = [_member_row(member, payload_bytes) for member in members]
    return rollout_row(one) | {"payload_bytes": payload_bytes, "stages": staged, "terminals": terminals}


def _member_row(one: Member, payload_bytes: int) -> Row:
    found: Row = {
        "terminal": one.terminal,
        "stage": one.stage,
        "state": one.state,
        "stored_bytes": payload_bytes if one.state in {stages.TRIAL, stages.GOOD} else one.stored_bytes,
        "since": time_text(one.since_ms),
        "offered": one.offered,
    }
    if one.reason is not None:
        meanings = BACK if one.state == stages.WENT_BACK else {code: ": ".join(said) for code, said in REFUSALS.items()}
        found |= {"reason": one.reason, "meaning": meanings.get(one.reason, "unknown / 未知")}
    return found


def progress_text(row: Row) -> Iterator[str]:
    """Likewise, for a person: terminals that are under way or have failed by name."""
    why = f": {row['why']}" if row["why"] else ""
    yield f"rollout {row['rollout']}: release {row['release']}, {row['board']}: {STATES[row['state']]}{why}"
    for stage, one in enumerate(row["stages"]):
        name = "canaries / 金丝雀" if stage == 0 else f"wave / 第 {stage} 批"
        turn = "" if one["begun"] else ", not begun / 未开始"
        yield f"  {name}, to {one['to_percent']} %{turn}: {line_text(one['states'])}"
    named = [one for one in row["terminals"] if one["state"] not in {stages.WAITING, stages.GOOD}]
    for one in named[:SHOWN_MAX]:
        yield f"    {_member_text(one, row['payload_bytes'])}"
    if len(named) > SHOWN_MAX:
        yield f"    ... {len(named) - SHOWN_MAX} more / 其余见 --json"
    yield from _left_out_text(row["left_out"])


def _member_text(one: Row, payload_bytes: int) -> str:
    said = f"{one['terminal']}  {stages.WORDS[one['state']]}"
    if one["state"] == stages.DOWNLOADING:
        said += f"  {one['stored_bytes']} of {payload_bytes} bytes ({100 * one['stored_bytes'] // payload_bytes} %)"
    if "meaning" in one:
        said += f"  {one['reason']}, {one['meaning']}"
    return f"{said}  since {one['since']}"
