"""What reaches the platform: each value once, and only of windows that are safe in the journal."""

from collections.abc import Callable

from gateway.hj212.packet import Segment
from gateway.hj212.times import unix_s_of
from hil.platform_ledger import Ledger
from hil.sim.checks.violation import ViolationError

PERIODS = "2051"


class WatchedLedger(Ledger):
    """The platform's ledger. `is_known(MN, Unix s)`: whether the journal has a window of it that begins then."""

    def __init__(self, is_known: Callable[[str, int], bool], told: Callable[[ViolationError], None]) -> None:
        super().__init__()
        self._is_known = is_known
        self._told = told

    def accept(self, segment: Segment) -> dict[str, object]:
        """As the platform's, with a look at what changed."""
        before = self._wrong()
        row = super().accept(segment)
        if self._wrong() != before:
            text = f"packet {segment.qn} of {segment.mn} delivers again what the platform has"
            self._told(ViolationError(2, "forward_twice", text))
        start_s = unix_s_of(segment.value("DataTime") or "")
        if segment.cn == PERIODS and start_s is not None and not self._is_known(segment.mn, start_s):
            text = f"packet {segment.qn} of {segment.mn} is of a window that is not safe in the journal"
            self._told(ViolationError(3, "forwarded_too_early", text))
        return row

    def _wrong(self) -> tuple[int, int, int]:
        return self.counts.duplicates, self.counts.conflicts, self.counts.qn_reused
