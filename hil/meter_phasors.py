"""A three-phase feeder as phasors, and a meter wired to it in any way: which phase is at which terminal, turned or not.

The load's voltages stand 120 degrees apart, each current lags its own voltage by the load's angle. A meter's element k
multiplies the voltage at its terminal k with the current of its transformer k, wherever both come from: what it shows
is what the wiring makes of it, and nothing else is assumed. Floats are exact enough: a meter rounds far above them.
"""

import cmath
import math
from fractions import Fraction
from typing import Annotated, Any

import msgspec

from hil.load import Constant, noise_permille
from hil.meter_feeder import PHASES, Feeder

_NOMINAL_V = 230
_STEP_MS = 1000  # of the noise
_MS_PER_H = 3_600_000
_DEAD_A = 0.001  # below it a meter says that it has lost the current
_DEAD_SHARE = 0.01  # of the largest current

Element = Annotated[int, msgspec.Meta(ge=0, le=2)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class PhaseLoad(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What one phase draws; leading: as capacitors do."""

    power_w: Annotated[int, msgspec.Meta(ge=0)]
    pf_permille: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 900
    leading: bool = False


class Wires(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a meter is wired, by its elements a, b, c. None: nothing is connected.

    volts, amps: which phase (0 to 2) the terminal, the transformer is on. turned: the transformer's direction.
    gain: of its current, permille: 1000 as planned; a few for one with its secondary shorted, else another ratio's.
    """

    volts: tuple[Element | None, Element | None, Element | None] = (0, 1, 2)
    amps: tuple[Element | None, Element | None, Element | None] = (0, 1, 2)
    turned: tuple[bool, bool, bool] = (False, False, False)
    gain: tuple[Permille, Permille, Permille] = (1000, 1000, 1000)


class Phasors(Feeder):
    """A feeder that draws the same all the time, but for noise, and a meter wired to it."""

    def __init__(
        self, loads: tuple[PhaseLoad, PhaseLoad, PhaseLoad], wires: Wires, begin_ms: int, noise: int = 0, seed: int = 0
    ) -> None:
        """noise: permille, of each voltage and each current, anew each second."""
        super().__init__(Constant(0), begin_ms, 0)
        self._loads = loads
        self._wires = wires
        self._begin_ms = begin_ms
        self._noise = noise
        self._seed = seed

    def quantities(self, now_ms: int) -> dict[str, Fraction]:
        """All that a meter wired so would measure."""
        volts, amps = self._at_the_meter(now_ms)
        powers = [volt * amp.conjugate() for volt, amp in zip(volts, amps, strict=True)]
        whole = sum(powers)
        found = {"p_w": whole.real, "q_var": whole.imag, "pf_milli": _factor(whole)}
        for name, volt, amp, power in zip(PHASES, volts, amps, powers, strict=True):
            found[f"u{name}_dv"] = 10 * abs(volt)
            found[f"i{name}_ma"] = 1000 * abs(amp)
            found[f"p{name}_w"] = power.real
            found[f"q{name}_var"] = power.imag
            found[f"pf{name}_milli"] = _factor(power)
        hours = (now_ms - self._begin_ms) / _MS_PER_H
        found["e_import_wh"] = max(whole.real, 0) * hours
        found["e_export_wh"] = max(-whole.real, 0) * hours
        found["r_import_varh"] = max(whole.imag, 0) * hours
        found["r_export_varh"] = max(-whole.imag, 0) * hours
        return {name: Fraction(value) for name, value in found.items()}

    def state(self, now_ms: int) -> set[str]:
        """What a meter says about its wiring, in the names of protocol.meter_state."""
        volts, amps = self._at_the_meter(now_ms)
        most = max(map(abs, amps))
        said = set()
        for name, volt, amp in zip(PHASES, volts, amps, strict=True):
            if not volt:
                said.add(f"voltage_lost_{name}")
            elif abs(amp) < max(_DEAD_A, _DEAD_SHARE * most):
                said.add(f"current_lost_{name}")
            elif (volt * amp.conjugate()).real < 0:
                said.add(f"reverse_{name}")
        if all(volts) and _turn(volts[0], volts[1]) > 0:
            said.add("voltage_sequence")
        return said

    def _at_the_meter(self, now_ms: int) -> tuple[list[complex], list[complex]]:
        """Voltage and current of each element."""
        step = now_ms // _STEP_MS
        volts, amps = [], []
        for number, load in enumerate(self._loads):
            turn = cmath.exp(-2j * math.pi * number / 3)
            volt = _NOMINAL_V * turn * noise_permille(self._seed * 6 + number, step, self._noise) / 1000
            angle = math.acos(load.pf_permille / 1000) * (-1 if load.leading else 1)
            size = load.power_w / abs(volt) / (load.pf_permille / 1000)
            noise = noise_permille(self._seed * 6 + 3 + number, step, self._noise) / 1000
            volts.append(volt)
            amps.append(size * turn * cmath.exp(-1j * angle) * noise)
        wires = self._wires
        seen_volts = [0j if at is None else volts[at] for at in wires.volts]
        seen_amps = [
            0j if at is None else amps[at] * gain / 1000 * (-1 if turned else 1)
            for at, gain, turned in zip(wires.amps, wires.gain, wires.turned, strict=True)
        ]
        return seen_volts, seen_amps


def phasors_of(config: dict[str, Any], begin_ms: int) -> Phasors:
    """The feeder that a meter's load describes (kind: phasors). Raises msgspec.ValidationError, KeyError."""
    loads = msgspec.convert(config["phases"], tuple[PhaseLoad, PhaseLoad, PhaseLoad])
    wires = msgspec.convert(config.get("wires", {}), Wires)
    return Phasors(loads, wires, begin_ms, config.get("noise_permille", 0), config.get("seed", 0))


def _factor(power: complex) -> float:
    return 1000 * power.real / abs(power) if power else 1000.0


def _turn(first: complex, second: complex) -> float:
    """By how much the second is ahead of the first."""
    return cmath.phase(second / first)
