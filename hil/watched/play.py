"""All of it: factories, meters of a load, terminals; and whether the alarms are as good as they have to be."""

import random
from collections.abc import Iterator, Sequence

from hil.miswired.year import Moment
from hil.watched import honest, linkages, terminals
from hil.watched.meters import synthetic
from hil.watched.score import Score

FALSE_A_YEAR = {"linkage": 1.0}  # of a factory; below it. All other rules: none at all


def play(factories: int, days: int, draws: int, seed: int, recorded: Sequence[Moment] | None) -> list[Score]:
    """Rules of linkage over so many factories for so many days; of honesty over a synthetic load, and over the
    recorded one; of service. draws: of each deed.
    """
    made = synthetic(days, random.Random(f"{seed}:load"))
    found = linkages.scores(factories, days, str(seed))
    found += honest.scores("synthetic", made, draws, f"{seed}:synthetic")
    if recorded is not None:
        found += honest.scores("recorded", recorded, draws, f"{seed}:recorded")
    return found + terminals.scores(draws, str(seed))


def failures(scores: Sequence[Score]) -> Iterator[str]:
    """What is not as good as it has to be, each with what replays it."""
    for one in scores:
        head = f"{one.rule}, {one.deed}, {one.load}"
        if one.recall is not None and one.recall < one.least_recall:
            yield f"{head}: recall {one.recall:.4f}: {'; '.join(one.missed[:3])}"
        if one.false and (one.false_a_year or 0) >= FALSE_A_YEAR.get(one.rule, 0):
            yield f"{head}: {len(one.false)} false: {'; '.join(one.false[:3])}"
