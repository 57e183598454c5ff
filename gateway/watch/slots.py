"""What each point did in each quarter of an hour, out of exported rows; and what its linkage did by that."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from gateway.export.columns import NAMES, Row
from gateway.watch.enterprises import Linkage, PointId
from protocol import limits

SLOT_S = limits.WINDOW_S
_TERMINAL, _POINT, _START, _LENGTH = (NAMES.index(name) for name in ("terminal", "point", "start_unix_s", "length_s"))
_POWER, _ENERGY = NAMES.index("p_mean_w"), NAMES.index("e_import_wh")


class Slot(NamedTuple):
    """A point in a quarter of an hour: how long it was measured, its mean power then, its register at the end."""

    measured_s: int
    power_w: float
    energy_wh: int | None


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
        one = Slot(row[_LENGTH], float(row[_POWER]), row[_ENERGY])
        of_point[start_s] = joined(of_point[start_s], one) if start_s in of_point else one
    return found


def seen(linkage: Linkage, slots: Slots, start_s: int) -> Seen:
    """What the linkage did in the slot that begins then."""
    production = [slots[point].get(start_s) for point in linkage.production]
    treatment = [slots[point].get(start_s) for point in linkage.treatment]
    if not any(production) and not any(treatment):
        return _NOTHING
    return Seen(
        _joint([_state(one, linkage.production_on_w, linkage.production_on_w) for one in production], all_=False),
        _joint(
            [_state(one, linkage.treatment_on_w, linkage.treatment_idle_w) for one in treatment],
            all_=linkage.needs_all,
        ),
        sum(one.power_w for one in production if one),
        sum(one.power_w for one in treatment if one),
    )


def joined(one: Slot, other: Slot) -> Slot:
    """Two windows that share a slot."""
    measured_s = one.measured_s + other.measured_s
    power_w = (one.power_w * one.measured_s + other.power_w * other.measured_s) / measured_s
    energies = [each.energy_wh for each in (one, other) if each.energy_wh is not None]
    return Slot(measured_s, power_w, max(energies, default=None))


def _state(slot: Slot | None, on_w: int, works_w: int) -> State:
    if slot is None:
        return State.UNKNOWN
    if slot.power_w < on_w:
        return State.OFF
    return State.ON if slot.power_w >= works_w else State.IDLE


def _joint(states: list[State], *, all_: bool) -> State:
    """Of several points: the least that any does if all must run, else the most; not known where that can't be told."""
    known = [one for one in states if one is not State.UNKNOWN]
    if not known:
        return State.UNKNOWN
    decided = min(known) if all_ else max(known)
    bound = State.OFF if all_ else State.ON  # what no other point can change
    return decided if decided is bound or len(known) == len(states) else State.UNKNOWN
