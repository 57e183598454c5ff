# What the status LED says to whoever opens the switchboard: so many short blinks, a pause, and again. Dark: the program
# does not run. Of several troubles the one that a technician can see to first.
from protocol import record

FINE, NO_METER, NO_LINK, NO_TIME = 1, 2, 3, 4  # the number of blinks
HEARD_MS = 1860000  # two windows and a minute: each window is acknowledged
POLL_MS = 100
ALLOWANCE_MS = 10000
_CYCLE_MS = 4000
_BLINK_MS = 500  # one and the dark after it
_LIT_MS = 200


def state(clock_source: int, heard_ms: "int | None", uptime_ms: int, *, silent: bool) -> int:
    """What to say. `heard_ms`: uptime of the gateway's last answer, None if there is none; `silent`: a meter is."""
    if silent:
        return NO_METER
    if heard_ms is None or uptime_ms - heard_ms > HEARD_MS:
        return NO_LINK
    return NO_TIME if clock_source == record.CLOCK_NONE else FINE


def is_lit(said: int, real_ms: int) -> bool:
    """Whether the LED is on at that instant."""
    at_ms = real_ms % _CYCLE_MS
    return at_ms < said * _BLINK_MS and at_ms % _BLINK_MS < _LIT_MS


class Led:
    """`board.led(on)`: boards/README.md; `said()` is one of the states above."""

    def __init__(self, board, said) -> None:  # type: ignore[no-untyped-def]
        self.alive_ms = board.real_ms()
        self._board = board
        self._said = said
        self._on = False

    async def run(self) -> None:
        """Never returns."""
        while True:
            self.alive_ms = self._board.real_ms()
            self.look()
            await self._board.pause_ms(POLL_MS)

    def look(self) -> None:
        on = is_lit(self._said(), self._board.real_ms())
        if on != self._on:
            self._on = on
            self._board.led(on)
