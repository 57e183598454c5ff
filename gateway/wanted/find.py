"""Finds what was promised and never came: numbers below one that came, of which nothing has come for a while."""

from collections.abc import Mapping
from sqlite3 import Connection

from gateway.journal.journal import Journal
from gateway.wanted.ranges import Range, minus, newest, size
from gateway.wanted.requests import GONE, OPEN_MAX, REFUSED, Ask, asked_before, explained

# For so long nothing of what is absent must have come: a backlog that drains is left alone, and half an hour after
# power and link are back it has drained.
AFTER_MS = 1_800_000
LOGS_A_LOOK = 200  # for which rows are made: some 50 ms; the others at the next look
RANGES_A_LOG = 4096  # that are looked at; the highest


class Finder:
    """Looks at all logs of the terminals that were heard. `explained`: by log, how many numbers are."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.explained: dict[tuple[str, int], int] = {}
        self.absent = 0  # numbers that nothing explains, at the last look
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}  # by log: numbers absent, and since when not fewer
        self._done: dict[tuple[str, int], tuple[int, int]] = {}  # by log: absent when all was asked, and when

    def asks(self, connection: Connection, opened: Mapping[str, int], now_ms: int) -> list[Ask]:
        """What is to be asked for from now on. opened: how many rows a terminal has. Raises StoreUnavailableError."""
        seen, found, logs = {}, list[Ask](), 0
        self.absent = 0
        for name, epoch, count, highest in self._journal.holes():
            log = (name, epoch)
            self.absent += max(0, count - self.explained.get(log, 0))
            before, since_ms = self._seen.get(log, (count, now_ms))
            seen[log] = (count, since_ms if before <= count and since_ms <= now_ms else now_ms)
            is_due = now_ms - seen[log][1] >= AFTER_MS and not self._is_done(log, count, now_ms)
            room = OPEN_MAX - opened.get(name, 0)
            if is_due and room > 0 and logs < LOGS_A_LOOK:
                logs += 1
                left = self._unasked(connection, log, highest)
                found += [Ask(name, epoch, *one) for one in newest(left, room, size(left))]
                if not left:
                    self._done[log] = (count, now_ms)
        self._seen = seen
        self._done = {log: done for log, done in self._done.items() if log in seen}
        return found

    def _is_done(self, log: tuple[str, int], count: int, now_ms: int) -> bool:
        """Whether there was nothing to ask a while ago, and as far as the count says nothing is new."""
        done, at_ms = self._done.get(log, (0, 0))
        return done == count and 0 <= now_ms - at_ms < AFTER_MS

    def _unasked(self, connection: Connection, log: tuple[str, int], highest: int) -> list[Range]:
        """What is absent of a log, explained by nothing and asked for by nobody yet."""
        why = explained(connection, *log)
        known = [*why[GONE], *why[REFUSED], *asked_before(connection, *log)]
        return minus(self._journal.absent(*log, 1, highest, RANGES_A_LOG), known)
