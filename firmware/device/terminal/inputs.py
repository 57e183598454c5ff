# What the board feels besides its meters: mains, contacts of cover and CTs, its own supply. Each change that lasts is
# an event; what is not as it should be at the start is told at the start. What changes all the time is told as it is
# when it may be told again (sparing.py).
from protocol import record
from terminal.sparing import Sparing

POLL_MS = 100  # what is left in the capacitor when mains goes lasts for seconds
_STEADY = 3  # looks that must agree: a contact bounces for tens of milliseconds
_BACK_PERMILLE = 1050  # of the lowest good voltage: it is not to be told again and again
ALLOWANCE_MS = 10000


class Inputs:
    """`board.inputs()`: boards/README.md; `on_event(code, point, values)`."""

    def __init__(self, board, on_event) -> None:  # type: ignore[no-untyped-def]
        self.alive_ms = board.real_ms()
        self._board = board
        self._on_event = on_event
        self._told: "dict[int, bool]" = {}  # input: as it was told; 0 is mains, -1 the supply
        self._seen: "dict[int, int]" = {}  # input: looks in a row that disagree with that
        self._mains_ms = board.uptime_ms()  # when mains were there last before the loss that is told, or is to be
        self._sparing = Sparing()

    async def run(self) -> None:
        while True:
            self.alive_ms = self._board.real_ms()
            self.look()
            await self._board.pause_ms(POLL_MS)

    def look(self) -> None:
        mains, contacts, supply_mv = self._board.inputs()
        if mains is not None:
            self._look_at_mains(lost=not mains)
        for number, is_open in enumerate(contacts, 1):
            if self._changed(number, is_open):
                self._on_event(record.INPUT, None, [number, int(is_open)])
        if supply_mv is not None:
            low_mv = self._board.SUPPLY_LOW_MV
            bound_mv = low_mv * _BACK_PERMILLE // 1000 if self._told.get(-1) else low_mv
            if self._changed(-1, supply_mv < bound_mv) and self._told[-1]:
                self._on_event(record.LOW_VOLTAGE, None, [supply_mv])

    def _look_at_mains(self, *, lost: bool) -> None:
        now_ms = self._board.uptime_ms()
        if not lost and not self._told.get(0):
            self._mains_ms = now_ms
        if self._changed(0, lost):
            if lost:
                self._on_event(record.MAINS_LOST, None, [])
            else:
                self._on_event(record.MAINS_BACK, None, [(now_ms - self._mains_ms) // 1000])

    def _changed(self, which: int, is_wrong: bool) -> bool:
        """True when an input has been so for long enough, and was told to be otherwise."""
        if is_wrong == self._told.get(which, False):
            self._seen[which] = 0
            return False
        self._seen[which] = self._seen.get(which, 0) + 1
        if self._seen[which] < _STEADY or (is_wrong and not self._sparing.may(which, self._board.real_ms())):
            return False
        self._seen[which] = 0
        self._told[which] = is_wrong
        return True
