"""A terminal's starts, each to its end, and what it says that it counted each as."""

import itertools
import re
from collections.abc import Callable

from hil.clock import ScaledClock
from hil.oracle.evidence import Life
from protocol import limits

# A clock that nobody tampers with is off by half the round trip of the slowest ack that may set it, and by what whole
# seconds lose; then by what a crystal drifts (firmware/device/terminal/rtc_memory.py says 100 ppm at most).
CLOCK_OFF_MS = limits.ECHO_MS_MAX // 2 + 2000
DRIFT_PER = 10_000
_BOOT = re.compile(rb"^\S+ wattline \S+ boot (\d+) ", re.MULTILINE)


class Lives:
    """log: all that the terminal has said so far. Instants are virtual."""

    def __init__(self, clock: ScaledClock, log: Callable[[], bytes]) -> None:
        self._clock = clock
        self._log = log
        self._starts: list[int] = []
        self._said: list[int] = []  # bytes of its log at each start
        self._ends: list[int] = []

    @property
    def running(self) -> bool:
        """Whether it was started, and not ended since."""
        return len(self._ends) < len(self._starts)

    def begin(self, start: Callable[[], None]) -> None:
        """It starts, by this."""
        self._said.append(len(self._log()))
        start()
        self._starts.append(self._clock.now_ms())

    def end(self, real_ns: int | None = None) -> bool:
        """It has ended, now or at an instant since the epoch; whether it was running."""
        was = self.running
        if was:
            self._ends.append(self._clock.now_ms() if real_ns is None else self._clock.virtual_ms(real_ns))
        return was

    def all(self, *, knows_time: bool) -> list[Life]:
        """Each start, to its end or to now. Which boot it was is from the log: a busy machine starts the VM late, and
        the time alone would not tell which window is of which start.
        """
        ends = [*self._ends, *([self._clock.now_ms()] if self.running else [])]
        log = self._log()
        said = [log[begin:end] for begin, end in itertools.pairwise([*self._said, len(log)])]
        boots = [int(found[1]) if (found := _BOOT.search(text)) else None for text in said]
        return [
            Life(from_ms, to_ms, knows_time, boot, None, CLOCK_OFF_MS + (to_ms - from_ms) // DRIFT_PER)
            for from_ms, to_ms, boot in zip(self._starts, ends, boots, strict=True)
        ]
