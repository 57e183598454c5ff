"""Scaled time: every process of a run computes the same virtual time from one anchor.

Only time of day, uptime, windows and sampling run on it. Waiting for I/O is real: a broker does not get faster.
"""

import time
from collections.abc import Callable, Mapping

VARIABLE = "WATTLINE_BENCH_CLOCK"  # the environment variable by which children are given the clock
FACTOR_MAX = 3600  # an hour a second: beyond it a 15-minute window has no time to be sampled


class ScaledClock:
    """Virtual Unix time that runs `factor` times as fast as the real one.

    anchor_ns: the real instant (`time.time_ns`) at which virtual time is start_ms; it may lie ahead.
    """

    def __init__(self, anchor_ns: int, start_ms: int, factor: int, real_ns: Callable[[], int] = time.time_ns) -> None:
        if not 1 <= factor <= FACTOR_MAX:
            raise ValueError(f"factor {factor}: 1 to {FACTOR_MAX}")
        self.anchor_ns = anchor_ns
        self.start_ms = start_ms
        self.factor = factor
        self._real_ns = real_ns

    @classmethod
    def starting_in(cls, lead_s: float, start_ms: int, factor: int) -> "ScaledClock":
        """The clock that shows start_ms in lead_s real seconds from now."""
        return cls(time.time_ns() + int(lead_s * 1e9), start_ms, factor)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "ScaledClock":
        """The clock that a parent handed over. Raises ValueError where it is missing or malformed."""
        text = environ.get(VARIABLE, "")
        parts = text.split(":")
        if len(parts) != 3 or not all(part.isdigit() for part in parts):
            raise ValueError(f'{VARIABLE}="{text}": expected "anchor_ns:start_ms:factor"')
        return cls(int(parts[0]), int(parts[1]), int(parts[2]))

    def env(self) -> dict[str, str]:
        """What a child process needs in its environment to have this clock."""
        return {VARIABLE: f"{self.anchor_ns}:{self.start_ms}:{self.factor}"}

    def now_ms(self) -> int:
        """Virtual Unix milliseconds."""
        return self.virtual_ms(self._real_ns())

    def virtual_ms(self, real_ns: int) -> int:
        """The virtual instant, Unix ms, of a real one."""
        return self.start_ms + (real_ns - self.anchor_ns) * self.factor // 1_000_000

    def real_s_until(self, virtual_ms: int) -> float:
        """Real seconds from now until the virtual instant; negative once it has passed."""
        return (virtual_ms - self.now_ms()) / 1000 / self.factor

    def sleep_until(self, virtual_ms: int) -> None:
        """Return at the virtual instant, at once if it has passed."""
        time.sleep(max(0.0, self.real_s_until(virtual_ms)))
