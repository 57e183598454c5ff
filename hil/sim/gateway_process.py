"""One life of the gateway's process, put together as gateway/app.py does: the loop in the place of its threads."""

import asyncio
import io
import random
import threading
from pathlib import Path
from typing import Protocol, cast

from gateway.app import Loaded
from gateway.carriers import Carriers
from gateway.clock import Clock
from gateway.config import Hj212Config, SinkConfig
from gateway.desk import Around
from gateway.journal.journal import Journal
from gateway.logs import make_logger
from gateway.metrics import Metrics
from gateway.modbus_intake.metrics import ModbusMetrics
from gateway.pipeline import Pipeline
from gateway.quarantine.quarantine import Quarantine
from gateway.updates.desk import Desk as UpdatesDesk
from gateway.verify import bounds_of
from gateway.wanted.desk import Desk
from hil.sim.disk import RETRY_S
from hil.sim.forwarding import SinkTask
from hil.sim.intake import Intake
from hil.sim.loop import VirtualLoop
from hil.sim.modbus import ModbusIntake
from hil.sim.network import Network

US = 1_000_000


class Machine(Protocol):
    """What a process asks of who owns it."""

    data: Path

    def point(self, terminal: str, ack: bytes) -> None: ...
    def released(self, terminal: str, frame: bytes) -> None: ...
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
        self._sinks: list[SinkTask] = []
        self._arrived = asyncio.Event()
        self._mqtt: Intake | None = None
        self._modbus: ModbusIntake | None = None
        self._intake: Carriers | None = None
        self._pipeline: Pipeline | None = None

    async def run(self) -> None:
        """Until it is killed. A fault of its own ends it, and is told."""
        try:
            self._compose()
            create = self._loop.create_task
            others = [create(one.run()) for one in (self._mqtt, self._modbus) if one is not None]
            self._sinks = [self._sink(config) for config in self._loaded.config.sink]
            others += [create(sink.run()) for sink in self._sinks]
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
        if self._mqtt is not None:
            self._mqtt.leave()

    def _compose(self) -> None:
        config = self._loaded.config
        self._intake = intake = self._make_intake()
        journal = Journal(self._machine.data, config.verify)
        around = Around(self._clock, self._loop.time, self._metrics, self._log)
        wanted = Desk(self._machine.data, journal, around)
        updates = UpdatesDesk(self._machine.data, around)
        self._pipeline = Pipeline(
            intake=intake,
            journal=journal,
            desks=[wanted, updates],
            quarantine=Quarantine(self._machine.data, config.quarantine),
            metrics=self._metrics,
            clock=self._clock,
            limits=bounds_of(config.verify),
            log=self._log,
            stop=cast("threading.Event", _Stop()),
        )

    def _make_intake(self) -> Carriers:
        """All ways in that are configured, as one."""
        config, about = self._loaded.config, (self._loop, self._network)
        if config.mqtt is not None:
            machine = self._machine
            told = (machine.point, machine.released)
            self._mqtt = Intake(*about, config.mqtt, self._random.random, self._arrived, *told)
        if config.modbus:
            counted = (ModbusMetrics(self._metrics.registry), self._log)
            self._modbus = ModbusIntake(
                *about, config.modbus, counted, self._random, self._arrived, self._machine.point
            )
        return Carriers([one for one in (self._mqtt, self._modbus) if one is not None], self._loop.time)

    def _sink(self, config: SinkConfig) -> SinkTask:
        assert isinstance(config, Hj212Config)  # the bench's own configuration
        about = (self._clock, self._metrics, self._log)
        return SinkTask(
            self._loop, self._network, config, self._machine.data, about, self._random, self._machine.crashed
        )

    async def _take_for_ever(self) -> None:
        intake, pipeline = self._intake, self._pipeline
        assert intake is not None and pipeline is not None  # noqa: PT018  made just before
        wait_us = 1000 * self._loaded.config.intake.batch_wait_ms
        while True:
            await self._arrived.wait()
            await self._loop.pause_us(wait_us)
            self._arrived.clear()
            batch = intake.take(self._loaded.config.intake.batch_frames, 0, 0)
            while batch:
                try:
                    pipeline.process(batch, self._loaded.registry)
                except BlockedError:
                    await self._loop.pause_us(round(RETRY_S * US))
                    continue
                break
            if intake.waiting:
                self._arrived.set()
            pipeline.tidy(idle=not intake.waiting)
            for desk in pipeline.desks:
                desk.step()
            for one in self._sinks:
                one.bell.ring()

    def _process_some(self, intake: Carriers, pipeline: Pipeline) -> None:
        batch = intake.take(self._loaded.config.intake.batch_frames, 0, 0)
        pipeline.process(batch, self._loaded.registry)
