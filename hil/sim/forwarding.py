"""A sink of the gateway at work in the simulation: its own forwarder and sessions, the loop in the runner's place."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog

from gateway.clock import Clock
from gateway.config import Hj212Config
from gateway.database import StoreUnavailableError
from gateway.forward import runner
from gateway.forward.account import Account
from gateway.forward.backoff import Backoff
from gateway.forward.forwarder import Forwarder
from gateway.forward.hj212.mapping import load_mapping
from gateway.forward.hj212.session import Hj212Session
from gateway.forward.hj212.sink import Hj212Sink
from gateway.forward.outbox import Outbox
from gateway.forward.sink import RestartingError, SinkError
from gateway.journal.reader import Reader
from gateway.metrics import Metrics
from hil.sim.disk import RETRY_S
from hil.sim.loop import VirtualLoop
from hil.sim.network import Network
from hil.sim.streams import Writer
from hil.sim.waiting import Bell, Inbox

CONNECT_S = 5.0
IDLE_S = 3600.0  # new records ring the bell; this only bounds how long a mistake in that would hide
US = 1_000_000


class SinkTask:
    """One sink, until its task is cancelled. crashed: told of what should never happen."""

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        config: Hj212Config,
        folder: Path,
        about: tuple[Clock, Metrics, structlog.typing.FilteringBoundLogger],
        random_: random.Random,
        crashed: Callable[[BaseException], None],
    ) -> None:
        self.bell = Bell()  # something new is in the journal
        self._loop = loop
        self._network = network
        self._config = config
        self._folder = folder
        self._clock, self._metrics, self._log = about
        self._mapping = load_mapping(Path(config.mapping))
        self._random = random_
        self._crashed = crashed

    async def run(self) -> None:
        """As gateway.forward.runner: begin anew, from the files, after whatever went wrong."""
        while True:
            try:
                await self._forward()
            except (StoreUnavailableError, sqlite3.Error):
                await self._loop.pause_us(round(RETRY_S * US))
            except RestartingError:
                continue
            except Exception as error:  # noqa: BLE001  it is for the oracle
                self._crashed(error)
                await self._loop.pause_us(round(runner.CRASH_RETRY_S * US))

    async def _forward(self) -> None:
        with ExitStack() as opened:
            outbox = Outbox(self._folder, self._config.name)
            opened.callback(outbox.close)
            wiring = Wiring(self._loop, self._network, self._config.port, self.bell, self._random)
            sink = Hj212Sink(self._config, self._mapping, outbox, self._folder, self._clock, self._metrics, wiring)
            opened.callback(sink.close)
            reader = Reader(self._folder)
            opened.callback(reader.close)
            account = Account(self._config.name, outbox, self._clock, self._metrics, self._log)
            backoff = Backoff(runner.RETRY_MIN_MS, runner.RETRY_MAX_MS, self._random.random)
            forwarder = Forwarder(sink, outbox, reader, self._clock, self._config.fresh_s, account, backoff)
            while True:
                await self._step(forwarder, sink, wiring)

    async def _step(self, forwarder: Forwarder, sink: Hj212Sink, wiring: "Wiring") -> None:
        try:
            more = forwarder.feed()
            forwarder.is_well(sink.work(0))
        except SinkError as error:
            sink.close()
            await self._loop.pause_us(1000 * forwarder.failed(error))
            return
        if not more:
            await self.bell.wait(wiring.quiet_s())


class Wiring:
    """gateway.forward.hj212.sink.Wiring: the sessions' connections, and the run's randomness."""

    def __init__(self, loop: VirtualLoop, network: Network, port: int, bell: Bell, random_: random.Random) -> None:
        self._loop = loop
        self._network = network
        self._port = port
        self._bell = bell
        self.jitter = random_.random
        self._links: Links | None = None

    def transport(self, sessions: Sequence[Hj212Session]) -> "Links":
        """What moves the bytes of these sessions."""
        self._links = Links(self._loop, self._network, self._port, self._bell, sessions)
        return self._links

    def quiet_s(self) -> float:
        """How long nothing falls due."""
        return IDLE_S if self._links is None else self._links.quiet_s()


class Links:
    """gateway.forward.hj212.sink.Transport over the simulation's network."""

    def __init__(
        self, loop: VirtualLoop, network: Network, port: int, bell: Bell, sessions: Sequence[Hj212Session]
    ) -> None:
        self.last_error = ""
        self._loop = loop
        self._lines = [_Line(loop, network, port, bell, session) for session in sessions]

    def step(self, wait_ms: int) -> None:
        """Do what is due; the waiting is the loop's."""
        del wait_ms
        now_ms = self._loop.now_us // 1000
        for line in self._lines:
            try:
                line.step(now_ms)
            except OSError as error:
                self.last_error = str(error)
                line.drop(now_ms)
            if line.session.wants_close:
                self.last_error = "no answer"
                line.drop(now_ms)

    def quiet_s(self) -> float:
        """How long nothing falls due."""
        now_ms = self._loop.now_us // 1000
        due = [line.session.quiet_ms(now_ms) for line in self._lines if not line.is_connecting]
        return min([IDLE_S, *(ms / 1000 for ms in due if ms is not None)])

    def close(self) -> None:
        """End the connections."""
        for line in self._lines:
            line.drop(self._loop.now_us // 1000)


class _Line:
    """One session's connection, if there is one."""

    def __init__(self, loop: VirtualLoop, network: Network, port: int, bell: Bell, session: Hj212Session) -> None:
        self.session = session
        self._loop = loop
        self._network = network
        self._port = port
        self._bell = bell
        self._connecting: asyncio.Task[None] | None = None
        self._failed: OSError | None = None
        self._inbox: Inbox | None = None
        self._writer: Writer | None = None

    @property
    def is_connecting(self) -> bool:
        """Whether it waits for a connection; the bell will tell."""
        return self._connecting is not None

    def step(self, now_ms: int) -> None:
        """Connect, write, hear. Raises OSError."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        if self._connecting is None and self._writer is None and self.session.wants_connection(now_ms):
            self._connecting = self._loop.create_task(self._connect())
        self._write(now_ms)
        if self._inbox is not None and (data := self._inbox.take()):
            self.session.on_bytes(data)
        self.session.on_tick(now_ms)
        self._write(now_ms)

    def drop(self, now_ms: int) -> None:
        """End the connection."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.session.on_disconnected(now_ms)

    def _write(self, now_ms: int) -> None:
        while self._writer is not None and (data := self.session.next_outgoing(now_ms)):
            self._writer.write(data)

    async def _connect(self) -> None:
        try:
            reader, self._writer = await self._network.connect("gateway", self._port, CONNECT_S)
            self._inbox = Inbox(reader, self._bell)
            self.session.on_connected()
        except OSError as error:
            self._failed = error
        self._connecting = None
        self._bell.ring()
