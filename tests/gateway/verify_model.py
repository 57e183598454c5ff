"""The checks as Python, a record at a time: what the compiled ones are held to."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gateway.config import VerifyConfig
from gateway.registry import Point
from gateway.verify import YEAR_2020_S
from protocol import limits, record

Finding = tuple[str, int | None]
KNOWN_FLAGS = record.FLAG_FEW_SAMPLES | record.FLAG_ENERGY_STEP


class Registers(NamedTuple):
    """A point's energy registers as last read in a window; None: there is no such register."""

    boot: int
    uptime_s: int
    time_s: int | None
    import_wh: int | None
    export_wh: int | None
    p_mean_w: int | None  # None too where too many samples are missing
    p_most_w: int
    length_s: int


def check_record(
    body: record.Window | record.Event, points: Mapping[int, Point], now_s: int, config: VerifyConfig
) -> Iterator[Finding]:
    """What the record says of itself."""
    if isinstance(body, record.Event):
        yield from _check_time(body.time_s, now_s, config)
        return
    end_s = None if body.start_s is None else body.start_s + body.length_s
    yield from _check_time(end_s, now_s, config)
    if end_s is not None:
        edge_s = body.start_s if body.length_s == limits.WINDOW_S else end_s
        if edge_s % limits.WINDOW_S:
            yield "window_not_aligned", None
        if body.clock_error_s == limits.CLOCK_ERROR_S_MAX:
            yield "clock_uncertain", None
    slots = {number: slot for number, slot in enumerate(body.readings, start=1) if slot is not None}
    for number in range(1, limits.POINTS_MAX + 1):
        if number in points and number not in slots:
            yield "point_missing", number
        if number in slots and number not in points:
            yield "point_unknown", number
        if isinstance(slots.get(number), record.Reading):
            yield from ((check, number) for check in _check_reading(slots[number], body, points.get(number), config))


def _check_time(time_s: int | None, now_s: int, config: VerifyConfig) -> Iterator[Finding]:
    if time_s is None:
        return
    if time_s < YEAR_2020_S:
        yield "time_before_2020", None
    elif time_s > now_s + config.future_refuse_s:
        yield "time_far_in_future", None
    elif time_s > now_s + config.future_mark_s:
        yield "time_in_future", None


def _check_reading(
    one: record.Reading, window: record.Window, point: Point | None, config: VerifyConfig
) -> Iterator[str]:
    if one.flags & record.FLAG_ENERGY_STEP:
        yield "energy_step"
    if one.flags & ~KNOWN_FLAGS:
        yield "flag_unknown"
    if one.missed >= window.samples_due:
        yield "samples_none"
    elif one.flags & record.FLAG_FEW_SAMPLES or 4 * one.missed > window.samples_due:
        yield "few_samples"
    if _phases_disagree(one, point, config):
        yield "phases_not_total"


def _phases_disagree(one: record.Reading, point: Point | None, config: VerifyConfig) -> bool:
    needed = (
        one.p_mean_w,
        one.p_min_w,
        one.p_max_w,
        one.pf_milli,
        one.ua_dv,
        one.ub_dv,
        one.uc_dv,
        one.ia_ma,
        one.ib_ma,
        one.ic_ma,
    )
    if any(value is None for value in needed):
        return False
    rated_w = point.rated_power_w if point else None
    mean_w = abs(one.p_mean_w)
    if mean_w < (1000 if rated_w is None else rated_w // 10) or 4 * (one.p_max_w - one.p_min_w) > mean_w:
        return False
    phases = ((one.ua_dv, one.ia_ma), (one.ub_dv, one.ib_ma), (one.uc_dv, one.ic_ma))
    apparent_va = sum(voltage * abs(current) for voltage, current in phases) // 10_000
    return bool(abs(apparent_va * abs(one.pf_milli) // 1000 - mean_w) > mean_w * config.phases_percent // 100)


def registers_of(window: record.Window, one: record.Reading) -> Registers | None:
    """The registers of a reading, None if it has none."""
    if one.e_import_wh is None and one.e_export_wh is None:
        return None
    end_s = None if window.start_s is None else window.start_s + window.length_s - one.last_s
    uptime_s = window.end_uptime_s - one.last_s
    mean = None if 4 * one.missed > window.samples_due else one.p_mean_w
    most = max(abs(one.p_min_w or 0), abs(one.p_max_w or 0))
    return Registers(window.boot, uptime_s, end_s, one.e_import_wh, one.e_export_wh, mean, most, window.length_s)


def check_step(before: Registers, after: Registers, point: Point, config: VerifyConfig) -> str | None:
    """What the step between two of a point's windows says."""
    steps = [
        new - old
        for old, new in ((before.import_wh, after.import_wh), (before.export_wh, after.export_wh))
        if old is not None and new is not None
    ]
    if any(step < 0 for step in steps):
        return "energy_fell"
    span_s = _span_s(before, after)
    if span_s is None:
        return None
    if point.rated_power_w is not None:
        possible_wh = point.rated_power_w * span_s // 3600
        most_wh = possible_wh * (100 + config.rated_power_excess_percent) // 100 + point.register_step_wh
        if any(step > most_wh for step in steps):
            return "energy_jumped"
    return "energy_not_power" if _power_disagrees(before, after, span_s, point, config) else None


def _power_disagrees(before: Registers, after: Registers, span_s: int, point: Point, config: VerifyConfig) -> bool:
    if after.p_mean_w is None or before.import_wh is None or after.import_wh is None:
        return False
    if before.boot != after.boot or span_s == 0 or span_s > after.length_s + 60:
        return False
    both_export = before.export_wh is not None and after.export_wh is not None
    if not both_export and after.p_mean_w < 0:
        return False
    net_wh = after.import_wh - before.import_wh - ((after.export_wh - before.export_wh) if both_export else 0)  # type: ignore[operator]
    expected_wh = abs(after.p_mean_w) * span_s // 3600 * (1 if after.p_mean_w >= 0 else -1)  # towards zero, as in C
    allowed_wh = after.p_most_w * span_s // 3600 * config.energy_power_percent // 100 + 2 * point.register_step_wh
    return bool(abs(net_wh - expected_wh) > allowed_wh)


def _span_s(before: Registers, after: Registers) -> int | None:
    if before.boot == after.boot:
        return max(0, after.uptime_s - before.uptime_s)
    if before.time_s is None or after.time_s is None:
        return None
    return min(max(0, after.time_s - before.time_s), limits.UINT32_MAX)
