"""What a terminal sends, and in which order: live records before the backlog (R-04), and nothing but its log."""

from collections.abc import Callable

from hil.sim.checks.flash_log import FlashLog
from hil.sim.checks.violation import ViolationError
from protocol.frame import Frame

LIVE_RECORDS = 4  # after a silence no more than these are live (firmware/device/terminal/uplink.py)
HELD_MS = 61_000  # a window is held back for a minute at most, so that not all terminals send theirs at once


class Sending:
    """Follows the frames of one terminal at the broker. `start_ms(boot_id)`: that start's virtual Unix ms."""

    def __init__(self, log: FlashLog, start_ms: Callable[[int], int | None]) -> None:
        self._log = log
        self._start_ms = start_ms
        self._sent: set[int] = set()
        self._live_from = 0  # from this number on records are live: the newest when the connection began

    def connected(self) -> None:
        """A connection begins."""
        self._live_from = self._log.newest

    def sent(self, frame: Frame) -> None:
        """A frame has come. Raises ViolationError."""
        numbers = [one.seq for one in frame.records]
        for one in frame.records:
            if not self._log.has(frame.epoch, one.seq, one.raw):
                text = f"record {one.seq} of epoch {frame.epoch:#x} is sent, and the log has no such record"
                raise ViolationError(3, "sent_not_stored", text)
        start_ms = self._start_ms(frame.boot_id)
        if start_ms is not None and not self._sent.issuperset(numbers):  # a repetition asks whether anybody hears
            self._check_order(max(numbers), start_ms + frame.sent_ms)
        self._sent.update(numbers)

    def _check_order(self, highest: int, composed_ms: int) -> None:
        newest = self._log.newest
        for seq in range(max(self._live_from, newest + 1 - LIVE_RECORDS, highest + 1), newest + 1):
            made = self._log.made.get(seq)
            if made is None or made.at_ms + HELD_MS > composed_ms or seq in self._sent or seq in self._log.freed:
                continue
            raise ViolationError(6, "backlog_first", f"record {highest} goes out, and {seq}, which is newer, waits")
