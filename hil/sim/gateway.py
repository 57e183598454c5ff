"""The gateway of the simulation: its own pipeline, stores and sinks, driven by the loop instead of by threads.

It is killed between any two steps, at any commit, and between a commit and what follows from it.
"""

import errno
import io
import random
import traceback
from collections.abc import Callable
from pathlib import Path

from gateway.app import Loaded
from gateway.journal.journal import FILE as JOURNAL
from hil import stores
from hil.sim.disk import Disk
from hil.sim.gateway_process import GatewayProcess
from hil.sim.loop import Domain, PowerCutError, VirtualLoop
from hil.sim.network import Network
from hil.sim.trace import Trace


class Clock:
    """The gateway's time of day; off by `step_ms` from the truth, and how far it was off before."""

    def __init__(self, unix_ms: Callable[[], int]) -> None:
        self.step_ms = 0
        self._unix_ms = unix_ms
        self._before: list[tuple[int, int]] = []  # (until when, virtual Unix ms; how far off)

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return self._unix_ms() + self.step_ms

    def step(self, by_ms: int) -> None:
        """From now on it is off by so much."""
        self._before.append((self._unix_ms(), self.step_ms))
        self.step_ms = by_ms

    @property
    def was_stepped(self) -> bool:
        """Whether it ever told another time than the true one."""
        return bool(self._before)

    def lately_ms(self, span_ms: int) -> tuple[int, int]:
        """(least, most) by which it was off in the last so many ms."""
        since_ms = self._unix_ms() - span_ms
        steps = [self.step_ms, *(off_ms for until_ms, off_ms in self._before if until_ms >= since_ms)]
        return min(steps), max(steps)


class _Lines(io.StringIO):
    """The gateway's log, into the trace."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def write(self, text: str) -> int:
        if text.strip():
            self._trace.add("gateway", text.strip())
        return len(text)


class Gateway:
    """One gateway on one disk. `on_ack(terminal, ack)` is called with each ack before it goes anywhere, `on_release`
    with each frame before its PUBACK does.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        config: Path,
        unix_ms: Callable[[], int],
        random_: random.Random,
        trace: Trace,
    ) -> None:
        self.data = config.parent / "data"
        self.data.mkdir()
        self.disk = Disk(self.data)
        self.disk.on_kill = self.kill
        self.clock = Clock(unix_ms)
        self.crashes: list[str] = []
        self.on_release: Callable[[str, bytes], None] = lambda _terminal, _frame: None
        self.on_ack: Callable[[str, bytes], None] = lambda _terminal, _ack: None
        self._loop = loop
        self._network = network
        self._loaded = Loaded(config)
        self._random = random_
        self._trace = trace
        self._domain = Domain("gateway")
        self._process: GatewayProcess | None = None
        self._kill_at_point = 0
        self._points = 0

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None

    def start(self) -> None:
        """Start it; where a kill that was asked for has not come yet, it comes now."""
        if self.running and not self.disk.armed and self._points >= self._kill_at_point:
            return
        self.kill()
        self.disk.thaw()
        self._kill_at_point = 0
        self._trace.add("gateway", "starts")
        self._domain = Domain("gateway")
        process = self._process = GatewayProcess(
            self._loop, self._network, self._loaded, self.clock, self._random, _Lines(self._trace), self
        )
        self._loop.spawn(self._domain, process.run())

    def kill(self, *, power: bool = False) -> None:
        """kill -9, or its machine's power cut."""
        if not self.running:
            return
        self._trace.add("gateway", "has no power" if power else "is killed")
        self._process = None
        self.disk.kill_in(0, after=False)
        self.disk.freeze(power=power)
        self._domain.kill()
        self._network.end_client("gateway", silent=power)
        self._loop.call_soon(self.disk.thaw)

    def stop(self) -> None:
        """A clean end: what it has taken is committed."""
        if self._process is None:
            return
        try:
            self._process.finish()
        except PowerCutError:
            return
        self.kill()

    def kill_after_commit(self) -> None:
        """It is killed right after its next commit to the journal."""
        self.disk.kill_in(1, after=True, file=JOURNAL)

    def kill_at_point(self, points: int) -> None:
        """It is killed before the so-many-th ack or PUBACK from now."""
        self._kill_at_point = self._points + points

    def point(self, terminal: str, ack: bytes) -> None:
        """An ack (or, b"", a PUBACK) is about to go out. Raises PowerCutError."""
        self._points += 1
        if ack:
            self.on_ack(terminal, ack)
        if self._points == self._kill_at_point:
            self.kill()
            raise PowerCutError("killed before an ack")

    def released(self, terminal: str, frame: bytes) -> None:
        """A PUBACK is about to go out for this frame."""
        self.on_release(terminal, frame)

    def crashed(self, error: BaseException) -> None:
        """It has a fault."""
        text = "".join(traceback.format_exception(error)[-3:]).strip()
        self._trace.add("gateway", f"crashed: {text}")
        told = f"gateway: {text}"
        if told not in self.crashes:  # once is enough: it may happen every second
            self.crashes.append(told)

    def fail_disk(self, number: int | None) -> None:
        """Its disk answers with this errno from now on; None: it works again."""
        self.disk.refusing = number == errno.ENOSPC
        self.disk.failing = number == errno.EIO

    def counters(self) -> dict[str, int]:
        """The journal's own counters."""
        return stores.counters(self.data)

    def quarantined(self) -> dict[str, int]:
        """Frames and records in quarantine, by the reason."""
        return stores.quarantined(self.data)

    def rollouts(self) -> dict[str, int]:
        """Rollouts of releases, by state."""
        return stores.rollouts(self.data)
