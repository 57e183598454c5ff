"""What a linkage comes to over a span: hours, share of production with treatment, how often treatment went off."""

from itertools import pairwise
from typing import NamedTuple

from gateway.watch.enterprises import Linkage, PointId
from gateway.watch.slots import SLOT_S, Seen, Slots, State, seen

HOUR_S = 3600


class Measures(NamedTuple):
    """Of a linkage in a span. Hours are of slots that were seen; energies of registers, None where there is none.

    linkage_rate: of the production hours in which treatment is known, the share with treatment running; None: no such
    hour. unused_days: days with production and never treatment (建而不用); switched_off: how often treatment went off
    while production ran (时开时停).
    """

    slots: int
    seen_slots: int
    production_h: float
    treatment_h: float
    linkage_rate: float | None
    unused_days: int
    switched_off: int
    production_wh: int | None
    treatment_wh: int | None


def measures(linkage: Linkage, slots: Slots, from_s: int, to_s: int, day_offset_s: int) -> Measures:
    """Over the slots that begin in [from_s, to_s). day_offset_s: of local midnight from UTC."""
    starts = range(from_s // SLOT_S * SLOT_S, to_s, SLOT_S)
    all_seen = [seen(linkage, slots, start_s) for start_s in starts]
    produced = [one for one in all_seen if one.production is State.ON]
    treated = [one for one in produced if one.treatment in {State.ON, State.IDLE}]
    known = [one for one in produced if one.treatment is not State.UNKNOWN]
    return Measures(
        len(starts),
        sum(State.UNKNOWN not in {one.production, one.treatment} for one in all_seen),
        len(produced) * SLOT_S / HOUR_S,
        sum(one.treatment in {State.ON, State.IDLE} for one in all_seen) * SLOT_S / HOUR_S,
        len(treated) / len(known) if known else None,
        _unused_days(list(starts), all_seen, day_offset_s),
        sum(_went_off(one, other) for one, other in pairwise(all_seen)),
        _energy_wh(linkage.production, slots, starts),
        _energy_wh(linkage.treatment, slots, starts),
    )


def _unused_days(starts: list[int], all_seen: list[Seen], day_offset_s: int) -> int:
    produced, treated = set(), set()
    for start_s, one in zip(starts, all_seen, strict=True):
        day = (start_s + day_offset_s) // 86_400
        if one.production is State.ON:
            produced.add(day)
        if one.treatment is not State.OFF:
            treated.add(day)
    return len(produced - treated)


def _went_off(one: Seen, other: Seen) -> bool:
    both_on = one.production is other.production is State.ON
    return both_on and one.treatment in {State.ON, State.IDLE} and other.treatment is State.OFF


def _energy_wh(points: tuple[PointId, ...], slots: Slots, starts: range) -> int | None:
    """The registers' rises from the first slot that has them to the last; None where a point shows none, or fell.

    Steps are left out.
    """
    total_wh = 0
    for point in points:
        shown = [slots[point][at_s] for at_s in sorted(slots[point]) if at_s in starts]
        registers = [one for one in shown if one.energy_wh is not None]
        rises_wh = [(two.energy_wh or 0) - (one.energy_wh or 0) for one, two in pairwise(registers) if not two.is_step]
        if len(registers) < 2 or sum(rises_wh) < 0:
            return None
        total_wh += sum(rises_wh)
    return total_wh
