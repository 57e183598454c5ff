"""One life of the gateway's process, put together as gateway/app.py does: the loop in the place of its threads."""

import io
import random
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from gateway.app import Loaded
from gateway.clock import Clock
from gateway.config import SinkConfig
from gateway.database import StoreUnavailableError
from gateway.forward.forwarder import Forwarder
from gateway.forward.hj212_sink import Mapping
from gateway.journal.journal import Journal
from gateway.logs import make_logger
from gateway.metrics import Metrics
from gateway.pipeline import STORE_RETRY_S, Pipeline
from gateway.quarantine.quarantine import Quarantine
from gateway.verify import bounds_of
from hil.sim.intake import Intake
from hil.sim.loop import VirtualLoop
from hil.sim.network import Network
from hil.sim.streams import Writer
from hil.sim.waiting import Heard

CRASH_RETRY_S = 10.0  # as gateway/forward/runner.py
CONNECT_S = 5.0
IDLE_S = 60.0  # a sink looks whether something became old meanwhile; new records wake it
US = 1_000_000


class Machine(Protocol):
    """What a process asks of who owns it."""

    data: Path

    def point(self, terminal: str, ack: bytes) -> None: ...
    def crashed(self, error: BaseException) -> None: ...


class BlockedError(Exception):
    """The disk refuses: here the pipeline would wait."""


class _Stop:
    """In the place of the pipeline's stop event: where that would sleep, the loop must go on."""

    def wait(self, _timeout_s: float) -> bool:
        raise BlockedError


class GatewayProcess:
    """The parts of a gateway, made in `run`."""

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        loaded: Loaded,
        clock: Clock,
        random_: random.Random,
        log: io.StringIO,
        machine: Machine,
    ) -> None:
        self._loop = loop
        self._network = network
        self._loaded = loaded
        self._clock = clock
        self._random = random_
        self._metrics = Metrics()
        self._log = make_logger(clock, log)
        self._machine = machine
        self._sinks: list[Heard] = []
        self._intake: Intake | None = None
        self._pipeline: Pipeline | None = None

    async def run(self) -> None:
        """Until it is killed. A fault of its own ends it, and is told."""
        try:
            self._compose()
            create = self._loop.create_task
            others = [create(self._intake.run())] if self._intake else []
            for sink, mapping in zip(self._loaded.config.sink, self._loaded.mappings, strict=True):
                heard = Heard()
                self._sinks.append(heard)
                others.append(create(self._keep_forwarding(sink, mapping, heard)))
            await self._take_for_ever()
        except Exception as error:  # noqa: BLE001  it is for the oracle
            self._machine.crashed(error)

    def finish(self) -> None:
        """A clean end: what was taken is committed, and what is to be said is said."""
        if self._intake is None or self._pipeline is None:
            return
        try:
            while self._intake.waiting:
                self._process_some(self._intake, self._pipeline)
        except BlockedError:
            return  # without a disk nothing is acknowledged, and all of it comes again
        self._intake.leave()

    def _compose(self) -> None:
        config = self._loaded.config
        assert config.mqtt is not None  # the bench's own configuration
        intake = Intake(self._loop, self._network, config.mqtt, self._random.random, self._machine.point)
        self._intake = intake
        self._pipeline = Pipeline(
            intake=intake,
            journal=Journal(self._machine.data, config.verify),
            quarantine=Quarantine(self._machine.data, config.quarantine),
            metrics=self._metrics,
            clock=self._clock,
            limits=bounds_of(config.verify),
            log=self._log,
            stop=cast("threading.Event", _Stop()),
        )

    async def _take_for_ever(self) -> None:
        intake, pipeline = self._intake, self._pipeline
        assert intake is not None and pipeline is not None  # noqa: PT018  made just before
        wait_us = 1000 * self._loaded.config.intake.batch_wait_ms
        while True:
            await intake.arrived.wait()
            await self._loop.pause_us(wait_us)
            batch = intake.take(self._loaded.config.intake.batch_frames, 0, 0)
            while batch:
                try:
                    pipeline.process(batch, self._loaded.registry)
                except BlockedError:
                    await self._loop.pause_us(round(STORE_RETRY_S * US))
                    continue
                break
            pipeline.tidy()
            for one in self._sinks:
                one.wake()

    def _process_some(self, intake: Intake, pipeline: Pipeline) -> None:
        batch = intake.take(self._loaded.config.intake.batch_frames, 0, 0)
        pipeline.process(batch, self._loaded.registry)

    async def _keep_forwarding(self, sink: SinkConfig, mapping: Mapping, heard: Heard) -> None:
        """As SinkRunner: begin anew, from the files, after whatever went wrong."""
        make = partial(
            Forwarder, sink, mapping, self._machine.data, self._clock, self._metrics, self._log, self._random.random
        )
        while True:
            try:
                await self._forward(make, sink.port, heard)
            except (StoreUnavailableError, sqlite3.Error):
                await self._loop.pause_us(round(STORE_RETRY_S * US))
            except Exception as error:  # noqa: BLE001  it is for the oracle
                self._machine.crashed(error)
                await self._loop.pause_us(round(CRASH_RETRY_S * US))

    async def _forward(self, make: Callable[[], Forwarder], port: int, heard: Heard) -> None:
        forwarder = make()
        link = _Link(self._loop, self._network, forwarder, port, heard)
        try:
            while True:
                forwarder.feed()
                await link.step()
                forwarder.settle()
        finally:
            link.close()
            forwarder.close()


class _Link:
    """As Hj212Link, over the simulation's network."""

    def __init__(self, loop: VirtualLoop, network: Network, forwarder: Forwarder, port: int, heard: Heard) -> None:
        self._loop = loop
        self._network = network
        self._session = forwarder.session
        self._port = port
        self._heard = heard
        self._writer: Writer | None = None

    async def step(self) -> None:
        """Do what is due; return when something happened or fell due."""
        session = self._session
        try:
            if session.wants_connection(self._now_ms()):
                reader, self._writer = await self._network.connect("gateway", self._port, CONNECT_S)
                self._heard.listen(reader)
                session.on_connected()
            if not self._write():
                await self._wait()
            if self._writer is not None and (data := self._heard.take()):
                session.on_bytes(data)
            session.on_tick(self._now_ms())
            self._write()
        except OSError:
            self.close()
        if session.wants_close:
            self.close()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._writer is not None:
            self._heard.end()
            self._writer.close()
            self._writer = None
        self._session.on_disconnected(self._now_ms())

    def _write(self) -> bool:
        """Whether there was something to write."""
        written = False
        while self._writer is not None and (data := self._session.next_outgoing(self._now_ms())):
            self._writer.write(data)
            written = True
        return written

    async def _wait(self) -> None:
        quiet_ms = self._session.quiet_ms(self._now_ms())
        await self._heard.wait(IDLE_S if quiet_ms is None else min(IDLE_S, quiet_ms / 1000))

    def _now_ms(self) -> int:
        return self._loop.now_us // 1000
