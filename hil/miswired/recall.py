"""How many emulated mistakes the wiring check names: the meter shown in its own registers' steps, then judged."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from terminal import profile
from terminal.bus import Line, Meter

from firmware.field.bus import phases, recognise
from firmware.field.bus.points import Planned
from firmware.field.bus.snapshot import Snapshot
from firmware.field.wiring.facts import Told, facts
from firmware.field.wiring.judge import Verdict, judge
from hil.meter import read_profile
from hil.meter_phasors import PhaseLoad, Phasors
from hil.meter_types import decode, encode, places
from hil.miswired.faults import FAULTS, WANT_SEQUENCE, Case, Loads, drawn_loads
from protocol import meter_state

RATED_W = 60_000
CT = 40  # 200/5 A, where the terminal applies it
NOISE_PERMILLE = 5
MOMENTS = 3
_EVERY_MS = 2000
_LINE = Line(9600, "N", 1)


_SEEN = {("some_wrong", "abc"), ("all_turned", "abc")}  # of meters without each phase's power


class Row(NamedTuple):
    """Of one mistake: draws, and in how many it was named; among the few that were named; only seen that something is.

    Then: left open, named as another, passed.
    """

    fault: str
    draws: int
    named: int
    narrowed: int
    seen: int
    cannot_tell: int
    wrong: int
    passed: int


class Judged(NamedTuple):
    """One draw, to be replayed by its seed."""

    fault: str
    seed: int
    case: Case
    loads: Loads
    verdict: Verdict

    @property
    def came_to(self) -> str:
        """A column of Row."""
        failed = [one for one in self.verdict.mistakes if one.state == "failed"]
        said = {(one.code, one.phases) for one in failed}
        if self.verdict.state == "cannot_tell":
            return "cannot_tell"
        if said == self.case.right:
            return "named"
        if not said:
            return "passed"
        right = {f"{code} {phases}" for code, phases in self.case.right}
        if any(one.code == "one_of" and right in [set(str(way).split(" + ")) for way in one.more] for one in failed):
            return "narrowed"
        return "seen" if self.case.right and said <= _SEEN else "wrong"


def campaign(model: str, draws: int, seed: int) -> Iterator[tuple[Row, list[Judged]]]:
    """Each mistake drawn so often on meters of a model; with those draws that were named wrongly, or passed."""
    for fault in FAULTS:
        if fault in WANT_SEQUENCE and not tells_sequence(model):
            continue
        judged = [one(model, fault, f"{seed}:{number}", number) for number in range(draws)]
        yield row(fault, judged), [found for found in judged if found.came_to in {"wrong", "passed"}]


def row(fault: str, judged: Iterable[Judged]) -> Row:
    """What a mistake's draws came to."""
    counts = Counter(found.came_to for found in judged)
    return Row(fault, counts.total(), *(counts[column] for column in Row._fields[2:]))


def one(model: str, fault: str, seed: str, number: int) -> Judged:
    """One draw of a mistake: load, unbalance, noise, and what the technician says, within a quarter of the truth."""
    draw = random.Random(f"{fault}:{seed}")
    case = FAULTS[fault](draw)
    loads = drawn_loads(draw, RATED_W)
    power_w = sum(load.power_w for load in loads)
    told = Told(case.running, round(power_w * draw.uniform(0.8, 1.25)) if case.running else None)
    name = "dlt645_1p" if case.single else model
    moments = [shown(name, case, loads, draw.randrange(10**6), at) for at in range(MOMENTS)]
    point = planned(name)
    return Judged(fault, number, case, loads, judge(point, facts(point, moments), told))


def shown(model: str, case: Case, loads: Loads, seed: int, moment: int) -> Snapshot:
    """What a meter of the model shows at a moment, as the tool reads it."""
    if case.single:
        nothing = PhaseLoad(0, 1000)
        loads = (loads[0], nothing, nothing)
    feeder = Phasors(loads, case.wires, 0, NOISE_PERMILLE, seed)
    at_ms = moment * _EVERY_MS
    quantities = feeder.quantities(at_ms)
    stated = tells_sequence(model)
    return Snapshot(
        1,
        at_ms / 1000,
        "",
        _read(model, "quantities", quantities),
        _read(model, "phases", quantities),
        {},
        frozenset(feeder.state(at_ms)) if stated else frozenset(),
        stated,
    )


def planned(model: str, rated_w: int = RATED_W) -> Planned:
    """A three-phase point with such a meter, its transformers 200/5 A."""
    return Planned(1, model, "production", 0, Meter(1, 1, _profile(model), (_ct(model), 1), 300, _LINE), rated_w)


def tells_sequence(model: str) -> bool:
    """Whether such a meter says when the voltages' order is reversed."""
    return any(
        ours == meter_state.NAMES.index("voltage_sequence") for word in _profile(model).state_bits for _, ours in word
    )


def has_phases(model: str) -> bool:
    """Whether such a meter shows each phase's power."""
    return bool(phases.content(model))


@lru_cache(64)
def _profile(model: str) -> profile.Profile:
    return next(one for one in recognise.models() if one.name == model)


def _ct(model: str) -> int:
    return CT if _profile(model).wants_ratios else 1


@lru_cache(64)
def _places(model: str, table: str) -> list[Any]:
    content = read_profile(model)
    return places({**content, "quantities": content.get(table, {})}, "quantities", (_ct(model), 1))


def _read(model: str, table: str, quantities: dict[str, Fraction]) -> dict[str, int | None]:
    """What a table's registers say of these quantities: their steps, their range, their sign."""
    found = {}
    for place in _places(model, table):
        raw = encode(quantities[place.name], place.type, place.rolls_at, low_first=place.low_first, scale=place.scale)
        found[place.name] = decode(raw, place)
    return found
