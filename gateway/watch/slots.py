"""What each point did in each quarter of an hour, out of exported rows; and what its linkage did by that."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from gateway.export.columns import NAMES, Row
from gateway.watch.enterprises import Linkage, PointId
from protocol import limits

DAY_S = 86_400
SLOT_S = limits.WINDOW_S
_TERMINAL, _POINT, _START, _LENGTH = (NAMES.index(name) for name in ("terminal", "point", "start_unix_s", "length_s"))
_POWER, _ENERGY, _MARKS = NAMES.index("p_mean_w"), NAMES.index("e_import_wh"), NAMES.index("marks")
STEPS = frozenset({"energy_fell", "energy_jumped", "energy_step"})  # of verify's checks


class Slot(NamedTuple):
    """A point in a quarter of an hour: how long it was measured, its mean power then, its register at the end.

    is_step: the register fell or jumped to there, as verify says: what it rose by is no energy.
    """

    measured_s: int
    power_w: float
    energy_wh: int | None
    is_step: bool = False


Slots = Mapping[PointId, Mapping[int, Slot]]  # by the slot's start, Unix seconds; what is not there was not measured


class State(IntEnum):
    """Of a side of a linkage in a slot. UNKNOWN: what was measured does not tell."""

    OFF = 0
    IDLE = 1
    ON = 2
    UNKNOWN = 3


class Seen(NamedTuple):
    """A linkage in a slot. production_w: of what was measured."""

    production: State
    treatment: State
    production_w: float
    treatment_w: float


_NOTHING = Seen(State.UNKNOWN, State.UNKNOWN, 0.0, 0.0)


def slots_of(rows: Iterable[Row], points: set[PointId]) -> dict[PointId, dict[int, Slot]]:
    """The rows of these points by point and slot. Windows that share a slot are joined, weighted by their time."""
    found: dict[PointId, dict[int, Slot]] = {point: {} for point in points}
    for row in rows:
        of_point = found.get(PointId(row[_TERMINAL], row[_POINT]))
        if of_point is None or row[_POWER] is None:
            continue
        start_s = row[_START] // SLOT_S * SLOT_S
        is_step = not STEPS.isdisjoint(row[_MARKS].split(";")) if row[_MARKS] else False
        one = Slot(row[_LENGTH], float(row[_POWER]), row[_ENERGY], is_step)
        of_point[start_s] = joined(of_point[start_s], one) if start_s in of_point else one
    return found


def seen(linkage: Linkage, slots: Slots, start_s: int) -> Seen:
    """What the linkage did in the slot that begins then."""
    return seen_by(
        linkage,
        [_power_w(slots[point].get(start_s)) for point in linkage.production],
        [_power_w(slots[point].get(start_s)) for point in linkage.treatment],
    )


def seen_by(linkage: Linkage, production_w: Sequence[float | None], treatment_w: Sequence[float | None]) -> Seen:
    """What the linkage did in a slot, by the mean powers of its points, in their order; None: not measured."""
    measured_w, treated_w = _known(production_w), _known(treatment_w)
    if not measured_w and not treated_w:
        return _NOTHING
    on_w, works_w = linkage.treatment_on_w, linkage.treatment_idle_w
    return Seen(
        _joint(production_w, measured_w, linkage.production_on_w, linkage.production_on_w, all_=False),
        _joint(treatment_w, treated_w, on_w, works_w, all_=linkage.needs_all),
        sum(measured_w),
        sum(treated_w),
    )


def joined(one: Slot, other: Slot) -> Slot:
    """Two windows that share a slot."""
    measured_s = one.measured_s + other.measured_s
    power_w = (one.power_w * one.measured_s + other.power_w * other.measured_s) / measured_s
    energies = [each.energy_wh for each in (one, other) if each.energy_wh is not None]
    return Slot(measured_s, power_w, max(energies, default=None), one.is_step or other.is_step)


def _power_w(slot: Slot | None) -> float | None:
    return None if slot is None else slot.power_w


def _known(powers_w: Sequence[float | None]) -> list[float]:
    return [one for one in powers_w if one is not None]


def _state(power_w: float, on_w: int, works_w: int) -> State:
    if power_w < on_w:
        return State.OFF
    return State.ON if power_w >= works_w else State.IDLE


def _joint(powers_w: Sequence[float | None], known_w: Sequence[float], on_w: int, works_w: int, *, all_: bool) -> State:
    """Of several points: the least that any does if all must run, else the most; not known where that can't be told."""
    if not known_w:
        return State.UNKNOWN
    decided = _state(min(known_w) if all_ else max(known_w), on_w, works_w)
    bound = State.OFF if all_ else State.ON  # what no other point can change
    return decided if decided is bound or len(known_w) == len(powers_w) else State.UNKNOWN
