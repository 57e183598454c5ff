"""How a rollout goes on: what became of its terminals decides whether it waits, goes on, ends, or halts. No I/O.

A terminal that was not heard since its wave began has not failed: it gets its offer when it is heard. A canary that is
not heard has, for it was chosen to tell.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

WAITING = "waiting"  # it was not heard since its turn came
OFFERED, DOWNLOADING, VERIFYING, TRIAL = "offered", "downloading", "verifying", "trial"
GOOD, REFUSED, WENT_BACK, SILENT = "good", "refused", "went_back", "silent"
UNDER_WAY = (OFFERED, DOWNLOADING, VERIFYING, TRIAL)
FAILED = (REFUSED, WENT_BACK, SILENT)
STATES = (WAITING, *UNDER_WAY, GOOD, *FAILED)

RUNNING, HALTED, DONE, ENDED = "running", "halted", "done", "ended"  # a rollout's own
OPEN = (RUNNING, HALTED)  # not over

NAMED_MAX = 5  # terminals in a reason; `update status` has all


class Standing(NamedTuple):
    """How a terminal stands. since_ms: when its state began, or something of the bundle came."""

    terminal: str
    stage: int
    state: str
    since_ms: int
    excused: bool  # its failure was seen by the operator, who let the rollout go on


class Rule(NamedTuple):
    """stages: how many. may_fail: so many failures do not halt it. silent_ms: no word for so long is a failure."""

    stages: int
    may_fail: int
    silent_ms: int


class Step(NamedTuple):
    """What is to be done: the rollout's state and stage from now on, and why it halts."""

    state: str
    stage: int
    why: str = ""


def silent(standings: Iterable[Standing], stage: int, stage_since_ms: int, rule: Rule, now_ms: int) -> list[str]:
    """The terminals from which no word came for too long; standings: of all stages up to this one."""
    found = []
    for one in standings:
        since_ms = max(one.since_ms, stage_since_ms) if one.state == WAITING else one.since_ms
        waited = one.state in UNDER_WAY or (one.state == WAITING and one.stage == stage == 0)
        if waited and now_ms - since_ms > rule.silent_ms:
            found.append(one.terminal)
    return found


def next_step(standings: Sequence[Standing], stage: int, stage_since_ms: int, rule: Rule, now_ms: int) -> Step:
    """How a running rollout goes on; standings: of all stages up to this one."""
    failed = [one for one in standings if one.state in FAILED and not one.excused]
    if len(failed) > rule.may_fail:
        return Step(HALTED, stage, _why(failed))
    if any(_holds(one, stage, stage_since_ms, rule, now_ms) for one in standings):
        return Step(RUNNING, stage)
    if stage + 1 < rule.stages:
        return Step(RUNNING, stage + 1)
    return Step(RUNNING if any(one.state == WAITING for one in standings) else DONE, stage)


def _holds(one: Standing, stage: int, stage_since_ms: int, rule: Rule, now_ms: int) -> bool:
    """Whether the next wave waits for this terminal."""
    if one.state == WAITING:
        return one.stage == stage and now_ms - stage_since_ms <= rule.silent_ms
    return one.state in UNDER_WAY


def _why(failed: Sequence[Standing]) -> str:
    """As an operator reads it."""
    named = ", ".join(f"{one.terminal} {WORDS[one.state]}" for one in failed[:NAMED_MAX])
    return named + (f", + {len(failed) - NAMED_MAX}" if len(failed) > NAMED_MAX else "")


WORDS = {  # of states, for people
    WAITING: "not heard yet / 待联系",
    OFFERED: "offered / 已通知",
    DOWNLOADING: "downloading / 下载中",
    VERIFYING: "verifying / 校验中",
    TRIAL: "on trial / 试运行",
    GOOD: "good / 成功",
    REFUSED: "refused / 拒绝",
    WENT_BACK: "went back / 已回退",
    SILENT: "silent / 无应答",
}
