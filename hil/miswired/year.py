"""False alarms of the wiring check over a real load: every interval of a file is a moment at which somebody checks."""

import csv
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from firmware.field.wiring.facts import Told, facts
from firmware.field.wiring.judge import Verdict, judge
from hil.load_file import LoadFileError, Order, read_intervals
from hil.meter_phasors import Wires
from hil.miswired.faults import Case, shared
from hil.miswired.recall import MOMENTS, planned, shown

_UNEVEN = 0.15  # of the phases' currents: what a plant's feeder is like
WELL = Case(Wires(), frozenset())


class Moment(NamedTuple):
    """A load: mean power, and power factor, negative where it leads."""

    power_w: float
    factor: float


class Checked(NamedTuple):
    """One moment's check of a meter that is wired as planned."""

    number: int
    moment: Moment
    verdict: Verdict


def moments(
    path: Path, time_column: str, energy_column: str, reactive: Sequence[str] = (), order: Order = "auto"
) -> list[Moment]:
    """The intervals of a CSV file; reactive: its columns of lagging and leading kvarh, else power factor 0.85.

    Raises LoadFileError.
    """
    intervals = read_intervals(path, time_column, energy_column, order)
    hours = intervals.interval_s / 3600
    kvarh = _reactive(path, reactive) if reactive else [0.62 * float(wh) / 1000 for wh in intervals.energies_wh]
    return [
        Moment(float(wh) / hours, _factor(float(wh) / 1000, var))
        for wh, var in zip(intervals.energies_wh, kvarh, strict=True)
    ]


def check(found: Sequence[Moment], model: str, seed: int, rated_w: float) -> Iterator[Checked]:
    """Each moment checked once, with phases, noise and what the technician says drawn from the seed."""
    point = planned(model, round(rated_w))
    for number, moment in enumerate(found):
        draw = random.Random(f"{seed}:{number}")
        loads = shared(draw, moment.power_w, moment.factor, uneven=_UNEVEN)
        told = Told(running=True, power_w=round(sum(load.power_w for load in loads) * draw.uniform(0.8, 1.25)) or 1)
        taken = [shown(model, WELL, loads, draw.randrange(10**6), at) for at in range(MOMENTS)]
        yield Checked(number, moment, judge(point, facts(point, taken), told))


def states(checked: Sequence[Checked]) -> dict[str, int]:
    """How many passed, were left open, and were called wrong."""
    counts = Counter(one.verdict.state for one in checked)
    return {state: counts[state] for state in ("passed", "cannot_tell", "failed")}


def _factor(kwh: float, kvarh: float) -> float:
    size = math.hypot(kwh, kvarh)
    factor = kwh / size if size else 1.0
    return -factor if kvarh < 0 else factor


def _reactive(path: Path, columns: Sequence[str]) -> list[float]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return [
                float(row[columns[0]]) - sum(float(row[one]) for one in columns[1:]) for row in csv.DictReader(file)
            ]
        except (KeyError, ValueError, TypeError) as error:
            raise LoadFileError(path, [f"reactive energy / 无功电量: {error!r}"]) from error
