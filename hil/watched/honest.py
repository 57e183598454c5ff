"""The rules of honesty: over a load as it is, where nothing may be said; and where something was done to the meter."""

import random
from collections.abc import Callable, Iterable, Sequence

from gateway.watch import honesty
from gateway.watch.finding import Finding
from gateway.watch.honesty import HOUR_WINDOWS, shown_of
from gateway.watch.rules import Rules
from gateway.watch.slots import SLOT_S
from hil.miswired.faults import FAULTS
from hil.miswired.year import Moment
from hil.watched.meters import BEGIN_S, Shown, rows, shown
from hil.watched.score import Score

RULES = Rules()
LENGTHS = (HOUR_WINDOWS + 1, 16)  # of a deed, in windows
LOAD_PERCENT = 12  # of the most: it is judged from 10 % on, and where phases are uneven may show a little less
BEFORE = 12  # windows before a deed that its rule sees
DAY, HISTORY_DAYS = 96, RULES.replayed.history_days
# what was done, by the names of hil/miswired/faults.py
WIRED = {
    "a CT missing": honesty.PHASE_LOST,
    "a CT shorted": honesty.PHASE_LOST,
    "one CT turned round": honesty.REVERSED,
    "all CTs turned round": honesty.REVERSED,
    "two CTs exchanged": honesty.FACTOR_LOW,
    "all CTs one phase on": honesty.FACTOR_LOW,
}
# on one phase's turn it is what capacitors on an idle feeder are: the check at commissioning sees it (P-295)
LEAST_RECALL = {"all CTs one phase on": 0.0}
_ANY_WIRING = frozenset({honesty.PHASE_LOST, honesty.REVERSED, honesty.FACTOR_LOW})
Deed = Callable[[list[Shown], int, int, random.Random], list[Shown]]
Rule = Callable[[list[Shown], int], Iterable[Finding]]  # of windows from this number on


def scores(load: str, some: Sequence[Moment], draws: int, seed: str) -> list[Score]:
    """Of a load: each rule over all of it, and `draws` of each deed."""
    days, rated_w = len(some) / DAY, max(one.power_w for one in some)
    plain = [shown(one, number, seed, with_phases=False) for number, one in enumerate(some)]
    phased = [shown(one, number, seed, with_phases=True) for number, one in enumerate(some)]
    found = []
    for rule, deed, act in _REPEATS:
        found.append(_repeated(rule, deed, act, load, plain, draws, seed))
    found.append(_alike(load, plain, draws, seed))
    for name in (honesty.FROZEN, honesty.REPLAYED):
        one = next(each for each in found if each.rule == name)
        one.watched_days = 2 * days
        one.false = [str(each) for meter in (plain, phased) for each in _rule(name)(meter, 0)]
    found += _wired(load, some, rated_w, phased, draws, seed)
    return found


def _frozen(meter: list[Shown], at: int, length: int, _: random.Random) -> list[Shown]:
    return [meter[at - 1]] * length


def _standing(meter: list[Shown], at: int, length: int, _: random.Random) -> list[Shown]:
    return [Shown(meter[at - 1].values, 0, 0, 0, 0)] * length


def _played_again(meter: list[Shown], at: int, length: int, rnd: random.Random) -> list[Shown]:
    source = rnd.randrange(max(1, at - (HISTORY_DAYS - 1) * DAY), at - length)
    return meter[source : source + length]


_REPEATS: tuple[tuple[str, str, Deed], ...] = (
    (honesty.FROZEN, "a meter that hangs, registers rise by the same", _frozen),
    (honesty.FROZEN, "a meter that hangs, registers stand", _standing),
    (honesty.REPLAYED, "an hour or more of the last month played again", _played_again),
)


def _rule(name: str) -> Rule:
    if name == honesty.FROZEN:
        return lambda some, first: honesty.frozen(shown_of(rows(some, first)), RULES.frozen)
    return lambda some, first: honesty.replayed(shown_of(rows(some, first)), 0)


def _repeated(rule: str, deed: str, act: Deed, load: str, meter: list[Shown], draws: int, seed: str) -> Score:
    """Told at the fourth equal window, the first repeated hour. A frozen run begins with the reading that froze."""
    score = Score(rule, deed, load, goal=HOUR_WINDOWS)
    for number in range(draws):
        rnd = random.Random(f"{seed}:{deed}:{number}")
        length = rnd.randint(*LENGTHS)
        at = rnd.randrange(2 * DAY, len(meter) - length)
        first = max(0, at - HISTORY_DAYS * DAY) if rule == honesty.REPLAYED else at - BEFORE
        forged = act(meter, at, length, rnd)
        if len(set(map(repr, forged))) == 1 and rule == honesty.REPLAYED:
            continue  # an hour in which nothing changed is told as frozen
        delay = _delay(lambda count: _rule(rule)([*meter[first:at], *forged[:count]], first), at, length)  # noqa: B023
        score.told(delay is not None, delay or 0, f"{load}, draw {number}: windows {at} to {at + length}")
    return score


def _delay(told: Callable[[int], Iterable[Finding]], at: int, length: int) -> int | None:
    """How many windows of the deed it takes until the rule tells of it; None: it never does."""
    begin_s = BEGIN_S + at * SLOT_S
    for count in range(1, length + 1):
        if any(one.to_s > begin_s for one in told(count)):
            return count
    return None


def _alike(load: str, meter: list[Shown], draws: int, seed: str) -> Score:
    """Two feeders: the load, and the same a week later; the second one's table shows the first one's."""
    score = Score(honesty.ALIKE, "two points read from one meter", load, goal=HOUR_WINDOWS + 1)
    week = 7 * DAY
    one, other = meter[week:], meter[:-week]
    shown_one, shown_other = shown_of(rows(one)), shown_of(rows(other))
    score.false = [str(each) for each in honesty.alike(shown_one, shown_other, RULES.alike)]
    score.watched_days = len(one) / DAY
    for number in range(draws):
        rnd = random.Random(f"{seed}:alike:{number}")
        length = rnd.randint(*LENGTHS)
        at = rnd.randrange(BEFORE, len(one) - length)
        first = at - BEFORE
        mine = shown_of(rows(one[first : at + length], first))
        delay = _delay(
            lambda count: honesty.alike(
                mine[: BEFORE + count],  # noqa: B023
                shown_of(rows([*other[first:at], *one[at : at + count]], first)),  # noqa: B023
                RULES.alike,
            ),
            at,
            length,
        )
        score.told(delay is not None, delay or 0, f"{load}, draw {number}: windows {at} to {at + length}")
    return score


def _wired(load: str, some: Sequence[Moment], rated_w: float, meter: list[Shown], draws: int, seed: str) -> list[Score]:
    """Transformers: told in the second window. What was done is named if any of the three kinds is."""
    rated = round(rated_w)
    loaded = [100 * one.power_w >= LOAD_PERCENT * rated_w for one in some]
    places = [at for at in range(BEFORE, len(some) - RULES.transformer.windows) if all(loaded[at : at + LENGTHS[0]])]
    found = []
    for deed, kind in WIRED.items():
        score = Score(kind, deed, load, goal=RULES.transformer.windows, least_recall=LEAST_RECALL.get(deed, 1.0))
        for number in range(draws if places else 0):
            rnd = random.Random(f"{seed}:{deed}:{number}")
            at, wires = rnd.choice(places), FAULTS[deed](rnd).wires
            forged = [shown(some[at + i], at + i, seed, wires, with_phases=True) for i in range(LENGTHS[0])]
            delay = _delay(
                lambda count: honesty.transformers(
                    shown_of(rows([*meter[at - BEFORE : at], *forged[:count]], at - BEFORE)),  # noqa: B023
                    rated,
                    RULES.transformer,
                ),
                at,
                LENGTHS[0],
            )
            score.told(delay is not None, delay or 0, f"{load}, draw {number}: from window {at} on, {wires}")
        found.append(score)
    honest = list(honesty.transformers(shown_of(rows(meter)), rated, RULES.transformer))
    for kind in _ANY_WIRING:
        first = next(one for one in found if one.rule == kind)
        first.false, first.watched_days = [str(one) for one in honest if one.kind == kind], len(some) / DAY
    return found
