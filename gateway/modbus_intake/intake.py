"""The Modbus intake: all lines in one thread of their own, handing frames to the pipeline as the broker's intake does.

Each line has at most one frame in the pipeline, so there are never more in memory than lines. A line waits until its
frame is released; what was published down for the terminal by then is written to it, and nothing else counts.
"""

import asyncio
import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

import structlog

from gateway.config import ModbusConfig
from gateway.intake import Delivery, Token
from gateway.modbus_intake.line import Line
from gateway.modbus_intake.link import Link
from gateway.modbus_intake.metrics import ModbusMetrics

CONNECTION = -1  # in a token: no connection of the broker's has this number
DOWN_MAX = 8  # messages a terminal; acks of one frame are 1 or 2, and what is dropped is said again
CRASH_PAUSE_S = 5.0  # a fault of ours that comes at once again is not to fill the log
CANCEL_AGAIN_S = 0.1
STOP_S = 5.0  # a close that hangs does not keep the gateway from ending


class Outstanding(NamedTuple):
    """A frame in the pipeline. released: to be resolved in the lines' thread."""

    terminal: str
    released: asyncio.Future[None]


class ModbusIntake:
    """`start`, then `take`, `publish_down` and `release` from the pipeline's thread, as with the other intake."""

    def __init__(
        self,
        configs: Sequence[ModbusConfig],
        metrics: ModbusMetrics,
        log: structlog.typing.FilteringBoundLogger,
        steady_s: Callable[[], float],
        random: Random,
    ) -> None:
        """Nothing is opened before `start`."""
        self._configs = configs
        self._metrics = metrics
        self._log = log
        self._steady_s = steady_s
        self._random = random
        self._queue: queue.Queue[Delivery] = queue.Queue()
        self._lock = threading.Lock()  # over the two below
        self._outstanding: dict[int, Outstanding] = {}
        self._down = {one.id: deque[bytes]() for config in configs for one in config.terminals}
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), name="modbus", daemon=True
        )

    def start(self) -> None:
        """Begin to poll, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no one any more, and close all lines. What was not acknowledged stays with the terminals."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_S)
        if not self._thread.is_alive():
            self._loop.close()

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """Up to `count` deliveries: waits idle_s for the first one, then wait_s for others to share its commit."""
        batch: list[Delivery] = []
        deadline_s = self._steady_s() + idle_s
        while len(batch) < count:
            remaining_s = deadline_s - self._steady_s()
            try:
                batch.append(self._queue.get(timeout=remaining_s) if remaining_s > 0 else self._queue.get_nowait())
            except queue.Empty:
                break
            if len(batch) == 1:
                deadline_s = self._steady_s() + wait_s
        return batch

    def release(self, tokens: Iterable[Token]) -> None:
        """The frames' fate is durable: their lines go on."""
        for _, number in tokens:
            with self._lock:
                found = self._outstanding.pop(number, None)
            if found is not None:
                self._loop.call_soon_threadsafe(_resolve, found.released)

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Have acks written to the terminals: with a frame's release, or at the next visit. How many: not dropped."""
        taken = sum(self._keep_down(terminal, data) for terminal, data in messages)
        self._metrics.acks.labels("dropped").inc(len(messages) - taken)
        return taken

    def _keep_down(self, terminal: str, data: bytes) -> bool:
        with self._lock:
            waiting = self._down.get(terminal)
            if waiting is None or len(waiting) >= DOWN_MAX:
                return False
            waiting.append(data)
            return True

    @property
    def waiting(self) -> int:
        """Frames in memory that nobody has taken yet."""
        return self._queue.qsize()

    async def _run(self) -> None:
        self._loop.set_exception_handler(self._count_fault)
        tasks = {asyncio.create_task(self._keep(config), name=config.name) for config in self._configs}
        await self._stop.wait()
        while tasks:  # Python 3.11's wait_for, which pymodbus uses, loses a cancellation that comes with the answer
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)

    async def _keep(self, config: ModbusConfig) -> None:
        """Run a line; begin it again after a fault of our own."""
        link = Link(config)
        try:
            while True:
                line = Line(
                    config, link, self._deliver, self._take_down, self._metrics, self._log, self._steady_s, self._random
                )
                try:
                    await line.run()
                except Exception:  # noqa: BLE001  (one line's fault is not the others')
                    self._metrics.crashes.inc()
                    self._log.exception("modbus_crashed", line=config.name)
                line.forget()
                await asyncio.sleep(CRASH_PAUSE_S)
        finally:
            link.close()

    async def _deliver(self, terminal: str, where: str, data: bytes) -> list[bytes]:
        """Put the frame into the pipeline; when it is released: the acks for the terminal."""
        number = next(self._numbers)
        released: asyncio.Future[None] = self._loop.create_future()
        with self._lock:
            self._outstanding[number] = Outstanding(terminal, released)
        self._queue.put(Delivery(terminal, where, data, len(data), (CONNECTION, number)))
        await released
        return self._take_down(terminal)

    def _take_down(self, terminal: str) -> list[bytes]:
        with self._lock:
            found = list(self._down[terminal])
            self._down[terminal].clear()
        return found

    def _count_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """pymodbus raises where asyncio calls it with bytes that it can't read: the request ends in a time-out."""
        self._metrics.refused.labels("garbled").inc()
        error = context.get("exception")
        self._log.warning("modbus_unreadable", error=type(error).__name__ if error else str(context.get("message")))


def _resolve(released: asyncio.Future[None]) -> None:
    if not released.done():
        released.set_result(None)
