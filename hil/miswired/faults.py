"""The ways to wire a meter, each with what the wiring check has to say about it."""

import math
import random
from collections.abc import Callable
from typing import NamedTuple

from hil.meter_phasors import PhaseLoad, Wires

Loads = tuple[PhaseLoad, PhaseLoad, PhaseLoad]
_LEADS = ("a", "b", "c")
_ANGLE_SPREAD_DEG = 8.0  # between the phases of one load
_ANGLE_MOST_DEG = 88.0
_FACTOR_LEAST = 0.05


class Case(NamedTuple):
    """A meter that is wired, what it is told to be, and what is right to say: {(code, phases)}; nothing: it passes.

    ct_planned: the ratio of the plan, where it is not the one that is there. told_w: what runs; None: as drawn.
    """

    wires: Wires
    right: frozenset[tuple[str, str]]
    ct_planned: int | None = None
    single: bool = False  # the meter measures phase a alone
    running: bool = True


Fault = Callable[[random.Random], Case]


def _case(wires: Wires, *right: tuple[str, str]) -> Case:
    return Case(wires, frozenset(right))


def _well(_: random.Random) -> Case:
    return _case(Wires())


def _turned(draw: random.Random) -> Case:
    at = draw.randrange(3)
    return _case(Wires(turned=(at == 0, at == 1, at == 2)), ("ct_turned", _LEADS[at]))


def _two_turned(draw: random.Random) -> Case:
    at = draw.randrange(3)
    right = [("ct_turned", lead) for number, lead in enumerate(_LEADS) if number != at]
    return _case(Wires(turned=(at != 0, at != 1, at != 2)), *right)


def _all_turned(_: random.Random) -> Case:
    return _case(Wires(turned=(True, True, True)), ("all_turned", "abc"))


def _pair(draw: random.Random) -> tuple[tuple[int, int, int], str]:
    """Two phases exchanged, as places and as letters."""
    at = draw.randrange(3)
    first, second = [number for number in range(3) if number != at]
    places = [0, 1, 2]
    places[first], places[second] = second, first
    return (places[0], places[1], places[2]), _LEADS[first] + _LEADS[second]


def _exchanged(draw: random.Random) -> Case:
    places, letters = _pair(draw)
    return _case(Wires(amps=places), ("ct_exchanged", letters))


def _exchanged_and_turned(draw: random.Random) -> Case:
    places, letters = _pair(draw)
    at = draw.randrange(3)
    turned = (at == 0, at == 1, at == 2)
    return _case(Wires(amps=places, turned=turned), ("ct_exchanged", letters), ("ct_turned", _LEADS[at]))


def _rotated(draw: random.Random) -> Case:
    places = draw.choice([(1, 2, 0), (2, 0, 1)])
    return _case(Wires(amps=places), ("ct_rotated", "abc"))


def _elsewhere(draw: random.Random) -> Case:
    at, to = draw.sample(range(3), 2)
    places = [0, 1, 2]
    places[at] = to
    return _case(Wires(amps=(places[0], places[1], places[2])), ("ct_elsewhere", _LEADS[at]))


def _voltages(draw: random.Random) -> Case:
    places, letters = _pair(draw)
    return _case(Wires(volts=places), ("voltage_exchanged", letters))


def _order(draw: random.Random) -> Case:
    places, _ = _pair(draw)
    return _case(Wires(volts=places, amps=places), ("phase_order", "abc"))


def _missing(draw: random.Random) -> Case:
    at = draw.randrange(3)
    amps = tuple(None if number == at else number for number in range(3))
    return _case(Wires(amps=(amps[0], amps[1], amps[2])), ("ct_missing", _LEADS[at]))


def _shorted(draw: random.Random) -> Case:
    at = draw.randrange(3)
    gain = [1000, 1000, 1000]
    gain[at] = draw.randint(30, 80)
    return _case(Wires(gain=(gain[0], gain[1], gain[2])), ("ct_shorted", _LEADS[at]))


def _none(_: random.Random) -> Case:
    return _case(Wires(amps=(None, None, None)), ("no_current", ""))


def _other_ratio(draw: random.Random) -> Case:
    at = draw.randrange(3)
    gain = [1000, 1000, 1000]
    gain[at] = draw.choice([500, 2000, 3000])
    return _case(Wires(gain=(gain[0], gain[1], gain[2])), ("ct_other_ratio", _LEADS[at]))


def _ratio(draw: random.Random) -> Case:
    gain = draw.choice([250, 400, 500, 2000, 2500, 4000])
    return _case(Wires(gain=(gain, gain, gain)), ("ratio_wrong", ""))


def _dead_voltage(draw: random.Random) -> Case:
    at = draw.randrange(3)
    volts = tuple(None if number == at else number for number in range(3))
    return _case(Wires(volts=(volts[0], volts[1], volts[2])), ("voltage_missing", _LEADS[at]))


def _single(_: random.Random) -> Case:
    return Case(Wires(), frozenset({("single_phase_meter", "")}), single=True)


def _on_another_feeder(_: random.Random) -> Case:
    return Case(Wires(), frozenset({("draws_while_off", "")}), running=False)


# P-295's twelve and more. Those marked with the meter's phase order need one that tells it.
FAULTS: dict[str, Fault] = {
    "well": _well,
    "one CT turned round": _turned,
    "two CTs turned round": _two_turned,
    "all CTs turned round": _all_turned,
    "two CTs exchanged": _exchanged,
    "two CTs exchanged, one turned round": _exchanged_and_turned,
    "all CTs one phase on": _rotated,
    "a CT on another's conductor too": _elsewhere,
    "two voltage leads exchanged": _voltages,
    "phase order reversed as a whole": _order,
    "a CT missing": _missing,
    "a CT shorted": _shorted,
    "no CT connected": _none,
    "one CT of another ratio": _other_ratio,
    "wrong ratio": _ratio,
    "a voltage lead missing": _dead_voltage,
    "single-phase meter on three phases": _single,
    "CTs on another feeder": _on_another_feeder,
}
WANT_SEQUENCE = ("two voltage leads exchanged", "phase order reversed as a whole")


def drawn_loads(draw: random.Random, rated_w: int) -> Loads:
    """A machine's load: 12 to 100 % of rated, power factor 0.5 to 1, its phases' currents within 12 % of each other."""
    return shared(draw, draw.uniform(0.12, 1.0) * rated_w, draw.uniform(0.5, 1.0))


def shared(draw: random.Random, power_w: float, factor: float, *, uneven: float = 0.12) -> Loads:
    """A three-phase load by its power and power factor, negative: leading; in phases that are not quite alike.

    uneven: by so much a phase's current differs from the mean; its angle by _ANGLE_SPREAD_DEG at most.
    """
    angle_deg = math.degrees(math.acos(min(1.0, abs(factor))))
    phases = []
    for _ in range(3):
        size_va = power_w / max(abs(factor), _FACTOR_LEAST) / 3 * (1 + draw.uniform(-uneven, uneven))
        own_deg = min(abs(angle_deg + draw.uniform(-_ANGLE_SPREAD_DEG, _ANGLE_SPREAD_DEG)), _ANGLE_MOST_DEG)
        own_permille = max(1, round(1000 * math.cos(math.radians(own_deg))))
        phases.append(PhaseLoad(round(size_va * own_permille / 1000), own_permille, factor < 0))
    return phases[0], phases[1], phases[2]
