"""Where the gateway's time comes from. Handed in, so that the bench can run it faster and a test can hold it still."""

import time
from typing import Protocol


class Clock(Protocol):
    """The time of day. How long to wait for I/O is never taken from it: see `steady_s`."""

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""
        return time.time_ns() // 1_000_000


def steady_s() -> float:
    """Real seconds that never step: for time-outs and group commit only."""
    return time.monotonic()
