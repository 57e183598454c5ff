# Who is started again when it fails, who must show that it lives, and when the terminal as a whole starts anew.
#
# A task that ends with an error begins anew after 1, 2, 4 ... 60 s; the others go on. A task that shows no sign of life
# for longer than its own worst case is wedged: nobody can end it for certain, so the terminal starts anew, and the next
# start's BOOT event says which task it was. A VM that does not come round at all is the hardware watchdog's.
import sys

from terminal.tasks import together

CAUSE_POWER_ON = 1  # the board's own: the power was gone before this start
CAUSE_MEMORY = 16  # board.reset's causes: a task ran out of memory
CAUSE_WEDGED = 17  # a task showed no sign of life
CAUSE_CONFIG = 18  # a configuration was taken or given up
CAUSE_UPDATE = 19  # a release was taken or given up
CAUSE_CONSOLE = 20  # the console is opened
CAUSE_CERTIFICATES = 21  # certificates were taken or given up
_WATCHDOG_MS = 30000  # above the worst: a name server that does not answer stops the whole VM
_TICK_MS = 1000
_RETRY_FIRST_MS = 1000
_RETRY_MS_MAX = 60000
_STEADY_MS = 60000  # a task that ran so long had begun well: the next wait is short


class Supervisor:
    """`add` the tasks, then `run`, which never returns. `on_tick()` is called each second; all times are real."""

    feed = None  # keeps the watchdog quiet that runs; who interrupts the program at its console feeds it in its place

    def __init__(self, board, say, on_tick) -> None:  # type: ignore[no-untyped-def]
        self.failures = 0
        self._board = board
        self._say = say
        self._on_tick = on_tick
        self._tasks: "list[tuple[str, object, int, object]]" = []
        self._began_ms: "dict[str, int]" = {}  # when each was begun with last

    def add(self, name: str, run, allowance_ms: int, alive_ms) -> None:  # type: ignore[no-untyped-def]
        """A task `run()`; `alive_ms()` is when it last showed that it lives, and `allowance_ms` how long it may not."""
        self._tasks.append((name, run, allowance_ms, alive_ms))

    async def run(self) -> None:
        await together(*[self._forever(one[0], one[1]) for one in self._tasks], self._watch())

    async def _forever(self, name: str, run) -> None:  # type: ignore[no-untyped-def]
        wait_ms = _RETRY_FIRST_MS
        while True:
            began_ms = self._began_ms[name] = self._board.real_ms()
            try:
                await run()
            except MemoryError:
                # a heap too fragmented to go on is whole again after a reset; the log has everything
                self._say(name, "out of memory")
                self._board.reset(CAUSE_MEMORY, self._number(name))
            except Exception as error:  # noqa: BLE001  whatever it is, the other tasks go on and this one begins anew
                self._say(name, "failed:", type(error).__name__, error)
                if not isinstance(error, OSError):  # a device that is not there is no fault of the program
                    _trace(error)
            self.failures += 1
            if self._board.real_ms() - began_ms > _STEADY_MS:
                wait_ms = _RETRY_FIRST_MS
            await self._board.pause_ms(wait_ms)
            wait_ms = min(2 * wait_ms, _RETRY_MS_MAX)

    async def _watch(self) -> None:
        feed = Supervisor.feed = self._board.watchdog(_WATCHDOG_MS)
        while True:
            feed()
            self._on_tick()
            now_ms = self._board.real_ms()
            for name, _, allowance_ms, alive_ms in self._tasks:
                seen_ms = max(alive_ms(), self._began_ms.get(name, now_ms))  # type: ignore[operator]
                if now_ms - seen_ms > allowance_ms + _RETRY_MS_MAX:
                    self._say(name, "shows no sign of life: starting anew")
                    self._board.reset(CAUSE_WEDGED, self._number(name))
            await self._board.pause_ms(_TICK_MS)

    def _number(self, name: str) -> int:
        """1 for the task that was added first."""
        return [one[0] for one in self._tasks].index(name) + 1


def _trace(error: Exception) -> None:
    show = getattr(sys, "print_exception", None)  # MicroPython's
    if show:
        show(error)
