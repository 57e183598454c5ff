# How often the link may be taken down and up again. A modem of the EC200U family bears about 30 power cycles a day (its
# release note: flash wear), whoever restarts in between: so what is left is kept in a file, and grows by uptime alone.
from terminal import small_file

AT_ONCE = 4
REFILL_MS = 3600000  # one an hour: with those at once 28 a day


class LinkBudget:
    """What is left is in the file `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        data = small_file.read(path)
        self._left = min(data[0], AT_ONCE) if data else AT_ONCE
        self._since_ms = 0  # uptime from which on the next one grows

    def take(self, uptime_ms: int) -> bool:
        """True if it may be done once more, now; durable before it is done. OSError: it can't be counted."""
        grown = (uptime_ms - self._since_ms) // REFILL_MS
        self._since_ms += grown * REFILL_MS
        left = min(self._left + grown, AT_ONCE)
        if not left:
            return False
        small_file.write(self._path, bytes((left - 1,)))
        self._left = left - 1
        return True
