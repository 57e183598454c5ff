"""Readings of some moments as one set of numbers in V, A, W, with what the technician says of the load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from firmware.field.bus.points import Planned
from firmware.field.bus.snapshot import Snapshot

PHASES = "abc"


@dataclass(frozen=True)
class Told:
    """What the technician says about a point's load at this moment.

    power_w: roughly, None: not known. current_a: of each phase, by a clamp meter. even: it draws on all three phases
    alike, as motors and ovens do.
    """

    running: bool
    power_w: int | None = None
    current_a: float | None = None
    even: bool = True


class Mistake(NamedTuple):
    """One thing that is wrong, or why nothing can be said. phases: of "abc"; more: numbers for the words.

    state: "failed": that is how it is wired; "cannot_tell": it is not known; "note": it is no mistake.
    """

    code: str
    phases: str = ""
    more: tuple[float | str, ...] = ()
    state: str = "failed"


@dataclass(frozen=True)
class Facts:
    """One point's numbers, primary, each the middle one of some moments. None: the meter does not say.

    p, q: of each phase. sequence: whether the meter says that the voltages' order is reversed.
    """

    u: tuple[float | None, float | None, float | None]
    i: tuple[float | None, float | None, float | None]
    p: tuple[float | None, float | None, float | None]
    q: tuple[float | None, float | None, float | None]
    power_w: float | None
    reactive_var: float | None
    sequence: bool | None
    ct_of_meter: float | None  # that is set in the meter

    @property
    def measured(self) -> tuple[int, ...]:
        """The phases whose voltage and current the meter measures, 0 to 2."""
        return tuple(at for at in range(3) if self.u[at] is not None and self.i[at] is not None)

    @property
    def apparent_va(self) -> float:
        """Of all phases."""
        return sum(self.va(at) for at in self.measured)

    def va(self, phase: int) -> float:
        """Of one phase; 0 where it is not measured."""
        return (self.u[phase] or 0.0) * (self.i[phase] or 0.0)

    @property
    def has_phase_powers(self) -> bool:
        """Whether each measured phase's power is known."""
        return bool(self.measured) and all(self.p[at] is not None for at in self.measured)


def facts(planned: Planned, moments: Sequence[Snapshot]) -> Facts | None:
    """The numbers of some moments; None: no moment gave any."""
    good = [one for one in moments if not one.said]
    if not good:
        return None
    states = {"voltage_sequence" in one.states for one in good if one.knows_states}
    ct_milli = _middle([one.identity.get("ct_milli") for one in good])
    single = planned.meter.profile.measured("ub_dv") is None
    p = _phases(good, "p{}_w", 1, phases=True)
    q = _phases(good, "q{}_var", 1, phases=True)
    power_w = _middle([one.values.get("p_w") for one in good])
    return Facts(
        u=_phases(good, "u{}_dv", 10),
        i=_phases(good, "i{}_ma", 1000),
        p=(power_w, None, None) if single else p,
        q=q,
        power_w=power_w,
        reactive_var=_middle([one.values.get("q_var") for one in good]),
        sequence=any(states) if states else None,
        ct_of_meter=None if ct_milli is None else ct_milli / 1000,
    )


def _phases(
    good: Sequence[Snapshot], name: str, unit: int, *, phases: bool = False
) -> tuple[float | None, float | None, float | None]:
    found = [_of_phase(good, name.format(letter), unit, phases=phases) for letter in PHASES]
    return found[0], found[1], found[2]


def _of_phase(good: Sequence[Snapshot], name: str, unit: int, *, phases: bool) -> float | None:
    middle = _middle([(one.phases if phases else one.values).get(name) for one in good])
    if middle is None:
        return None
    return abs(middle) / unit if name[0] == "i" else middle / unit  # some meters give a current the power's sign


def _middle(values: Sequence[int | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(median(there)) if there else None
