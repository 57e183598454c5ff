"""An event loop in virtual time: when nothing is ready, time jumps to the next timer. One thread, no I/O, no clock.

Order is fixed: what is ready runs first come, first served; timers by instant, then by the order in which they were
made. The same calls give the same run.
"""

import asyncio
import contextvars
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from math import ceil
from typing import Any, NoReturn, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
US = 1_000_000
STEPS_MAX = 100_000  # at one instant; the busiest one of a run, all terminals back at once, has some thousand


class StuckError(Exception):
    """Things happen again and again, and time stands still."""


class PowerCutError(BaseException):
    """Raised where code of a part that is dead wants to do something. No `except Exception` stops it."""


class Timer:
    """A call that is due at an instant; `cancel` takes it back. As much of asyncio's handles as is used."""

    __slots__ = ("act", "args", "when_us")

    def __init__(self, when_us: int, act: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.when_us = when_us
        self.act: Callable[..., object] | None = act
        self.args = args

    def cancel(self) -> None:
        """It will not be called."""
        self.act = None

    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self.act is None

    def when(self) -> float:
        """The instant, in virtual s."""
        return self.when_us / US


class Domain:
    """The tasks that die together: what one process runs. Tasks made by a task of a domain belong to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.tasks: dict[asyncio.Task[Any], None] = {}  # in the order in which they were made

    def kill(self) -> None:
        """End it as a power cut would: nothing of it runs to an effect any more."""
        self.dead = True
        for task in self.tasks:
            task.cancel()


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs until a virtual instant. `fallen` has what ended a task of a living domain and nobody asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.now_us = 0
        self.steps = 0  # how often something ran: what a run costs, the same on every machine
        self.fallen: list[dict[str, Any]] = []
        self._due: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._heap: list[tuple[int, int, Timer | asyncio.Future[None]]] = []
        self._number = 0
        self._halted: BaseException | None = None
        self._steps_max = STEPS_MAX  # of `steps`, at this instant
        self._domains: dict[asyncio.Task[Any], Domain] = {}

    def run_until(self, until_us: int) -> None:
        """Let everything happen up to this instant, and be there. What a callback raises comes out here.

        Raises StuckError where time does not go on, and what `halt` was given.
        """
        _set_running_loop(self)
        due, heap = self._due, self._heap
        try:
            while True:
                while due:
                    act, args = due.popleft()
                    self.steps += 1
                    act(*args)
                    if self.steps > self._steps_max:
                        self._stop()
                if not heap or heap[0][0] > until_us:
                    break
                when_us, _, item = heappop(heap)
                if when_us > self.now_us:
                    self.now_us, self._steps_max = when_us, self.steps + STEPS_MAX
                if isinstance(item, Timer):
                    if item.act is not None:
                        due.append((item.act, item.args))
                elif not item.done():
                    item.set_result(None)
        finally:
            _set_running_loop(None)
        self.now_us = max(self.now_us, until_us)

    def halt(self, error: BaseException) -> NoReturn:
        """Nothing more happens: what runs now ends with this error, and `run_until` raises it."""
        self._halted, self._steps_max = error, -1
        raise error

    def _stop(self) -> NoReturn:
        halted, self._halted, self._steps_max = self._halted, None, self.steps + STEPS_MAX
        if halted is not None:
            raise halted
        act = self._due[0][0] if self._due else None
        raise StuckError(f"{STEPS_MAX} steps at {self.now_us} us, and time does not go on; the next one is {act!r}")

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_us / US

    def pause_us(self, span_us: int) -> asyncio.Future[None]:
        """To be awaited: done after so long (0 or more)."""
        waiting: asyncio.Future[None] = asyncio.Future(loop=self)
        self._number += 1
        heappush(self._heap, (self.now_us + span_us, self._number, waiting))
        return waiting

    def call_soon(  # type: ignore[override]  # nobody takes back what is ready
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> None:
        """Contexts are left out: nothing here depends on one, and they cost a tenth of a run."""
        del context
        self._due.append((callback, args))

    def call_at(  # type: ignore[override]  # a timer is all that is needed of a handle
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Call it at a virtual instant, in s."""
        del context
        return self.at_us(ceil(when * US), callback, *args)

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Call it in so many virtual seconds."""
        del context
        return self.at_us(self.now_us + ceil(delay * US), callback, *args)  # never before it is due

    def at_us(self, when_us: int, callback: Callable[[*Ts], object], *args: *Ts) -> Timer:
        """Call it at a virtual instant."""
        timer = Timer(max(when_us, self.now_us), callback, args)
        self._number += 1
        heappush(self._heap, (timer.when_us, self._number, timer))
        return timer

    def create_task(  # type: ignore[override]  # eager starts are not for us
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        """A task of the domain whose task makes it."""
        del context
        maker = asyncio.current_task(self) if self._domains else None
        domain = self._domains.get(maker) if maker is not None else None
        task = asyncio.Task(coro, loop=self, name=name)
        if domain is not None:
            self._enter(task, domain)
        return task

    def spawn(self, domain: Domain, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """The first task of a domain, or another one that nobody of it makes."""
        task = asyncio.Task(coro, loop=self)
        self._enter(task, domain)
        return task

    def domain(self) -> Domain | None:
        """Whose code runs now."""
        task = asyncio.current_task(self)
        return None if task is None else self._domains.get(task)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Somebody's task ended by an error that nobody looked at; one that no code catches ends it on purpose."""
        if isinstance(context.get("exception"), Exception | None):
            self.fallen.append(context)

    def get_debug(self) -> bool:
        """Never: it would look at the wall clock."""
        return False

    def _enter(self, task: asyncio.Task[Any], domain: Domain) -> None:
        domain.tasks[task] = None
        self._domains[task] = domain
        task.add_done_callback(self._leave)
        if domain.dead:
            task.cancel()

    def _leave(self, task: asyncio.Task[Any]) -> None:
        domain = self._domains.pop(task)
        domain.tasks.pop(task, None)
        if domain.dead and not task.cancelled():
            task.exception()  # looked at: of the dead nothing but good
