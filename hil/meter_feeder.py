"""What a meter measures: one three-phase feeder with its load, and what is wrong with the wiring to the meter."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from typing import Literal, NamedTuple

from hil.load import MINUTE_MS, Load, noise_permille

Wiring = Literal["ct_off", "ct_reversed", "voltage_lost", "frozen"]
PHASES = "abc"

_MW_MS_PER_WH = 1000 * 3_600_000
_NOMINAL_MV = 230_000
_PHASE_SHARES = (334, 330, 336)  # permille of the total power: no three-phase feeder is quite even
_WELL = [1, 1, 1]  # each phase's power as a meter sees it that is wired as it should be


class WiringFault(NamedTuple):
    """From when to when (virtual ms) what is wrong; phase None: with all three. Frozen: the meter stands still."""

    what: Wiring
    phase: str | None = None
    from_ms: int = 0
    to_ms: int = 2**53


class Feeder:
    """A feeder that has been measured since start_ms. Quantities are exact primary values, in the terminal's units."""

    def __init__(self, load: Load, start_ms: int, energy_wh: int, faults: Sequence[WiringFault] = ()) -> None:
        self.faults = list(faults)
        self._load = load
        self._until_ms = start_ms
        self._import = energy_wh * _MW_MS_PER_WH * 1000  # mW ms, in thousandths
        self._export = 0
        self._reactive = energy_wh // 3 * _MW_MS_PER_WH * 1000
        self._shown: tuple[object, dict[str, Fraction]] = (None, {})  # at an instant, with these faults

    def begin_again(self, energy_wh: int, at_ms: int) -> None:
        """From this virtual instant on another meter counts."""
        self._measure(at_ms)
        self._import, self._export = energy_wh * _MW_MS_PER_WH * 1000, 0
        self._reactive = energy_wh // 3 * _MW_MS_PER_WH * 1000
        self._shown = (None, {})

    def quantities(self, now_ms: int) -> dict[str, Fraction]:
        """All that a three-phase meter can measure, at a virtual instant that never goes back."""
        asked = (now_ms, tuple(self.faults))
        if self._shown[0] != asked:  # a poll is several reads
            self._shown = (asked, self._quantities(self._seen_ms(now_ms)))
        return self._shown[1]

    def _quantities(self, at_ms: int) -> dict[str, Fraction]:
        self._measure(at_ms)
        power_mw, _ = self._load.at(at_ms)
        apparent = isqrt(power_mw**2 + reactive_mvar(power_mw) ** 2)
        factors = self._factors(at_ms)
        permille = self._permille(factors)
        found = {
            "p_w": Fraction(power_mw * permille, 1_000_000),
            "q_var": Fraction(reactive_mvar(power_mw) * permille, 1_000_000),
            "e_import_wh": Fraction(self._import, _MW_MS_PER_WH * 1000),
            "e_export_wh": Fraction(self._export, _MW_MS_PER_WH * 1000),
            "r_import_varh": Fraction(self._reactive, _MW_MS_PER_WH * 1000),
            "r_export_varh": Fraction(0),
            "pf_milli": Fraction(power_mw * permille, apparent) if apparent else Fraction(1000),
        }
        for number, phase in enumerate(PHASES):
            share, factor = _PHASE_SHARES[number], factors[number]
            voltage_mv = _NOMINAL_MV * noise_permille(number, at_ms // MINUTE_MS, 20) // 1000
            lost, off = self._has("voltage_lost", phase, at_ms), self._has("ct_off", phase, at_ms)
            current = Fraction(0 if off else apparent * share, voltage_mv)
            found[f"u{phase}_dv"] = Fraction(0 if lost else voltage_mv, 100)
            found[f"i{phase}_ma"] = -current if factor < 0 else current
            found[f"p{phase}_w"] = Fraction(power_mw * share * factor, 1_000_000)
            found[f"q{phase}_var"] = Fraction(reactive_mvar(power_mw) * share * factor, 1_000_000)
            found[f"pf{phase}_milli"] = Fraction(1000 * power_mw * factor, apparent) if apparent else Fraction(1000)
        return found

    def state(self, now_ms: int) -> set[str]:
        """What a meter would say about its wiring, in the names of protocol.meter_state."""
        if not self.faults:
            return set()
        names = {"ct_off": "current_lost", "ct_reversed": "reverse", "voltage_lost": "voltage_lost"}
        at_ms = self._seen_ms(now_ms)
        return {f"{name}_{phase}" for what, name in names.items() for phase in PHASES if self._has(what, phase, at_ms)}

    def _seen_ms(self, now_ms: int) -> int:
        """The instant at which the meter stands: a frozen one stands where it froze."""
        if not self.faults:
            return now_ms
        return min(
            [now_ms, *(max(one.from_ms, self._until_ms) for one in self.faults if _holds(one, "frozen", now_ms))]
        )

    def _measure(self, now_ms: int) -> None:
        """Bring the energies up to now: the exact sum of power times time."""
        while self._until_ms < now_ms:
            power_mw, until_ms = self._load.at(self._until_ms)
            edges = [edge for one in self.faults for edge in (one.from_ms, one.to_ms) if edge > self._until_ms]
            span_ms = min([until_ms, now_ms, *edges]) - self._until_ms
            permille = self._permille(self._factors(self._until_ms))
            self._import += max(power_mw * permille, 0) * span_ms
            self._export += max(-power_mw * permille, 0) * span_ms
            self._reactive += abs(reactive_mvar(power_mw) * permille) * span_ms
            self._until_ms += span_ms

    @staticmethod
    def _permille(factors: list[int]) -> int:
        """Of the feeder's power, what the meter sees of it."""
        if factors is _WELL:
            return 1000
        return sum(factor * share for factor, share in zip(factors, _PHASE_SHARES, strict=True))

    def _factors(self, at_ms: int) -> list[int]:
        """Each phase's power as the meter sees it: 1 as it is, 0 not at all, -1 turned round."""
        if not self.faults:
            return _WELL
        return [
            0
            if self._has("ct_off", phase, at_ms) or self._has("voltage_lost", phase, at_ms)
            else -1
            if self._has("ct_reversed", phase, at_ms)
            else 1
            for phase in PHASES
        ]

    def _has(self, what: str, phase: str, at_ms: int) -> bool:
        return bool(self.faults) and any(_holds(one, what, at_ms) and one.phase in {None, phase} for one in self.faults)


def reactive_mvar(power_mw: int) -> int:
    """Lagging, as motors are: power factor about 0.89."""
    return abs(power_mw) // 2


def _holds(fault: WiringFault, what: str, at_ms: int) -> bool:
    return fault.what == what and fault.from_ms <= at_ms < fault.to_ms
