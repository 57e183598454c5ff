"""A meter test stand's source: voltages, currents and angles that are set, in steps, in place of a load."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import isqrt
from typing import Annotated, Any

import msgspec

from hil.load import Constant
from hil.meter_feeder import PHASES, Feeder

_NW_MS_PER_WH = 1_000_000_000 * 3_600_000
_NW_PER_W = 1_000_000_000


class Phase(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One phase: primary voltage and current, and the angle's cosine, negative for what flows back."""

    u_mv: Annotated[int, msgspec.Meta(ge=0)]
    i_ma: Annotated[int, msgspec.Meta(ge=0)]
    cos_permille: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 1000
    leading: bool = False  # as capacitors: reactive energy flows back

    @property
    def p_nw(self) -> int:
        """Active power, exact."""
        return self.u_mv * self.i_ma * self.cos_permille

    @property
    def q_nvar(self) -> int:
        """Reactive power, to a nvar."""
        size = isqrt((self.u_mv * self.i_ma * 1000) ** 2 - self.p_nw**2)
        return -size if self.leading else size


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is set for so long."""

    name: str
    lasts_ms: Annotated[int, msgspec.Meta(ge=1)]
    phases: tuple[Phase, Phase, Phase]

    @property
    def p_nw(self) -> int:
        """Active power of all phases."""
        return sum(phase.p_nw for phase in self.phases)

    @property
    def q_nvar(self) -> int:
        """Reactive power of all phases."""
        return sum(phase.q_nvar for phase in self.phases)


class Stand(Feeder):
    """A feeder with known values. Before its first step nothing flows; after the last it stays on. No wiring faults."""

    def __init__(self, steps: Sequence[Step], begin_ms: int, energy_wh: int) -> None:
        super().__init__(Constant(0), begin_ms, 0)
        self._steps = list(steps)
        self._begin_ms = begin_ms
        self._energy_wh = energy_wh

    def quantities(self, now_ms: int) -> dict[str, Fraction]:
        """All that a three-phase meter can measure, exact, at any instant."""
        step = self.step_at(now_ms)
        power_nw, reactive_nvar = step.p_nw, step.q_nvar
        apparent = isqrt(power_nw**2 + reactive_nvar**2)
        found = {
            "p_w": Fraction(power_nw, _NW_PER_W),
            "q_var": Fraction(reactive_nvar, _NW_PER_W),
            "pf_milli": Fraction(1000 * power_nw, apparent) if apparent else Fraction(1000),
            **self._energies(now_ms),
        }
        for name, phase in zip(PHASES, step.phases, strict=True):
            size = phase.u_mv * phase.i_ma
            found[f"u{name}_dv"] = Fraction(phase.u_mv, 100)
            found[f"i{name}_ma"] = Fraction(phase.i_ma)
            found[f"p{name}_w"] = Fraction(phase.p_nw, _NW_PER_W)
            found[f"q{name}_var"] = Fraction(phase.q_nvar, _NW_PER_W)
            found[f"pf{name}_milli"] = Fraction(phase.p_nw, size) if size else Fraction(1000)
        return found

    def step_at(self, now_ms: int) -> Step:
        """What is set at an instant."""
        return next((step for step, _from, to_ms in self.spans() if now_ms < to_ms), self._steps[-1])

    def spans(self) -> Iterator[tuple[Step, int, int]]:
        """Each step, from when to when."""
        from_ms = self._begin_ms
        for step in self._steps:
            yield step, from_ms, from_ms + step.lasts_ms
            from_ms += step.lasts_ms

    def _energies(self, now_ms: int) -> dict[str, Fraction]:
        start = {"e_import_wh": self._energy_wh, "r_import_varh": self._energy_wh // 3}
        sums = dict.fromkeys(("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh"), 0)
        last_ms = self._begin_ms + sum(step.lasts_ms for step in self._steps)
        spans = [*self.spans(), (self._steps[-1], last_ms, max(now_ms, last_ms))]
        for step, from_ms, to_ms in spans:
            span_ms = max(0, min(to_ms, now_ms) - from_ms)
            for power, name in ((step.p_nw, "e_{}_wh"), (step.q_nvar, "r_{}_varh")):
                sums[name.format("import" if power >= 0 else "export")] += abs(power) * span_ms
        return {name: start.get(name, 0) + Fraction(total, _NW_MS_PER_WH) for name, total in sums.items()}


def stand_of(config: Mapping[str, Any], energy_wh: int) -> Stand:
    """The stand that a meter's load describes (kind: stand). Raises msgspec.ValidationError."""
    return Stand(msgspec.convert(config["steps"], list[Step]), config["begin_ms"], energy_wh)
