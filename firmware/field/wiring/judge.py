"""The judge of one point: its numbers, and what was told, to the mistakes in its wiring. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from firmware.field.bus.points import Planned
from firmware.field.wiring import angles, currents, whole
from firmware.field.wiring.angles import Placing, letters
from firmware.field.wiring.facts import PHASES, Facts, Mistake, Told

LOAD_SHARE_MIN = 0.1  # of rated power: below, a current transformer's angle says little (IEC 61869-2)
_IDLE_SHARE = 0.05  # what stands still draws no more
_NOTHING_SHARE = 0.003  # of what was told: no ratio explains so little
_DEAD_V, _LOW, _HIGH = 0.2, 0.8, 1.2  # of the nominal voltage
_WAYS_MAX = 4  # that a person can try
_NOMINAL_V = (220.0, 230.0, 240.0)
_POWER_GOOD, _POWER_BAD = 1.43, 1.6  # measured / told: "roughly" is not better
_CURRENT_GOOD, _CURRENT_BAD = 1.12, 1.18  # by a clamp meter


class Verdict(NamedTuple):
    """passed: wired as planned, as far as this meter can tell (`notes`). Else what is wrong, or why nothing is said."""

    state: Literal["passed", "failed", "cannot_tell"]
    mistakes: tuple[Mistake, ...]
    notes: tuple[Mistake, ...] = ()


def judge(planned: Planned, facts: Facts | None, told: Told) -> Verdict:
    """The verdict on a point at a moment."""
    if facts is None or _lacks(planned, facts):
        return _unknown("no_readings")
    first = [*_of_meter(planned, facts), *_of_voltages(planned, facts)]
    if any(one.state == "failed" for one in first):
        return _verdict(first, planned, facts)
    enough = _load_enough(planned, facts, told)
    if enough is not None:
        return _verdict([enough], planned, facts)
    return _verdict([*first, *_of_wires(planned, facts, told)], planned, facts)


def _lacks(planned: Planned, facts: Facts) -> bool:
    """Whether the meter told less than its model has: what is left would be judged as if it were all."""
    measured = planned.meter.profile.measured
    has = [at for at, one in enumerate(PHASES) if measured(f"u{one}_dv") and measured(f"i{one}_ma")]
    powerless = facts.power_w is None and not facts.has_phase_powers
    return powerless or not facts.measured or not set(has[: planned.phases]) <= set(facts.measured)


def _verdict(found: Sequence[Mistake], planned: Planned, facts: Facts) -> Verdict:
    notes = tuple(_notes(planned, facts))
    states = {one.state for one in found}
    if "failed" in states:
        return Verdict("failed", tuple(found), notes)
    return Verdict("cannot_tell" if "cannot_tell" in states else "passed", tuple(found), notes)


def _unknown(code: str, *more: float | str) -> Verdict:
    return Verdict("cannot_tell", (Mistake(code, "", more, "cannot_tell"),))


def _notes(planned: Planned, facts: Facts) -> Iterator[Mistake]:
    """What this meter can't tell, whatever it is wired like."""
    if planned.phases == 3 and facts.sequence is None:
        yield Mistake("no_sequence", state="note")
    if planned.phases == 3 and not facts.has_phase_powers:
        yield Mistake("no_phase_powers", state="note")


def _of_meter(planned: Planned, facts: Facts) -> Iterator[Mistake]:
    if planned.phases == 3 and planned.meter.profile.measured("ub_dv") is None:
        yield Mistake("single_phase_meter")
    ct, planned_ct = facts.ct_of_meter, planned.meter.ratios[0]
    if ct is not None and planned.meter.profile.wants_ratios and planned_ct not in (1, ct) and ct != 1:
        yield Mistake("ratio_setting", "", (ct, planned_ct))


def _of_voltages(planned: Planned, facts: Facts) -> Iterator[Mistake]:
    nominal = _NOMINAL_V[1]
    for at in facts.measured[: planned.phases]:
        volt = facts.u[at] or 0.0
        if volt < _DEAD_V * nominal:
            yield Mistake("voltage_missing", PHASES[at])
        elif not _LOW * _NOMINAL_V[0] <= volt <= _HIGH * _NOMINAL_V[2] and planned.meter.ratios[1] == 1:
            yield Mistake("voltage_wrong", PHASES[at], (round(volt, 1),))


def _load_enough(planned: Planned, facts: Facts, told: Told) -> Mistake | None:
    """Why this is no moment to judge; None: it is one."""
    rated_w = planned.rated_w or told.power_w
    seen_va = facts.apparent_va
    if not told.running:
        if rated_w and seen_va > _IDLE_SHARE * rated_w:
            return Mistake("draws_while_off", "", (round(seen_va),))
        return Mistake("not_running", state="cannot_tell")
    if not rated_w:
        return Mistake("rated_unknown", state="cannot_tell")
    drawn_w = _active_w(facts) if told.power_w is None else told.power_w
    if drawn_w < LOAD_SHARE_MIN * rated_w:
        return Mistake("load_low", "", (round(100 * drawn_w / rated_w, 1), rated_w), "cannot_tell")
    if seen_va <= _NOTHING_SHARE * drawn_w:
        return Mistake("no_current", "", (round(seen_va), round(drawn_w)))
    return None


def _active_w(facts: Facts) -> float:
    """What flows, whichever way the transformers are turned; capacitors alone are no load to judge by."""
    if not facts.has_phase_powers:
        return facts.apparent_va
    return sum(abs(facts.p[at] or 0.0) for at in facts.measured)


def _of_wires(planned: Planned, facts: Facts, told: Told) -> Iterator[Mistake]:
    phases = facts.measured[: planned.phases]
    odd = list(currents.mistakes(facts, phases, told))
    yield from odd
    carrying = currents.carrying(facts, phases)
    share = len(phases) / len(carrying)
    if any(one.code == "ct_other_ratio" for one in odd):  # the sum is not what was told either
        told = replace(told, power_w=None)
    if not facts.has_phase_powers:
        found = list(whole.mistakes(facts, told.power_w))
        yield from found or _of_ratio(planned, facts, told, share * (facts.power_w or 0.0))
        return
    told_w = None if told.power_w is None else told.power_w / share
    best = angles.likely(facts, carrying, told_w)
    if len(best) != 1:
        yield _open(best, carrying)
        return
    yield from _of_placing(best[0].placing, carrying, facts)
    if best[0].placing == angles.WELL and _could_be_rotated(facts, carrying):
        yield Mistake("factor_low", state="cannot_tell")
    yield from _of_ratio(planned, facts, told, share * best[0].power_w)


def _could_be_rotated(facts: Facts, phases: Sequence[int]) -> bool:
    """Whether all transformers one phase on would look the same: a factor of a half, and no reactive power to tell."""
    without_sign = any(facts.q[at] is None for at in phases)
    return without_sign and all((facts.p[at] or 0.0) < whole.FACTOR_OF_TWO * facts.va(at) for at in phases)


def _open(best: Sequence[angles.Ranked], phases: Sequence[int]) -> Mistake:
    """Several placings, or none: wrong at any rate, unless the right one is among them."""
    if not best:
        return Mistake("no_fit", state="cannot_tell")
    ways = tuple(" + ".join(f"{one.code} {one.phases}" for one in placed(rank.placing, phases)) for rank in best)
    if "" in ways:
        return Mistake("maybe_wrong", "", tuple(way for way in ways if way)[:_WAYS_MAX], "cannot_tell")
    return Mistake("one_of", "", ways[:_WAYS_MAX])


def _of_placing(placing: Placing, phases: Sequence[int], facts: Facts) -> Iterator[Mistake]:
    if facts.sequence and placing.volts == angles.WELL.volts:
        yield Mistake("phase_order", "abc")
    yield from placed(placing, phases)


def placed(placing: Placing, phases: Sequence[int]) -> Iterator[Mistake]:
    """What is wrong with a placing of the transformers of these phases."""
    leads = [at for at in range(3) if placing.volts[at] != at]
    if leads:
        yield Mistake("voltage_exchanged", letters(leads))
    turned = [at for at in phases if placing.turned[at]]
    moved = [at for at in phases if placing.places[at] != at]
    if len(moved) == 3 and sorted(placing.places) == [0, 1, 2]:
        yield Mistake("ct_rotated", "abc", tuple(PHASES[at] for at in placing.places))
    elif len(moved) == 2 and [placing.places[at] for at in moved] == moved[::-1]:
        yield Mistake("ct_exchanged", letters(moved))
    else:
        yield from (Mistake("ct_elsewhere", PHASES[at], (PHASES[placing.places[at]],)) for at in moved)
    if len(turned) == len(phases) > 1:
        yield Mistake("all_turned", letters(turned))
    else:
        yield from (Mistake("ct_turned", PHASES[at]) for at in turned)


def _of_ratio(planned: Planned, facts: Facts, told: Told, power_w: float) -> Iterator[Mistake]:
    """Whether the size is what was told; power_w: measured, as it is once the wires are right."""
    if told.current_a:
        seen_a = [facts.i[at] or 0.0 for at in currents.carrying(facts, facts.measured)]
        factor, good, bad = sum(seen_a) / len(seen_a) / told.current_a, _CURRENT_GOOD, _CURRENT_BAD
    elif told.power_w:
        factor, good, bad = power_w / told.power_w, _POWER_GOOD, _POWER_BAD
    else:
        yield Mistake("ratio_not_judged", state="note")
        return
    apart = max(factor, 1 / factor) if factor > 0 else bad
    if apart >= bad:
        right = planned.meter.ratios[0] / factor if factor > 0 else 0.0
        yield Mistake("ratio_wrong", "", (round(factor, 3), round(right, 1)))
    elif apart > good:
        yield Mistake("ratio_doubtful", "", (round(factor, 2),), "cannot_tell")
