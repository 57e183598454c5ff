"""How long to wait before trying again: doubled with each failure up to a cap, half of it random."""

from collections.abc import Callable


class Backoff:
    """jitter: numbers in [0, 1). After a server's restart not every gateway comes back in one instant."""

    def __init__(self, min_ms: int, max_ms: int, jitter: Callable[[], float]) -> None:
        self._min_ms = min_ms
        self._max_ms = max_ms
        self._jitter = jitter
        self.failures = 0  # in a row

    def failed(self) -> int:
        """One more failure: milliseconds until the next try, at most max_ms."""
        pause_ms = min(self._min_ms << min(self.failures, 20), self._max_ms)
        self.failures += 1
        return pause_ms // 2 + int(self._jitter() * (pause_ms - pause_ms // 2))

    def worked(self) -> None:
        """It works again: the next failure is the first."""
        self.failures = 0
