"""How much of a release is under way to all terminals together: bounded, whatever they ask for. No I/O.

A terminal that says how much it has stored gets a window of chunks behind that. When it has them it says so, and gets
the next. Whoever finds no room waits in turn.
"""

from typing import NamedTuple

from protocol.limits import CHUNK_BYTES_MAX

BYTES_MAX = 1 << 20  # to all terminals: a second's time of a 10 Mbit/s line, 65 windows
WINDOW_BYTES = 4 * CHUNK_BYTES_MAX  # after as many a terminal says what it has (FR-85)
HELD_MS = 60_000  # what a terminal says nothing of for so long has arrived or is lost: twice a window's time over 2G


class Window(NamedTuple):
    """Bytes of the payload that a terminal is to get."""

    begin: int
    end: int

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """[(from, to)]."""
        return [(at, min(at + CHUNK_BYTES_MAX, self.end)) for at in range(self.begin, self.end, CHUNK_BYTES_MAX)]


class Pacing:
    """In memory alone: after a restart nothing is under way. Times are Unix ms of a clock that may step."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._held: dict[str, tuple[Window, int]] = {}  # by terminal, and since when
        self._waiting: dict[str, Window] = {}  # in turn

    def under_way(self, now_ms: int) -> int:
        """Bytes that were sent and may not have arrived."""
        self._held = {name: one for name, one in self._held.items() if 0 <= now_ms - one[1] < HELD_MS}
        return sum(window.end - window.begin for window, _ in self._held.values())

    def knows(self, terminal: str, now_ms: int) -> bool:
        """Whether something is under way to this terminal, or waits to be."""
        self.under_way(now_ms)
        return terminal in self._held or terminal in self._waiting

    def ask(self, terminal: str, stored: int, payload_bytes: int) -> None:
        """The terminal has so much, and is to get what follows; nothing is under way to it any more."""
        self.end(terminal)
        if stored < payload_bytes:
            self._waiting[terminal] = Window(stored, min(stored + WINDOW_BYTES, payload_bytes))

    def end(self, terminal: str) -> None:
        """It is to get no more."""
        self._held.pop(terminal, None)
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
            self._held[terminal] = (window, now_ms)
        return found
