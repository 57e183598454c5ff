"""The limits, declared once, and what came of each quantity.

The chain may add nothing but rounding. So a quantity may be off by half a step of the meter's own register and half a
unit of ours. Where the power turned in the window, a mean also by what one sample weighs: it is a row of its own. An
energy is held against what the stand had given while the meter was read.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import msgspec

from hil.accuracy.points import TURN_MS, WINDOW_MS
from hil.meter_stand import Stand
from hil.meter_types import Place
from hil.oracle.evidence import Poll

FLOAT_HALF_STEP = Fraction(1, 1 << 24)  # of a float32, relative
HALF = Fraction(1, 2)
ENERGIES = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
COLUMNS = {"p_w": ("p_min_w", "p_mean_w", "p_max_w"), "q_var": ("q_mean_var",)}


Range = tuple[Fraction, Fraction]


class Meter(NamedTuple):
    """A meter at the stand: its profile's name, where its quantities stand, and what is set."""

    profile: str
    places: Sequence[Place]
    stand: Stand


class Row(msgspec.Struct):
    """One quantity of one meter over the range: least and most that it was, and where it was farthest off its limit.

    worst: None where a value was absent that should have been there.
    """

    profile: str
    quantity: str
    low: float
    high: float
    worst: float | None
    limit: float
    setting: str

    @property
    def held(self) -> bool:
        """Whether it is within its limit everywhere."""
        return self.worst is not None and self.worst <= self.limit


class Exported(msgspec.Struct):
    """A window of the export: its start, and its columns."""

    start_ms: int
    columns: Mapping[str, str]


def rows(meter: Meter, polls: Sequence[Poll], exported: Sequence[Exported], every_ms: int) -> list[Row]:
    """A row a column of the export. every_ms: the sampling interval."""
    found: dict[str, Row] = {}
    for window in exported[1::2]:  # the first of each setting is not looked at
        setting = meter.stand.step_at(window.start_ms).name.split(":", maxsplit=1)[0]
        for column, wanted, limit, name in _wanted(window, meter, polls, every_ms):
            row = found.setdefault(name, Row(meter.profile, name, float(wanted[0]), float(wanted[1]), 0.0, 0.0, ""))
            _note(row, wanted, _error(window.columns[column], wanted), limit, setting)
    return list(found.values())


def _error(text: str, wanted: Range) -> Fraction | None:
    """How far a value is off what it should be; None: absent."""
    return None if text == "" else max(wanted[0] - int(text), int(text) - wanted[1], Fraction(0))


def _note(row: Row, wanted: Range, error: Fraction | None, limit: Fraction, setting: str) -> None:
    row.low, row.high = min(row.low, float(wanted[0])), max(row.high, float(wanted[1]))
    if row.worst is None:
        return
    if error is None or not row.limit or float(error / limit) > row.worst / row.limit:
        row.worst = None if error is None else float(error)
        row.limit, row.setting = float(limit), setting


def _wanted(
    window: Exported, meter: Meter, polls: Sequence[Poll], every_ms: int
) -> Iterator[tuple[str, Range, Fraction, str]]:
    """(column, from what to what it should be, how much it may be off, name of the row)."""
    stand = meter.stand
    begin, end = stand.quantities(window.start_ms), stand.quantities(window.start_ms + WINDOW_MS - 1)
    last = _last_poll(window, polls)
    before, after = stand.quantities(last.from_ms), stand.quantities(last.t_ms)
    for place in meter.places:
        name = place.name
        if name in ENERGIES:
            yield name, (before[name], after[name]), limit_of(place, after[name]), name
            continue
        least, most = sorted((begin[name], end[name]))
        limit, turn = max(limit_of(place, least), limit_of(place, most)), most - least
        for column in COLUMNS.get(name, (name,)):
            if "_min_" in column or "_max_" in column:
                value = least if "_min_" in column else most
                yield column, (value, value), limit, column
            else:
                mean = (begin[name] * TURN_MS + end[name] * (WINDOW_MS - TURN_MS)) / WINDOW_MS
                weight = turn * Fraction(every_ms, WINDOW_MS)
                yield column, (mean, mean), limit + weight, f"{column}, turning" if turn else column


def limit_of(place: Place, value: Fraction) -> Fraction:
    """Half a step of the register that shows the value, and half a unit."""
    half_step = abs(value) * FLOAT_HALF_STEP if place.type == "f32" else place.scale / 2
    return half_step + HALF


def _last_poll(window: Exported, polls: Sequence[Poll]) -> Poll:
    """The one that gave the sample that the window names as its last. Raises ValueError where there is none."""
    at_ms = window.start_ms + WINDOW_MS - 1000 * int(window.columns["last_s"] or 0)
    number = bisect_left(polls, at_ms, key=lambda poll: poll.t_ms)
    return min(polls[max(0, number - 1) : number + 1], key=lambda poll: abs(poll.t_ms - at_ms))
