"""The rules of service over what came from terminals: ordinary weeks, and what was done to the link, power or clock."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gateway.watch import service
from gateway.watch.came import Came
from gateway.watch.finding import Finding
from gateway.watch.rules import Rules
from gateway.watch.slots import SLOT_S
from hil.watched.meters import BEGIN_S
from hil.watched.score import Score
from protocol import record

RULES = Rules()
WINDOWS = 96  # of a terminal's day
FIRST, LAST = 30, 60  # windows at which a deed may begin
LENGTHS = (5, 24)  # of a deed, in windows
ON_ITS_WAY_S = (3, 240)  # ordinary: a modem that dials
SILENT_MIN = RULES.silent.after_min
_CLOCK_ERROR_S, _COPYS_EPOCH = 1, 9


class Deed(NamedTuple):
    """What was done, what has to be told, by when (unit), and what came then out of what would have come."""

    what: str
    kind: str
    goal: int
    unit: str
    act: Callable[[list[Came], int, int, random.Random], list[Came]]


def scores(draws: int, seed: str) -> list[Score]:
    """`draws` days of each deed, and as many ordinary ones."""
    ordinary = [str(one) for number in range(draws) for one in _told(_day(random.Random(f"{seed}:{number}")), _end_s())]
    found = [Score("all of service", "nothing", "synthetic", 0, false=ordinary, watched_days=draws)]
    for deed in _DEEDS:
        score = Score(deed.kind, deed.what, "synthetic", goal=deed.goal, unit=deed.unit)
        for number in range(draws):
            rnd = random.Random(f"{seed}:{deed.what}:{number}")
            at, length = rnd.randint(FIRST, LAST), rnd.randint(*LENGTHS)
            came = deed.act(_day(rnd), at, length, rnd)
            delay = _minutes(came, at) if deed.unit == "min" else _windows(came, deed.kind, at)
            score.told(delay is not None, delay or 0, f"draw {number}: window {at}, {length} long")
        found.append(score)
    return found


def _end_s() -> int:
    return BEGIN_S + WINDOWS * SLOT_S


def _day(rnd: random.Random) -> list[Came]:
    """A window each quarter of an hour, soon after its end."""
    return [_window(number, rnd.randint(*ON_ITS_WAY_S)) for number in range(WINDOWS)]


def _window(number: int, later_s: int, epoch: int = 1) -> Came:
    from_s = BEGIN_S + number * SLOT_S
    return Came("T1", from_s + SLOT_S + later_s, from_s, from_s + SLOT_S, _CLOCK_ERROR_S, epoch=epoch)


def _event(number: int, code: int, *values: int) -> Came:
    at_s = BEGIN_S + number * SLOT_S + 60
    return Came("T1", at_s + 5, at_s, at_s, _CLOCK_ERROR_S, code, 1, values)


def _told(came: Sequence[Came], until_s: int) -> list[Finding]:
    """All that the rules say of what had come by then."""
    some = [one for one in came if one.received_s <= until_s]
    silent = list(service.silences(some, RULES.silent, until_s))
    of_points = [one for _, one in (*service.meter(some, []), *service.register(some))]
    of_terminal: Iterable[Finding] = (
        *service.late(some, RULES.late, silent),
        *service.clock(some, RULES.clock),
        *service.log_filling(some, RULES.log_filling),
        *service.log_full(some),
        *service.supply(some),
        *service.cloned(some),
    )
    return [*silent, *of_terminal, *of_points]


def _minutes(came: Sequence[Came], at: int) -> int | None:
    """From the last word before window `at` on until a silence is told."""
    last_s = max(one.received_s for one in came if one.from_s < BEGIN_S + at * SLOT_S)
    for minutes in range(1, 2 * SILENT_MIN):
        if any(one.from_s >= last_s for one in _told(came, last_s + 60 * minutes)):
            return minutes
    return None


def _windows(came: Sequence[Came], kind: str, at: int) -> int | None:
    """From the beginning of window `at` on until what was done, or why it was silent, is told."""
    for number in range(at, WINDOWS):
        if any(one.kind == kind for one in _told(came, BEGIN_S + (number + 1) * SLOT_S + ON_ITS_WAY_S[1])):
            return number - at + 1
    return None


def _silent(day: list[Came], at: int, length: int, _: random.Random) -> list[Came]:
    return [*day[:at], *day[at + length :]]


def _no_power(day: list[Came], at: int, length: int, rnd: random.Random) -> list[Came]:
    """Told by the start that comes after it: the delay counts from then."""
    return [*_silent(day, at - length, length, rnd), _event(at, record.BOOT, 1, 1_000_000)]


def _no_link(day: list[Came], at: int, length: int, _: random.Random) -> list[Came]:
    """Likewise: windows come when it is back."""
    back_s = BEGIN_S + at * SLOT_S
    return [one._replace(received_s=back_s + 30) if at - length <= i < at else one for i, one in enumerate(day)]


def _late(day: list[Came], at: int, _length: int, _: random.Random) -> list[Came]:
    """A window here and there comes much later, while others come."""
    late_s = (RULES.late.after_min + 5) * 60
    return [one._replace(received_s=one.to_s + late_s) if i == at else one for i, one in enumerate(day)]


def _clock_wrong(day: list[Came], at: int, length: int, _: random.Random) -> list[Came]:
    error_s = RULES.clock.error_max_s + 1
    return [one._replace(clock_error_s=error_s) if at <= i < at + length else one for i, one in enumerate(day)]


def _copied(day: list[Came], at: int, length: int, rnd: random.Random) -> list[Came]:
    copy = [_window(number, rnd.randint(*ON_ITS_WAY_S), _COPYS_EPOCH) for number in range(at, at + length)]
    return [*day, *copy]


def _register(day: list[Came], at: int, _length: int, rnd: random.Random) -> list[Came]:
    check = rnd.choice(["energy_fell", "energy_jumped", "energy_step"])
    return [one._replace(marks=((check, 1),)) if i == at else one for i, one in enumerate(day)]


def _says(code: int, *values: int) -> Callable[[list[Came], int, int, random.Random], list[Came]]:
    return lambda day, at, _length, _: [*day, _event(at, code, *values)]


_DEEDS = (
    Deed("nothing comes any more", service.SILENT, SILENT_MIN + 1, "min", _silent),
    Deed("the power was cut, and is back", service.POWER_LOST, 1, "windows", _no_power),
    Deed("the link was cut, and is back", service.LINK_LOST, 1, "windows", _no_link),
    Deed("a window comes 40 minutes late", service.LATE, 4, "windows", _late),
    Deed("the clock may be a minute wrong", service.CLOCK_WRONG, 1, "windows", _clock_wrong),
    Deed("the clock is set by six minutes", service.CLOCK_STEPPED, 1, "windows", _says(record.CLOCK_SET, -360)),
    Deed("a copy speaks beside it", service.CLONED, 1, "windows", _copied),
    Deed(
        "records wait",
        service.LOG_FILLING,
        1,
        "windows",
        _says(record.HEALTH, 0, 0, RULES.log_filling.pending_max + 1, 0),
    ),
    Deed("records were dropped", service.LOG_FULL, 1, "windows", _says(record.LOG_FULL, 1, 4)),
    Deed("its supply is low", service.SUPPLY_LOW, 1, "windows", _says(record.LOW_VOLTAGE, 3000)),
    Deed("a meter is swapped", service.METER_SWAPPED, 1, "windows", _says(record.METER_SWAPPED, 1, 2)),
    Deed("a ratio is set anew", service.RATIO_CHANGED, 1, "windows", _says(record.RATIO_CHANGED, 40, 80, 1, 1)),
    Deed("a register falls or jumps", service.REGISTER, 1, "windows", _register),
)
