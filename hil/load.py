"""What a feeder draws, as a function of virtual time: a synthetic factory day, or a user's interval data.

A load is constant over spans, so that a meter's energy is the exact sum of power times time. The same arguments give
the same load, whatever is asked in whatever order.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from hil.load_file import Intervals, Order, read_intervals

STEP_MS = 15_000  # of the synthetic loads: a few samples each at the usual interval of 5 s
MINUTE_MS = 60_000
_DAY_MIN = 24 * 60
_SHIFT_MIN = 8 * 60
_RAMP_MIN = 20  # a cold line's start-up
_HANDOVER_MIN = 10  # at the beginning of a shift: the line idles
_BREAK_MIN = (235, 265)  # half an hour in mid-shift
_FOLLOW_START_MIN = 4  # treatment comes up so long after production
_FOLLOW_STOP_MIN = 15  # and clears the ducts so long after it
_RUNNING_PERMILLE = 100  # of rated power: above this production works
_64_BITS = (1 << 64) - 1
_CACHED_SPANS = 4096  # a day of steps is 5,760; what is asked again is near


class Load(Protocol):
    """A feeder's demand."""

    def at(self, ms: int) -> tuple[int, int]:
        """(power in mW, virtual ms until which it stays so) at a virtual Unix instant."""
        ...


class Constant:
    """Always the same."""

    def __init__(self, rated_w: int) -> None:
        self._power_mw = 1000 * rated_w

    def at(self, ms: int) -> tuple[int, int]:
        """See Load."""
        return self._power_mw, ms + _DAY_MIN * MINUTE_MS


class Shifts:
    """A production line: two shifts (06:00 to 22:00 local time) or three, with start-up, breaks, batches and noise."""

    def __init__(self, rated_w: int, shifts: int, utc_offset_s: int, seed: int) -> None:
        if shifts not in (2, 3):
            raise ValueError(f"shifts: 2 or 3, not {shifts}")
        self.rated_w = rated_w
        self._shifts = shifts
        self._offset_ms = 1000 * utc_offset_s
        self._seed = seed
        self._batch_min = 35 + seed % 20  # from the start of one batch to the next
        self._permille = lru_cache(_CACHED_SPANS)(self._permille_of)

    def at(self, ms: int) -> tuple[int, int]:
        """See Load."""
        step = ms // STEP_MS
        return self.rated_w * self._permille(step), (step + 1) * STEP_MS

    def _permille_of(self, step: int) -> int:
        minute = (step * STEP_MS + self._offset_ms) // MINUTE_MS % _DAY_MIN
        in_shift = (minute - 6 * 60) % _SHIFT_MIN
        if self._shifts == 2 and not 6 * 60 <= minute < 22 * 60:
            level = 20  # standby
        elif in_shift < _HANDOVER_MIN:
            level = 150
        elif _BREAK_MIN[0] <= in_shift < _BREAK_MIN[1]:
            level = 400
        else:
            level = self._working(minute, in_shift)
        return level * noise_permille(self._seed, step, 50) // 1000

    def _working(self, minute: int, in_shift: int) -> int:
        level = 900 if minute % self._batch_min < self._batch_min * 3 // 4 else 550
        ramp = in_shift - _HANDOVER_MIN
        return level if ramp >= _RAMP_MIN else 150 + (level - 150) * ramp // _RAMP_MIN


class Treatment:
    """The plant that cleans a line's waste gas: on some minutes after the line, off later; off throughout `off`."""

    def __init__(self, rated_w: int, follows: Load, follows_w: int, off: Sequence[tuple[int, int]], seed: int) -> None:
        self._rated_w = rated_w
        self._follows = follows
        self._limit_mw = follows_w * _RUNNING_PERMILLE
        self._full_mw = 1000 * follows_w
        self._off = list(off)
        self._seed = seed
        self._permille = lru_cache(_CACHED_SPANS)(self._permille_of)

    def at(self, ms: int) -> tuple[int, int]:
        """See Load."""
        step = ms // STEP_MS
        return self._rated_w * self._permille(step), (step + 1) * STEP_MS

    def _permille_of(self, step: int) -> int:
        at_ms = step * STEP_MS
        if any(from_ms <= at_ms < to_ms for from_ms, to_ms in self._off):
            return 0
        earlier = range(_FOLLOW_START_MIN, _FOLLOW_STOP_MIN + 1)
        if not any(self._follows.at(at_ms - minutes * MINUTE_MS)[0] > self._limit_mw for minutes in earlier):
            return 15  # standby
        power_mw = self._follows.at(at_ms - _FOLLOW_START_MIN * MINUTE_MS)[0]
        share = min(1000 * power_mw // self._full_mw, 1000)
        return (650 + 300 * share // 1000) * noise_permille(self._seed, step, 20) // 1000


class Swapped:
    """A feeder whose transformers sit on another one's conductors in some spans (from, to), virtual ms."""

    def __init__(self, load: Load, other: Load, spans: Sequence[tuple[int, int]]) -> None:
        self._load = load
        self._other = other
        self._spans = list(spans)

    def at(self, ms: int) -> tuple[int, int]:
        """See Load."""
        elsewhere = any(from_ms <= ms < to_ms for from_ms, to_ms in self._spans)
        power_mw, until_ms = (self._other if elsewhere else self._load).at(ms)
        return power_mw, min([until_ms, *(edge for span in self._spans for edge in span if edge > ms)])


class Recorded:
    """Interval data played from start_ms on; the first interval's power before that, the last one's after the end."""

    def __init__(self, intervals: Intervals, start_ms: int, share_permille: int = 1000) -> None:
        self._start_ms = start_ms
        self._interval_ms = 1000 * intervals.interval_s
        # Wh per interval to mW; rounded to a mW, a millionth of what such data resolves
        self._powers_mw = [round(wh * share_permille * 3_600 / intervals.interval_s) for wh in intervals.energies_wh]

    @property
    def rated_w(self) -> int:
        """The highest power in the data, at least 1 W."""
        return max(1, -(-max(self._powers_mw) // 1000))

    def at(self, ms: int) -> tuple[int, int]:
        """See Load."""
        number = (ms - self._start_ms) // self._interval_ms
        within = min(max(number, 0), len(self._powers_mw) - 1)
        return self._powers_mw[within], self._start_ms + (number + 1) * self._interval_ms


@lru_cache(_CACHED_SPANS)
def noise_permille(seed: int, step: int, most: int) -> int:
    """1000 give or take `most`, the same for the same step."""
    return 1000 - most + mixed((seed << 40) + step) % (2 * most + 1)


def mixed(number: int) -> int:
    """64 bits in which each bit of the number has its part (splitmix64): a generator's seeding costs ten times that."""
    number = (number * 0x9E3779B97F4A7C15) & _64_BITS
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & _64_BITS
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & _64_BITS
    return number ^ number >> 31


def from_config(config: Mapping[str, Any]) -> Load:
    """The load that a description of the bench's names (`kind`). Raises ValueError."""
    kind = config.get("kind")
    try:
        if kind == "constant":
            return Constant(config["rated_w"])
        if kind == "shifts":
            return Shifts(config["rated_w"], config["shifts"], config["utc_offset_s"], config["seed"])
        if kind == "csv":
            share = config.get("share_permille", 1000)  # of a plant that several feeders make up
            columns = (config["time_column"], config["energy_column"])
            return recorded(config["file"], *columns, config.get("date_order", "auto"), config["start_ms"], share)
        if kind == "swapped":
            return Swapped(from_config(config["load"]), from_config(config["other"]), config["spans"])
        if kind == "treatment":
            follows = from_config(config["follows"])
            follows_w = follows.rated_w if isinstance(follows, (Shifts, Recorded)) else config["follows"]["rated_w"]
            return Treatment(config["rated_w"], follows, follows_w, config.get("off", []), config["seed"])
    except KeyError as error:
        raise ValueError(f"load {kind}: {error.args[0]} is missing") from error
    raise ValueError(f'load kind "{kind}": constant, shifts, treatment, csv or swapped')


@lru_cache(4)
def recorded(
    file: str, time_column: str, energy_column: str, order: Order, start_ms: int, share_permille: int
) -> Recorded:
    """The load in a CSV file; read once, however many meters share it. Raises LoadFileError."""
    return Recorded(read_intervals(Path(file), time_column, energy_column, order), start_ms, share_permille)
