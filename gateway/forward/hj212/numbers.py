"""QNs of one sink: strictly increasing whatever the clock does, over restarts too."""

from gateway.clock import Clock
from gateway.forward.outbox import Outbox
from gateway.hj212.times import qn_of, unix_ms_of

LAST_QN = "last_qn"  # none beyond this was given
AHEAD_MS = 2_000  # reserved at a time, so that not each number costs a write; a restart leaves as many out at most


class Numbers:
    """A QN is a millisecond: the clock's, or the one after the last."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        last = outbox.text(LAST_QN)
        self._last_ms = (unix_ms_of(last) or 0) if last else 0
        self._reserved_ms = self._last_ms

    def first_ms(self) -> int:
        """The next number, as Unix ms; nothing is given yet."""
        return max(self._clock.now_ms(), self._last_ms + 1)

    def give_to(self, last_ms: int) -> None:
        """Everything up to this is given, durably."""
        self._last_ms = max(self._last_ms, last_ms)
        if self._last_ms > self._reserved_ms:
            self._reserved_ms = self._last_ms + AHEAD_MS
            self._outbox.remember({LAST_QN: qn_of(self._reserved_ms)})

    def next(self) -> str:
        """The next QN."""
        number = self.first_ms()
        self.give_to(number)
        return qn_of(number)
