# From samples to windows' readings. Pure: instants and values in, protocol.record.Window out; integers only.
#
# Windows. With the time known a window is the aligned quarter of an hour, UTC; before the first set it is a quarter of
# an hour of uptime, and its start is None. The first window after a start with a clock is the whole quarter that holds
# now: `first_s` tells from when on it was seen. A first set, or a step of more than STEP_MS, closes the open window
# there with what it has, by the clock it began with; the next one begins at that instant by the new clock and ends at
# the next quarter. So windows of one boot follow each other without overlap or hole in uptime, and none has a made-up
# time. A smaller correction moves the open window's end only.
#
# Means are weighted by time. A sample speaks from its instant to the next sample, or to the window's end; but a gap of
# more than 1.5 intervals is a hole, and a hole is not filled: into it a sample speaks one interval long. The first
# sample speaks for the time before it as well, if that is at most one interval. Run seconds are the time for which
# samples above the threshold speak. Rounding is half away from zero, once, at the end. Energies are the last sample's
# registers.
from array import array
from collections import namedtuple

from protocol import limits, record
from terminal.quantity import ENERGIES, divide_half_away

WINDOW_MS = 1000 * limits.WINDOW_S
STEP_MS = 10000  # a clock drifts some seconds a day: a correction of that size is no step

MEANS = ("p_w", "q_var", "ua_dv", "ub_dv", "uc_dv", "ia_ma", "ib_ma", "ic_ma", "pf_milli")

# unix_ms is None while the time is not known; source is a record.CLOCK_..., error_s the clock's bound
Instant = namedtuple("Instant", ("uptime_ms", "unix_ms", "source", "error_s"))

# power_max_w: the most that the meter can measure; energy_step_wh: its registers' coarsest step; rolls_at_wh: where
# each of ENERGIES begins again at 0 (0: never); all primary values
Point = namedtuple("Point", ("number", "run_threshold_w", "power_max_w", "energy_step_wh", "rolls_at_wh"))


class Aggregator:
    """All points' open window. `tick` with the clock first, then `sample` or `miss`."""

    def __init__(self, points: "list[Point]", interval_s: int, boot: int, now: Instant) -> None:
        self._interval_ms = 1000 * interval_s
        self._boot = boot
        self._tallies = {point.number: _Tally(point, self._interval_ms) for point in points}
        self._now = now
        self._span = _first_span(now.uptime_ms, now.unix_ms)
        self._open(self._span)

    def tick(self, now: Instant) -> "list[record.Window]":
        # The windows that have ended by now, oldest first.
        closed: "list[record.Window]" = []
        stepped = self._span.is_stepped(now.uptime_ms, now.unix_ms)
        if not stepped:
            self._span.follow(now.uptime_ms, now.unix_ms)
            self._now = now
        while now.uptime_ms >= self._span.end_ms:
            closed.append(self._close(self._span.end_ms, self._span.length_s))
            self._open(self._span.next())
        if stepped:
            if now.uptime_ms - self._span.start_ms >= self._interval_ms or self._any_try():
                closed.append(self._close(now.uptime_ms, None))  # else nothing was due in it yet
            self._open(_span_after_step(now.uptime_ms, now.unix_ms))
            self._now = now
        return closed

    def sample(self, point: int, uptime_ms: int, values: "dict[str, int | None]") -> "list[list[int]]":
        # One point's values, as terminal.quantity names them, at an instant not before the last `tick`. Gives the
        # energy registers that have begun again at 0: [number in ENERGIES, before, now, where it rolls over]; mostly
        # none.
        return self._tallies[point].add(uptime_ms, values)

    def miss(self, point: int, reason: int) -> None:
        # A try that gave no sample, and why (record.NONE_...).
        self._tallies[point].reason = reason

    def next_slot_ms(self, uptime_ms: int) -> int:
        # The next sampling instant after uptime_ms: the grid begins anew with each window.
        span = self._span
        slot = span.start_ms + ((uptime_ms - span.start_ms) // self._interval_ms + 1) * self._interval_ms
        return min(slot, span.end_ms)

    def _any_try(self) -> bool:
        return any(tally.taken or tally.reason != record.NONE_NOT_SAMPLED for tally in self._tallies.values())

    def _open(self, span: "_Span") -> None:
        self._span = span
        for tally in self._tallies.values():
            tally.begin(span.start_ms)

    def _close(self, end_ms: int, length_s: "int | None") -> record.Window:
        span = self._span
        if length_s is None:  # cut by a step of the clock
            length_s = min(max((end_ms - span.start_ms + 500) // 1000, 1), limits.WINDOW_S)
        due = min(-((span.start_ms - end_ms) // self._interval_ms), limits.SAMPLES_DUE_MAX)
        readings: "list[object]" = [None] * max(self._tallies, default=0)
        for number, tally in self._tallies.items():
            readings[number - 1] = tally.end(end_ms, length_s, due)
        clock = (self._now.source, self._now.error_s)
        return record.Window(span.start_s, length_s, self._boot, end_ms // 1000, *clock, due, readings)


class _Span:
    """A window's place: from start_ms to end_ms in uptime, from start_s on (None: unplaced) for length_s."""

    def __init__(self, start_ms: int, start_s: "int | None", length_s: int, offset_ms: "int | None") -> None:
        self.start_ms = start_ms
        self.start_s = start_s
        self.length_s = length_s
        self.end_ms = start_ms + 1000 * length_s
        self._offset_ms = self._first_offset_ms = offset_ms  # Unix ms - uptime ms

    def is_stepped(self, uptime_ms: int, unix_ms: "int | None") -> bool:
        if unix_ms is None or self._first_offset_ms is None:
            return unix_ms is not None or self._first_offset_ms is not None
        return abs(unix_ms - uptime_ms - self._first_offset_ms) > STEP_MS

    def follow(self, uptime_ms: int, unix_ms: "int | None") -> None:
        # The window ends when the clock, as it now is, shows its end; never before it began, however short it is.
        if unix_ms is not None and self.start_s is not None:
            self._offset_ms = unix_ms - uptime_ms
            self.end_ms = max(1000 * (self.start_s + self.length_s) - self._offset_ms, self.start_ms)

    def next(self) -> "_Span":
        start_s = None if self.start_s is None else self.start_s + self.length_s
        return _Span(self.end_ms, start_s, limits.WINDOW_S, self._offset_ms)


def _first_span(uptime_ms: int, unix_ms: "int | None") -> _Span:
    if unix_ms is None:
        return _Span(uptime_ms // WINDOW_MS * WINDOW_MS, None, limits.WINDOW_S, None)
    offset_ms = unix_ms - uptime_ms
    start_s = unix_ms // WINDOW_MS * limits.WINDOW_S
    return _Span(1000 * start_s - offset_ms, start_s, limits.WINDOW_S, offset_ms)


def _span_after_step(uptime_ms: int, unix_ms: "int | None") -> _Span:
    if unix_ms is None:
        return _Span(uptime_ms, None, limits.WINDOW_S - uptime_ms % WINDOW_MS // 1000, None)
    start_s = -(-unix_ms // 1000)  # rounded up: it must not reach into the window that was closed
    length_s = limits.WINDOW_S - start_s % limits.WINDOW_S
    offset_ms = unix_ms - uptime_ms
    return _Span(1000 * start_s - offset_ms, start_s, length_s, offset_ms)


class _Tally:
    """One point's sums in the open window; across windows it keeps only what an energy step is seen by."""

    def __init__(self, point: Point, interval_ms: int) -> None:
        self._point = point
        self._interval_ms = interval_ms
        self._sums = array("q", [0] * len(MEANS))  # of value times ms
        self._weights = array("i", [0] * len(MEANS))  # ms
        self._energies = array("q", [-1] * len(ENERGIES))  # registers of the last sample that had them; -1: none yet
        self._energies_ms = array("q", [0] * len(ENERGIES))  # and its uptime
        self.begin(0)

    def begin(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self.taken = 0
        self.reason = record.NONE_NOT_SAMPLED
        self._first_ms = self._last_ms = start_ms
        self._last: "dict[str, int | None]" = {}
        for at in range(len(MEANS)):
            self._sums[at] = self._weights[at] = 0
        self._p_min_w: "int | None" = None
        self._p_max_w: "int | None" = None
        self._run_ms = 0
        self._flags = 0

    def add(self, uptime_ms: int, values: "dict[str, int | None]") -> "list[list[int]]":
        if self.taken:
            self._speak(uptime_ms - self._last_ms)
        else:
            self._first_ms = uptime_ms
        rolled = self._check_energies(uptime_ms, values)
        self._last = values
        self._last_ms = uptime_ms
        self.taken += 1
        power_w = values.get("p_w")
        if power_w is not None:
            self._p_min_w = power_w if self._p_min_w is None else min(self._p_min_w, power_w)
            self._p_max_w = power_w if self._p_max_w is None else max(self._p_max_w, power_w)
        if self.taken == 1:
            lead_ms = uptime_ms - self._start_ms
            self._weigh(lead_ms if 0 < lead_ms <= self._interval_ms else 0)
        return rolled

    def _speak(self, gap_ms: int) -> None:
        # the last sample speaks until now; at least 1 ms, so that each sample counts
        self._weigh(max(gap_ms if 2 * gap_ms <= 3 * self._interval_ms else self._interval_ms, 1))

    def _weigh(self, span_ms: int) -> None:
        for at, name in enumerate(MEANS):
            value = self._last.get(name)
            if value is not None:
                self._sums[at] += value * span_ms
                self._weights[at] += span_ms
        power_w = self._last.get("p_w")
        if power_w is not None and power_w > self._point.run_threshold_w:
            self._run_ms += span_ms

    def _check_energies(self, uptime_ms: int, values: "dict[str, int | None]") -> "list[list[int]]":
        rolled = []
        for at, name in enumerate(ENERGIES):
            energy = values.get(name)
            if energy is None:
                continue
            before = self._energies[at]
            if before >= 0:
                most = self._most_wh(uptime_ms - self._energies_ms[at])
                rolls_at = self._point.rolls_at_wh[at]
                if not 0 <= energy - before <= most:
                    self._flags |= record.FLAG_ENERGY_STEP
                    if rolls_at and energy < before and energy + rolls_at - before <= most:
                        rolled.append([at, before, energy, rolls_at])
            self._energies[at] = energy
            self._energies_ms[at] = uptime_ms
        return rolled

    def _most_wh(self, span_ms: int) -> int:
        # The most that a register can rise by.
        return int(self._point.power_max_w * span_ms // 3600000 + self._point.energy_step_wh)

    def end(self, end_ms: int, length_s: int, due: int) -> "record.Reading | int":
        if not self.taken:
            return self.reason
        self._speak(end_ms - self._last_ms)
        first_s = min(max(self._first_ms - self._start_ms, 0) // 1000, length_s)
        last_s = min(max(end_ms - self._last_ms, 0) // 1000, length_s - first_s)
        run_s = min((self._run_ms + 500) // 1000, length_s)
        flags = self._flags | (record.FLAG_FEW_SAMPLES if 4 * self.taken < 3 * due else 0)
        p_w, q_var, ua_dv, ub_dv, uc_dv, ia_ma, ib_ma, ic_ma, pf_milli = [self._mean(at) for at in range(len(MEANS))]
        import_wh, export_wh, import_varh, export_varh = [self._last.get(name) for name in ENERGIES]
        return record.Reading(
            first_s, last_s, run_s, p_w, self._p_min_w, self._p_max_w,
            import_wh, export_wh, import_varh, export_varh,
            ua_dv, ub_dv, uc_dv, ia_ma, ib_ma, ic_ma, pf_milli, flags, max(due - self.taken, 0), q_var,
        )  # fmt: skip

    def _mean(self, at: int) -> "int | None":
        weight = self._weights[at]
        return divide_half_away(self._sums[at], weight) if weight else None
