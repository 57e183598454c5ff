"""A meter's windows as the journal has them, out of a load: honest ones, and those of a meter that is wired otherwise.

Each window is what an emulated meter (hil/meter_phasors.py) shows of the interval's mean load: phases that are not
quite alike, noise of voltages and currents, registers of 1 Wh. A meter `with_phases=False` shows what a plain one does:
power, power factor and registers, the hardest case for rules that compare.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.export.columns import NAMES, Row
from gateway.watch.slots import SLOT_S
from hil.load import Shifts
from hil.load_file import LoadFileError, read_intervals
from hil.meter_phasors import Phasors, Wires
from hil.miswired.faults import shared
from hil.miswired.year import Moment, moments

BEGIN_S = 1_767_196_800  # 2026-01-01 00:00 at UTC+8
ZONE_S = 8 * 3600
WELL = Wires()
_NOISE_PERMILLE = 5
_UNEVEN = 0.15  # of the phases' currents: what a plant's feeder is like
_SAMPLE_S = 60
_REGISTERS = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
_PHASED = ("ua_dv", "ub_dv", "uc_dv", "ia_ma", "ib_ma", "ic_ma")


class Shown(NamedTuple):
    """A window but for its registers, and what these rose by in it."""

    values: dict[str, int | None]
    import_wh: int
    export_wh: int
    lagging_varh: int
    leading_varh: int


def recorded(path: Path, time_column: str, energy_column: str, reactive: Sequence[str]) -> list[Moment]:
    """The quarters of an hour of a CSV file (hil/miswired/year.py). Raises LoadFileError."""
    interval_s = read_intervals(path, time_column, energy_column).interval_s
    if interval_s != SLOT_S:
        raise LoadFileError(path, [f"intervals of {interval_s} s; wanted / 需要: {SLOT_S} s"])
    return moments(path, time_column, energy_column, reactive)


def synthetic(days: int, rnd: random.Random) -> list[Moment]:
    """A line in two or three shifts, whose power factor wanders."""
    line = Shifts(rnd.randint(50_000, 500_000), rnd.choice([2, 3]), ZONE_S, rnd.getrandbits(30))
    found = []
    for start_s in range(BEGIN_S, BEGIN_S + 86_400 * days, SLOT_S):
        powers_mw = [line.at(1000 * at_s)[0] for at_s in range(start_s, start_s + SLOT_S, _SAMPLE_S)]
        found.append(Moment(sum(powers_mw) / len(powers_mw) / 1000, rnd.uniform(0.8, 0.95)))
    return found


def shown(one: Moment, number: int, seed: str, wires: Wires = WELL, *, with_phases: bool) -> Shown:
    """What a meter shows of the interval of this number."""
    rnd = random.Random(f"{seed}:{number}")
    at_ms = 1000 * (BEGIN_S + number * SLOT_S)
    loads = shared(rnd, one.power_w, one.factor, uneven=_UNEVEN)
    told = Phasors(loads, wires, at_ms, _NOISE_PERMILLE, rnd.getrandbits(30)).quantities(at_ms)
    values: dict[str, int | None] = {name: round(told[name]) if with_phases else None for name in _PHASED}
    values |= {"p_mean_w": round(told["p_w"]), "pf_milli": round(told["pf_milli"])}
    energy_wh, energy_varh = round(told["p_w"] * SLOT_S / 3600), round(told["q_var"] * SLOT_S / 3600)
    return Shown(values, max(energy_wh, 0), max(-energy_wh, 0), max(energy_varh, 0), max(-energy_varh, 0))


def rows(some: Sequence[Shown], first: int = 0) -> list[Row]:
    """As the journal has them, from the window of this number on, with registers that go on."""
    registers, found = [10**6, 10**3, 10**5, 10**3], []
    for number, one in enumerate(some, first):
        registers = [register + rise for register, rise in zip(registers, one[1:], strict=True)]
        row = dict.fromkeys(NAMES) | one.values | dict(zip(_REGISTERS, registers, strict=True))
        found.append(tuple((row | {"start_unix_s": BEGIN_S + number * SLOT_S, "length_s": SLOT_S}).values()))
    return found
