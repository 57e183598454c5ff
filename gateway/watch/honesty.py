"""Are these the readings of a live meter on its own feeder? Rules over one point's windows, or two points'. No I/O.

What a meter shows of a quarter of an hour is compared as a whole: what registers rose by, mean powers, power factor,
voltages, currents. Energy alone repeats itself hundreds of times a year in an honest plant; all of it over an hour does
not (measured on a year of a steel plant: never). Where there is no load nothing is compared but voltages.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import isqrt
from operator import or_
from typing import NamedTuple

from gateway.export.columns import NAMES, Row
from gateway.watch.finding import Finding
from gateway.watch.rules import Repeated, Transformer
from gateway.watch.slots import SLOT_S

FROZEN, REPLAYED, ALIKE = "frozen", "replayed", "alike"
PHASE_LOST, REVERSED, FACTOR_LOW = "phase_lost", "reversed", "factor_low"
KINDS = (FROZEN, REPLAYED, ALIKE, PHASE_LOST, REVERSED, FACTOR_LOW)
HOUR_WINDOWS = 4  # so many equal ones are no chance
_NAMES = ("start_unix_s", "length_s", "p_mean_w", "q_mean_var", "pf_milli")
_REGISTERS = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
_VOLTAGES, _CURRENTS = ("ua_dv", "ub_dv", "uc_dv"), ("ia_ma", "ib_ma", "ic_ma")


Print = tuple[int | None, ...]  # all that is compared of a window
Hour = tuple[Print, ...]


class Shown(NamedTuple):
    """What a meter showed of a whole window.

    print: None after a gap, and where there is nothing that a live meter would have to change.
    """

    start_s: int
    power_w: int | None
    factor_milli: int | None
    currents_ma: tuple[int | None, ...]
    export_rise_wh: int
    print: Print | None
    apparent_va: int | None = None  # of each phase's voltage and current
    vector_va: int | None = None  # of active and reactive power


def shown_of(rows: Iterable[Row]) -> list[Shown]:
    """One point's rows with a reading, by time. Windows that are not whole are left out, and the rise after them."""
    at = {name: NAMES.index(name) for name in (*_NAMES, *_REGISTERS, *_VOLTAGES, *_CURRENTS)}
    whole = [row for row in rows if row[at["length_s"]] == SLOT_S and row[at["p_mean_w"]] is not None]
    whole.sort(key=lambda row: row[at["start_unix_s"]])
    found: list[Shown] = []
    before: Row | None = None
    for row in whole:
        follows = before is not None and row[at["start_unix_s"]] == before[at["start_unix_s"]] + SLOT_S
        rises = tuple(_rise(before, row, at[name]) for name in _REGISTERS) if before is not None and follows else ()
        voltages, currents = (tuple(row[at[name]] for name in names) for names in (_VOLTAGES, _CURRENTS))
        power_w, factor = row[at["p_mean_w"]], row[at["pf_milli"]]
        has_load = power_w != 0 or any(rises)
        compared = (*rises, power_w, row[at["q_mean_var"]], factor, *voltages, *currents)
        lives = rises and (has_load or any(voltages))
        export_wh = (rises[_REGISTERS.index("e_export_wh")] or 0) if rises else 0
        start_s, reactive_var = row[at["start_unix_s"]], _reactive_var(row[at["q_mean_var"]], rises)
        vector_va = None if reactive_var is None else isqrt(power_w**2 + reactive_var**2)
        both = apparent_va(voltages, currents), vector_va
        found.append(Shown(start_s, power_w, factor, currents, export_wh, compared if lives else None, *both))
        before = row
    return found


def frozen(shown: Sequence[Shown], rule: Repeated) -> Iterator[Finding]:
    """Spans in which nothing at all changed for so many windows or longer (S-13)."""
    repeats = [_equal(one, before) for before, one in pairwise(shown)]
    for one in _runs(FROZEN, shown[1:], repeats, rule.windows - 1):
        yield one._replace(from_s=one.from_s - SLOT_S)


def replayed(shown: Sequence[Shown], from_s: int) -> Iterator[Finding]:
    """Hours from from_s on that were shown before, window for window (S-12); an hour that is frozen is told there."""
    shown_at: dict[Hour, int] = {}
    last: Finding | None = None
    for begin_s, hour in _hours(shown):
        first_s = shown_at.setdefault(hour, begin_s)
        if first_s == begin_s or begin_s < from_s:
            continue
        end_s = begin_s + HOUR_WINDOWS * SLOT_S
        if last is not None and begin_s <= last.to_s:
            last = last._replace(to_s=end_s)
            continue
        if last is not None:
            yield last
        last = Finding(REPLAYED, begin_s, end_s, {"shown_first_unix_s": first_s})
    if last is not None:
        yield last


def alike(shown: Sequence[Shown], other: Sequence[Shown], rule: Repeated) -> Iterator[Finding]:
    """Spans of so many windows or longer in which two points showed the same (S-14)."""
    by_start = {one.start_s: one for one in other}
    same = [_equal(one, by_start.get(one.start_s)) for one in shown]
    yield from _runs(ALIKE, shown, same, rule.windows)


def transformers(shown: Sequence[Shown], rated_w: int | None, rule: Transformer) -> Iterator[Finding]:
    """Spans of so many windows or longer under load in which the transformers can't be right (S-15).

    rated_w: None where it is not known: then only what is REVERSED is told.
    """
    loaded = [_is_loaded(one, rated_w, rule) for one in shown]
    reversed_ = [is_loaded and _is_reversed(one) for is_loaded, one in zip(loaded, shown, strict=True)]
    yield from _runs(REVERSED, shown, reversed_, rule.windows)
    if rated_w is None:
        return
    lost = [_has_lost_a_phase(one, rated_w, rule) for one in shown]
    yield from _runs(PHASE_LOST, shown, lost, rule.windows)
    low = [is_loaded and _has_a_low_factor(one, rule) for is_loaded, one in zip(loaded, shown, strict=True)]
    crossed = [_is_crossed(one, rated_w, rule) for one in shown]
    yield from _runs(FACTOR_LOW, shown, list(map(or_, low, crossed)), rule.windows)


def may_be_wrong(one: Shown, rated_w: int | None, rule: Transformer) -> bool:
    """Whether a window by itself could be part of a finding of `transformers`, whatever else the point showed."""
    is_loaded = _is_loaded(one, rated_w, rule)
    if is_loaded and _is_reversed(one):
        return True
    if rated_w is None:
        return False
    if is_loaded and _has_a_low_factor(one, rule):
        return True
    return _has_lost_a_phase(one, rated_w, rule) or _is_crossed(one, rated_w, rule)


def apparent_va(voltages_dv: Sequence[int | None], currents_ma: Sequence[int | None]) -> int | None:
    """What the phases' voltages and currents come to; None: not all of them are known."""
    total = 0
    for voltage_dv, current_ma in zip(voltages_dv, currents_ma, strict=True):
        if voltage_dv is None or current_ma is None:
            return None
        total += voltage_dv * abs(current_ma)
    return total // 10_000  # of 0.1 V and mA


def _hours(shown: Sequence[Shown]) -> Iterator[tuple[int, Hour]]:
    """(begin, what was shown) of each hour without a gap, in which something changed."""
    for number in range(len(shown) - HOUR_WINDOWS + 1):
        some = shown[number : number + HOUR_WINDOWS]
        hour = tuple(one.print for one in some if one.print is not None)
        has_gap = some[-1].start_s - some[0].start_s != (HOUR_WINDOWS - 1) * SLOT_S
        if len(hour) == HOUR_WINDOWS and not has_gap and len(set(hour)) > 1:
            yield some[0].start_s, hour


def _is_loaded(one: Shown, rated_w: int | None, rule: Transformer) -> bool:
    power_w = abs(one.power_w or 0)
    if rated_w is None:
        return power_w >= rule.unrated_w
    return power_w > 0 and power_w * 100 >= rated_w * rule.load_percent


def _is_crossed(one: Shown, rated_w: int, rule: Transformer) -> bool:
    """Currents on other phases' voltages: the phases' powers cancel each other out, reactive ones, too."""
    if one.apparent_va is None or one.vector_va is None:
        return False
    is_loaded = one.apparent_va * 100 >= rated_w * rule.load_percent
    return is_loaded and one.vector_va * 1000 < one.apparent_va * rule.factor_min_milli


def _reactive_var(mean_var: int | None, rises: Sequence[int | None]) -> int | None:
    """Mean reactive power of a window: as the meter said, or by what its registers rose by."""
    if mean_var is not None or not rises:
        return mean_var
    imported, exported = (rises[_REGISTERS.index(name)] for name in ("r_import_varh", "r_export_varh"))
    return None if imported is None else (imported - (exported or 0)) * 3600 // SLOT_S


def _is_reversed(one: Shown) -> bool:
    return (one.power_w or 0) < 0 or one.export_rise_wh > 0 or any((each or 0) < 0 for each in one.currents_ma)


def _has_lost_a_phase(one: Shown, rated_w: int, rule: Transformer) -> bool:
    """Under load, of which a meter with one phase gone shows two thirds."""
    if not _is_loaded(one, rated_w * 2 // len(_CURRENTS), rule):
        return False
    currents = [abs(each) for each in one.currents_ma if each is not None]
    if len(currents) < len(_CURRENTS):
        return False
    least, *others = sorted(currents)
    return least * 100 * len(others) < sum(others) * rule.lost_percent


def _has_a_low_factor(one: Shown, rule: Transformer) -> bool:
    return one.factor_milli is not None and abs(one.factor_milli) < rule.factor_min_milli


def _equal(one: Shown, other: Shown | None) -> bool:
    return other is not None and one.print is not None and one.print == other.print


def _rise(before: Row, row: Row, at: int) -> int | None:
    return None if before[at] is None or row[at] is None else row[at] - before[at]


def _runs(kind: str, shown: Sequence[Shown], wrong: Sequence[bool], least: int) -> Iterator[Finding]:
    """Spans of `least` or more windows, one after the other, that are wrong."""
    run: list[Shown] = []
    for one, is_wrong in zip(shown, wrong, strict=True):
        if run and not (is_wrong and one.start_s == run[-1].start_s + SLOT_S):
            yield from _told(kind, run, least)
            run = []
        if is_wrong:
            run.append(one)
    yield from _told(kind, run, least)


def _told(kind: str, run: list[Shown], least: int) -> Iterator[Finding]:
    if len(run) >= least:
        yield Finding(kind, run[0].start_s, run[-1].start_s + SLOT_S)
