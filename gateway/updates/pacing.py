"""How much of a release is under way to all terminals together: bounded, whatever they ask for. No I/O.

A terminal that says how much it has stored gets a window of chunks behind that. When it has them it says so, and gets
the next. Whoever finds no room waits in turn. Who says something else than that all came gets them again, but not more
often than an honest one asks: what it says costs it little, and a window is 16 KB.
"""

from typing import NamedTuple

from protocol.limits import CHUNK_BYTES_MAX

BYTES_MAX = 1 << 20  # to all terminals: a second's time of a 10 Mbit/s line, 65 windows
WINDOW_BYTES = 4 * CHUNK_BYTES_MAX  # after as many a terminal says what it has (FR-85)
AGAIN_MS = 10_000  # a terminal tells of a chunk that does not fit as often (FR-85)
HELD_MS = 60_000  # what a terminal says nothing of for so long has arrived or is lost: twice a window's time over 2G


class Window(NamedTuple):
    """Bytes of the payload that a terminal is to get."""

    begin: int
    end: int

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """[(from, to)]."""
        return [(at, min(at + CHUNK_BYTES_MAX, self.end)) for at in range(self.begin, self.end, CHUNK_BYTES_MAX)]


class _Sent(NamedTuple):
    """What was sent to a terminal last. told: how much it says it has stored, None: nothing yet."""

    window: Window
    since_ms: int
    told: int | None = None

    def is_under_way(self, now_ms: int) -> bool:
        """Whether it may not have arrived."""
        return not self.has_come and 0 <= now_ms - self.since_ms < HELD_MS

    @property
    def has_come(self) -> bool:
        """Whether the terminal has just that."""
        return self.told == self.window.end


class Pacing:
    """In memory alone: after a restart nothing is under way. Times are Unix ms of a clock that may step."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._sent: dict[str, _Sent] = {}  # by terminal
        self._waiting: dict[str, Window] = {}  # in turn

    def under_way(self, now_ms: int) -> int:
        """Bytes that were sent and may not have arrived."""
        sent = (one.window for one in self._sent.values() if one.is_under_way(now_ms))
        return sum(window.end - window.begin for window in sent)

    def says(self, terminal: str, stored: int) -> None:
        """The terminal says how much it has."""
        if terminal in self._sent:
            self._sent[terminal] = self._sent[terminal]._replace(told=stored)

    def may_ask(self, terminal: str, now_ms: int) -> bool:
        """Whether the terminal may be sent something: nothing waits, and what was sent came, or is lost."""
        if terminal not in self._sent:
            return terminal not in self._waiting
        sent = self._sent[terminal]
        is_lost = sent.told is not None and not 0 <= now_ms - sent.since_ms < AGAIN_MS
        return sent.has_come or is_lost or not sent.is_under_way(now_ms)

    def ask(self, terminal: str, stored: int, payload_bytes: int) -> None:
        """The terminal has so much, and is to get what follows; nothing else is under way to it any more."""
        self.end(terminal)
        if stored < payload_bytes:
            self._waiting[terminal] = Window(stored, min(stored + WINDOW_BYTES, payload_bytes))

    def end(self, terminal: str) -> None:
        """It is to get no more; what was sent counts no longer."""
        self._sent.pop(terminal, None)
        self._waiting.pop(terminal, None)

    def grants(self, now_ms: int) -> dict[str, Window]:
        """What goes out now, by terminal."""
        room = self._bytes_max - self.under_way(now_ms)
        found: dict[str, Window] = {}
        for terminal, window in self._waiting.items():
            if window.end - window.begin > room:
                break  # in turn
            found[terminal] = window
            room -= window.end - window.begin
        for terminal, window in found.items():
            del self._waiting[terminal]
            self._sent[terminal] = _Sent(window, now_ms)
        return found
