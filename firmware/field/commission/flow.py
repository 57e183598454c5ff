"""The steps in their order. What was done is not done again; after a failure the same command goes on there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from firmware.field.commission import provision, steps
from firmware.field.commission.session import Session, time_text
from firmware.field.commission.steps import Step
from firmware.field.commission.work import Work
from firmware.field.outcome import Outcome


def todo(session: Session, start: str | None, every: Sequence[Step] = steps.STEPS) -> list[Step]:
    """The steps to be done: from the first that is not done yet on, or earlier, from `start`."""
    names = [step.name for step in every]
    first = next((at for at, name in enumerate(names) if not session.is_done(name)), len(names))
    return list(every[first if start is None else min(first, names.index(start)) :])


def is_of_another_plan(work: Work, session: Session) -> bool:
    """Whether the board was provisioned by another plan than this; if so, that and what follows is to do again."""
    if not session.is_done(provision.STEP) or session.facts.get("planned") == provision.planned(work):
        return False
    names = [step.name for step in steps.STEPS]
    session.forget(names[names.index(provision.STEP) :])
    return True


def run(
    work: Work,
    session: Session,
    wanted: Sequence[Step],
    clock: Callable[[], float],
    every: Sequence[Step] = steps.STEPS,
) -> Iterator[tuple[Step, Outcome, float]]:
    """Do these steps, each (step, what it came to, seconds) as it ends; the session is on the disk by then.

    Ends with the last one, or behind the first that can't be gone on from. Raises OSError if the session can't be kept.
    """
    names = [step.name for step in every]
    for step in wanted:
        before = session.outcomes.get(step.name)
        session.forget(names[names.index(step.name) :])
        session.save()  # a step that is cut off halfway is not done any more
        began = clock()
        outcome = steps.skipped(step, before) if step.name in work.skip else steps.attempt(step, work, session)
        session.keep(outcome, time_text(work.now()))
        yield step, outcome, clock() - began
        if not outcome.is_done:
            return
