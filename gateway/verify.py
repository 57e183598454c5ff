"""What the numbers of an authenticated record say. Pure checks, each with a name and a severity:

refuse  the record can't be true: it goes to quarantine, the terminal is told for good
mark    kept, and passed on as marked, never as normal
note    counted; nothing else follows
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cext.decoder import Event, Reading, Record, Window
from gateway.config import VerifyConfig
from gateway.registry import Point
from protocol import limits
from protocol.record import FLAG_ENERGY_STEP, FLAG_FEW_SAMPLES

REFUSE, MARK, NOTE = "refuse", "mark", "note"
YEAR_2020_S = 1_577_836_800  # older than this product: a clock that was never set

# every check by name, with its severity
CHECKS = {
    "time_before_2020": REFUSE,
    "time_far_in_future": REFUSE,
    "time_in_future": MARK,
    "window_not_aligned": MARK,
    "point_unknown": MARK,  # the other points' readings must not be lost with it
    "energy_fell": MARK,
    "energy_jumped": MARK,
    "energy_step": MARK,  # the terminal itself saw it (FR-30)
    "point_missing": NOTE,  # admitted, but not in the window
    "few_samples": NOTE,
    "clock_uncertain": NOTE,
}


class Finding(NamedTuple):
    """A check that found something; point: whose, or None for the whole record."""

    check: str
    point: int | None

    @property
    def severity(self) -> str:
        """REFUSE, MARK or NOTE."""
        return CHECKS[self.check]


class Registers(NamedTuple):
    """A point's energy registers as last read in a window, at uptime_s of a boot, time_s if that is known.

    None: the meter has no such register.
    """

    seq: int
    boot: int
    uptime_s: int
    time_s: int | None
    import_wh: int | None
    export_wh: int | None


def check_record(one: Record, points: Mapping[int, Point], now_s: int, config: VerifyConfig) -> list[Finding]:
    """What can be said of the record alone."""
    if isinstance(one.body, Event):
        return list(_check_time(one.body.time_s, now_s, config))
    window = one.body
    end_s = None if window.start_s is None else window.start_s + window.length_s
    return [*_check_time(end_s, now_s, config), *_check_window(window), *_check_points(window, points)]


def registers_of(seq: int, window: Window) -> dict[int, Registers]:
    """Point number to its registers, of a window's points that have any."""
    found = {}
    for number, slot in enumerate(window.readings, start=1):
        if not isinstance(slot, Reading) or (slot.e_import_wh is None and slot.e_export_wh is None):
            continue
        time_s = None if window.start_s is None else window.start_s + window.length_s - slot.last_s
        uptime_s = window.end_uptime_s - slot.last_s
        found[number] = Registers(seq, window.boot, uptime_s, time_s, slot.e_import_wh, slot.e_export_wh)
    return found


def check_energy(before: Registers, after: Registers, point: Point, config: VerifyConfig) -> str | None:
    """What the step between two of a point's windows says: `energy_fell`, `energy_jumped` or None (S-17)."""
    steps = [
        new - old
        for old, new in ((before.import_wh, after.import_wh), (before.export_wh, after.export_wh))
        if old is not None and new is not None
    ]
    if any(step < 0 for step in steps):
        return "energy_fell"
    span_s = _span_s(before, after)
    if point.rated_power_w is None or span_s is None:
        return None
    possible_wh = point.rated_power_w * span_s // 3600
    most_wh = possible_wh * (100 + config.rated_power_excess_percent) // 100 + point.register_step_wh
    return "energy_jumped" if any(step > most_wh for step in steps) else None


def _span_s(before: Registers, after: Registers) -> int | None:
    """Seconds between two readings of the registers, or None where nothing tells."""
    if before.boot == after.boot:
        return max(0, after.uptime_s - before.uptime_s)
    if before.time_s is None or after.time_s is None:
        return None
    return max(0, after.time_s - before.time_s)


def _check_time(time_s: int | None, now_s: int, config: VerifyConfig) -> Iterator[Finding]:
    if time_s is None:
        return
    if time_s < YEAR_2020_S:
        yield Finding("time_before_2020", None)
    elif time_s > now_s + config.future_refuse_s:
        yield Finding("time_far_in_future", None)
    elif time_s > now_s + config.future_mark_s:
        yield Finding("time_in_future", None)


def _check_window(window: Window) -> Iterator[Finding]:
    """Windows end on the quarter hour, and whole ones begin on it; one before the clock was set has no quarter hour."""
    if window.start_s is None:
        return
    edge_s = window.start_s if window.length_s == limits.WINDOW_S else window.start_s + window.length_s
    if edge_s % limits.WINDOW_S:
        yield Finding("window_not_aligned", None)
    if window.clock_error_s == limits.CLOCK_ERROR_S_MAX:
        yield Finding("clock_uncertain", None)


def _check_points(window: Window, points: Mapping[int, Point]) -> Iterator[Finding]:
    there = {number: slot for number, slot in enumerate(window.readings, start=1) if slot is not None}
    for number in sorted(points.keys() - there.keys()):
        yield Finding("point_missing", number)
    for number, slot in there.items():
        if number not in points:
            yield Finding("point_unknown", number)
        if isinstance(slot, Reading):
            if slot.flags & FLAG_ENERGY_STEP:
                yield Finding("energy_step", number)
            if slot.flags & FLAG_FEW_SAMPLES:
                yield Finding("few_samples", number)
