"""The composition root: every part made and joined here, and nowhere else."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from secrets import token_hex
from typing import Any, TextIO, TypeVar

import structlog

from gateway import config as configuration
from gateway import memory, modbus_intake
from gateway import registry as terminals
from gateway.backup import upgrade
from gateway.backup.restore import finish as finish_restore
from gateway.carriers import Carrier, Carriers
from gateway.clock import Clock, SystemClock, steady_s
from gateway.commissioning import technicians
from gateway.config import GatewayConfig
from gateway.database import StoreUnavailableError
from gateway.desk import Around, Desk
from gateway.files import Watched
from gateway.forward import kinds, outbox
from gateway.forward.runner import SinkRunner
from gateway.gaps.watch import GapWatch
from gateway.intake import make_intake
from gateway.jetstream import follower
from gateway.jetstream.client import Client
from gateway.jetstream.follower import Follower
from gateway.jetstream.intake import FollowerIntake
from gateway.jetstream.journal import StreamJournal
from gateway.jetstream.position import Position
from gateway.journal.journal import Journal
from gateway.journal.retention import Settled
from gateway.keeping import Keeping
from gateway.keys.stock import Stock
from gateway.lock import held, take_lock
from gateway.logs import make_logger
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline, StoppedError
from gateway.quarantine.orders import Done, Inbox, Order, Work
from gateway.quarantine.quarantine import Quarantine
from gateway.registry import Registry
from gateway.replay import AnswersOnly, replayer
from gateway.rotation import ahead, keyring
from gateway.rotation.certificates_desk import Desk as CertificatesDesk
from gateway.rotation.desk import Desk as RotationDesk
from gateway.updates.bundles import load_keys
from gateway.updates.desk import Desk as UpdatesDesk
from gateway.verify import bounds_of
from gateway.wanted.desk import Desk as WantedDesk
from gateway.watch import certificates, enterprises, rules
from gateway.watch.dispatch import channels
from gateway.watch.enterprises import Enterprise
from gateway.watch.slots import DAY_S
from protocol.host.strict import ConfigError, Problem

T = TypeVar("T")
IDLE_S = 0.2  # how soon a signal is seen


class Loaded:
    """Everything the files say, checked; nothing started yet."""

    def __init__(self, config_path: Path, *, follow: bool = False) -> None:
        """follow: as a stream's follower reads it. Raises ConfigError with the problems of all files."""
        problems: list[Problem] = []
        self.follows, loaded = follow, configuration.load(config_path)
        self.config: GatewayConfig = follower.config_of(config_path, loaded) if follow else loaded
        self.terminals_file = Watched(Path(self.config.terminals), steady_s)
        self.registry = _collect(problems, partial(terminals.load, Path(self.config.terminals)), Registry())
        known = None if problems else self.registry
        self.sinks = [_collect(problems, partial(kinds.load, sink, known), None) for sink in self.config.sink]
        if not problems:
            problems += modbus_intake.problems(config_path, self.config.modbus, self.registry)
            for number, sink in enumerate(self.sinks):
                problems += sink.problems(config_path, f"sink[{number}]") if sink is not None else []
        if problems:
            raise ConfigError(problems)

    def warnings(self, config_path: Path, now_s: int) -> list[Problem]:
        """What can be used and should not be; and what watch and updates can't use: no reason to take no readings."""
        found: list[Problem] = []
        if self.config.mqtt and self.config.mqtt.share and not self.config.mqtt.mount_point:
            text = "missing: a terminal that knows mqtt.share can join it / 缺少: 终端可加入共享组; docs/scale.md"
            found.append(Problem(config_path, "mqtt.mount_point", text))
        found += Stock(self.config).warnings(Path(self.config.terminals))
        data_dir = Path(self.config.data_dir)
        found += keyring.warnings(data_dir, self.registry, 1000 * now_s) + ahead.warnings(data_dir, self.registry)
        found += self._watch_warnings(config_path, now_s)
        if self.config.update_keys is not None:
            _collect(found, partial(load_keys, Path(self.config.update_keys)), list[bytes]())
        people = Path(self.config.commissioning.technicians)
        if people.exists():
            _collect(found, partial(technicians.load, people), technicians.Known())
        for number, sink in enumerate(self.sinks):
            found += sink.warnings(config_path, f"sink[{number}]", self.registry) if sink is not None else []
        return found

    def _watch_warnings(self, config_path: Path, now_s: int) -> list[Problem]:
        found = list[Problem]()
        plants = list[Enterprise]()
        if self.config.enterprises is not None:
            plants = _collect(found, partial(enterprises.load, Path(self.config.enterprises), self.registry), plants)
        went_by, told = rules.Rules(), channels.Channels()
        if self.config.rules is not None:
            went_by = _collect(found, partial(rules.load, Path(self.config.rules)), went_by)
        if self.config.channels is not None:
            known = channels.known(self.config, plants)
            load = partial(channels.load, Path(self.config.channels), self.registry, known)
            told = _collect(found, load, told)
        until_s = now_s + went_by.certificate.days * DAY_S
        of = certificates.sources(self.config, told.channels)
        if went_by.certificate.enabled:
            ends = certificates.warnings(Path(self.config.data_dir), of, self.registry, until_s)
            found += [Problem(config_path, "certificates", text) for text in ends]
        return found


def run(config_path: Path, clock: Clock | None = None, *, follow: bool = False) -> None:
    """Run until SIGTERM or SIGINT. Prints {"ready": true, ...} on standard output once frames can come in.

    follow: as the follower of the configured stream, not as its worker.
    SIGHUP, or a change of terminals.toml, reloads terminals and keys. Raises ConfigError, AlreadyRunningError,
    StoreUnavailableError, NewerSchemaError, BackupError.
    """
    stop, reload = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())
    memory.leave_no_core()
    loaded = Loaded(config_path, follow=follow)
    memory.settle()
    Gateway(loaded, clock or SystemClock(), sys.stdout, sys.stderr).run(stop, reload)


class Gateway:
    """The gateway, composed."""

    def __init__(self, loaded: Loaded, clock: Clock, out: TextIO, log: TextIO) -> None:
        self._config = loaded.config
        self._follows = loaded.follows
        self._laid = loaded.registry
        self._rotation: RotationDesk | None = None
        self._terminals_file = loaded.terminals_file
        self._sinks = loaded.sinks
        self._clock = clock
        self._out = out
        self._log = make_logger(clock, log)
        self.metrics = Metrics()
        self._metrics_port = 0
        self._announced = False

    def run(self, stop: threading.Event, reload: threading.Event) -> None:
        """Run until `stop` is set; then commit what was taken, and end."""
        folder = Path(self._config.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_lock(folder)
        with ExitStack() as opened:
            opened.callback(self._log.info, "stopped")
            opened.callback(os.close, lock)
            if finish_restore(folder):
                self._log.warning("restore_finished")
            if copy := upgrade.prepare(folder, self._clock.now_ms):
                self._log.warning("stores_upgraded", copy=str(copy))
            quarantine = Quarantine(folder, self._config.quarantine)
            opened.callback(quarantine.close)
            journal, desks, self._rotation = _stores(
                self._config, self._laid, self._clock, self.metrics, self._log, opened
            )
            intake = self._make_intake(folder, journal)
            pipeline = Pipeline(
                intake=intake,
                journal=journal,
                desks=desks,
                quarantine=quarantine,
                metrics=self.metrics,
                clock=intake if isinstance(intake, FollowerIntake) else self._clock,
                limits=bounds_of(self._config.verify),
                log=self._log,
                stop=stop,
            )
            orders = Inbox(folder, quarantine, replayer(pipeline, lambda: self._registry), steady_s)
            opened.callback(orders.close)
            self.metrics.terminals.set(len(self._registry))
            self._metrics_port, close_metrics = self.metrics.serve(self._config.metrics.port)
            opened.callback(close_metrics)
            chores = self._chores(journal, desks)
            chores.append(partial(self._order, orders))
            self._start(intake, [] if isinstance(journal, StreamJournal) else self._beside(folder), opened)
            try:
                judge = Follower(pipeline, self._config.verify) if self._follows else pipeline
                self._take_until(stop, reload, intake, judge, chores)
            except StoppedError:
                self._log.warning("stopped_without_disk")  # what was not committed is with the broker, or the terminal

    @property
    def _registry(self) -> Registry:
        """The terminals, with the keys that count."""
        return self._laid if self._rotation is None else self._rotation.registry

    def _start(self, intake: Carrier, beside: Sequence[SinkRunner | GapWatch], opened: ExitStack) -> None:
        """Begin; and stop them at the end, the intake first."""
        for part in beside:
            opened.callback(part.stop)
        opened.callback(intake.stop)
        intake.start()
        if self._config.mqtt is None:
            self._announce()
        for part in beside:
            part.start()

    def _chores(self, journal: Journal | StreamJournal, desks: Sequence[Desk]) -> list[Callable[[], None]]:
        """What a journal wants done between batches. One that is elsewhere: nothing, but it is looked for now."""
        if isinstance(journal, StreamJournal):
            try:
                journal.check()
            except StoreUnavailableError as error:
                self._log.error("store_unavailable", store="journal", error=str(error))  # tried again with each batch
            return []
        keeping = Keeping(journal, self._config.journal, self._settled, self._clock, steady_s, self.metrics, self._log)
        return [keeping.step, *(desk.step for desk in desks)]

    def _beside(self, folder: Path) -> list[SinkRunner | GapWatch]:
        """What works beside the intake, on the journal, in threads of its own."""
        sinks: list[SinkRunner | GapWatch] = [
            SinkRunner(
                sink, loaded.make(folder, self._clock, self.metrics), folder, self._clock, self.metrics, self._log
            )
            for sink, loaded in zip(self._config.sink, self._sinks, strict=True)
            if loaded is not None
        ]
        future_s = self._config.verify.future_refuse_s
        return [*sinks, GapWatch(folder, lambda: self._registry, self._clock, self.metrics, self._log, future_s)]

    def _make_intake(self, folder: Path, journal: Journal | StreamJournal) -> Carrier:
        """All ways in that are configured, as one; a follower's is the stream."""
        if self._follows and self._config.jetstream is not None and isinstance(journal, Journal):
            client = Client(self._config.jetstream, "wattline-follower", partial(token_hex, 8), steady_s)
            position = Position(folder, journal, steady_s)
            return FollowerIntake(self._config.jetstream, client, position, steady_s, self.metrics, self._log)
        carriers: list[Carrier] = []
        if self._config.mqtt is not None:
            carriers.append(make_intake(self._config.mqtt, steady_s, self._on_state, SystemRandom().random))
        if self._config.modbus:
            from gateway.modbus_intake.intake import ModbusIntake  # noqa: PLC0415  (an extra's packages)
            from gateway.modbus_intake.metrics import ModbusMetrics  # noqa: PLC0415

            metrics = ModbusMetrics(self.metrics.registry)
            carriers.append(ModbusIntake(self._config.modbus, metrics, self._log, steady_s, Random()))  # noqa: S311
        return carriers[0] if len(carriers) == 1 else Carriers(carriers, steady_s)

    def _settled(self) -> dict[str, Settled]:
        """How far each sink needs the journal no more."""
        folder = Path(self._config.data_dir)
        return {sink.name: Settled(*outbox.settled(folder, sink.name)) for sink in self._config.sink}

    def _take_until(
        self,
        stop: threading.Event,
        reload: threading.Event,
        intake: Carrier,
        pipeline: Pipeline | Follower,
        chores: Sequence[Callable[[], None]],
    ) -> None:
        """Batch after batch; between two of them a little of each chore."""
        settings = self._config.intake
        while not stop.is_set():
            if self._terminals_file.changed() or reload.is_set():
                reload.clear()
                self._reload()
            batch = intake.take(settings.batch_frames, IDLE_S, settings.batch_wait_ms / 1000)
            if batch:
                pipeline.process(batch, self._registry)
            pipeline.tidy(idle=not batch)
            for chore in chores:
                chore()
            self.metrics.waiting.set(intake.waiting)
        for _ in range(0, intake.waiting, settings.batch_frames):  # what is in memory, and not all that follows
            pipeline.process(intake.take(settings.batch_frames, 0, 0), self._registry)

    def _order(self, orders: Inbox) -> None:
        if done := orders.step():
            self._log.info("order_done", **asdict(done))

    def _reload(self) -> None:
        """Take the terminals and keys anew; keep what we have if the files are wrong."""
        try:
            self._laid = terminals.load(Path(self._config.terminals))
            if self._rotation is not None:
                self._rotation.take(self._laid)
        except (ConfigError, StoreUnavailableError) as error:
            self.metrics.reloads.labels("refused").inc()
            self._log.error("reload_refused", problems=str(error).splitlines())
            return
        self.metrics.reloads.labels("done").inc()
        self.metrics.terminals.set(len(self._registry))
        self._log.info("reloaded", terminals=len(self._registry))

    def _on_state(self, state: str, detail: dict[str, Any]) -> None:
        if state == "down_refused":
            self.metrics.acks.labels("refused").inc(detail["messages"])
        else:
            self.metrics.connected.set(state == "subscribed")
        if state == "disconnected":
            self.metrics.disconnects.inc()
        self._log.info(f"broker_{state}", **detail)
        if state == "subscribed":
            self._announce()

    def _announce(self) -> None:
        """Say once that frames can come in."""
        if not self._announced:
            self._announced = True
            self._out.write(json.dumps({"ready": True, "metrics_port": self._metrics_port}) + "\n")
            self._out.flush()


def _stores(
    config: GatewayConfig,
    registry: Registry,
    clock: Clock,
    metrics: Metrics,
    log: structlog.typing.FilteringBoundLogger,
    opened: ExitStack,
) -> tuple[Journal | StreamJournal, Sequence[Desk], RotationDesk | None]:
    """The journal of the configured kind; where terminals are heard, what is wanted of them, and their keys."""
    folder = Path(config.data_dir)
    if config.journal.kind == "jetstream" and config.jetstream is not None:
        client = Client(config.jetstream, "wattline-worker", partial(token_hex, 8), steady_s)
        elsewhere = StreamJournal(config.jetstream, client)
        opened.callback(elsewhere.close)
        return elsewhere, [], None
    journal = Journal(folder, config.verify)
    opened.callback(journal.close)
    if config.jetstream is not None:
        return journal, [], None  # a follower's: it hears no terminal
    around = Around(clock, steady_s, metrics, log)
    wanted = WantedDesk(folder, journal, around)
    opened.callback(wanted.close)
    updates = UpdatesDesk(folder, around)
    opened.callback(updates.close)
    rotation = RotationDesk(folder, registry, around)
    opened.callback(rotation.close)
    renewal = CertificatesDesk(folder, around)
    opened.callback(renewal.close)
    return journal, [wanted, updates, rotation, renewal], rotation


def carry_out(config_path: Path, order: Order, clock: Clock) -> Done:
    """An order on quarantine while no gateway runs: the same pipeline, but nobody to send acks to.

    Raises ConfigError, AlreadyRunningError, StoreUnavailableError, NewerSchemaError, BackupError, OSError.
    """
    loaded = Loaded(config_path)
    folder = Path(loaded.config.data_dir)
    with held(folder), ExitStack() as open_stores:
        finish_restore(folder)
        upgrade.prepare(folder, clock.now_ms)
        quarantine = Quarantine(folder, loaded.config.quarantine)
        open_stores.callback(quarantine.close)
        metrics, log = Metrics(), make_logger(clock, sys.stderr)
        journal, desks, rotation = _stores(loaded.config, loaded.registry, clock, metrics, log, open_stores)
        if isinstance(journal, StreamJournal):
            journal.check()
        pipeline = Pipeline(
            intake=AnswersOnly(lambda _messages: 0),
            journal=journal,
            desks=desks,
            quarantine=quarantine,
            metrics=metrics,
            clock=clock,
            limits=bounds_of(loaded.config.verify),
            log=log,
            stop=threading.Event(),
        )
        work = Work(
            order, folder, quarantine, replayer(pipeline, lambda: rotation.registry if rotation else loaded.registry)
        )
        open_stores.callback(work.close)
        while work.step():
            pass
        return work.done


def _collect(problems: list[Problem], load: Callable[[], T], otherwise: T) -> T:
    """What `load` gives; where it refuses, its problems are added, and the others still get their say."""
    try:
        return load()
    except ConfigError as error:
        problems += error.problems
        return otherwise
