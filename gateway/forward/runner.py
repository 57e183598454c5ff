"""One sink at work, in a thread of its own: a sink of its kind (kinds.py), and its feed (forwarder.py)."""

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog

from gateway.clock import Clock, steady_s
from gateway.config import AnySink
from gateway.database import StoreUnavailableError
from gateway.forward.account import Account
from gateway.forward.backoff import Backoff
from gateway.forward.forwarder import Forwarder
from gateway.forward.outbox import Outbox
from gateway.forward.sink import RestartingError, Sink, SinkError
from gateway.journal.reader import Reader
from gateway.metrics import Metrics

IDLE_MS = 100  # how soon a new record is seen
STORE_RETRY_S = 1.0
CRASH_RETRY_S = 10.0  # often enough to come back by itself, rarely enough not to fill the log
OBSERVE_S = 1.0
RETRY_MIN_MS, RETRY_MAX_MS = 500, 60_000  # between tries of a sink that takes nothing

MakeSink = Callable[[Outbox, Callable[[float], object]], Sink]


class SinkRunner:
    """Forwards the journal to one sink until stopped. What it took is durable: it may be killed at any point.

    make: the sink, on its outbox, with a way to wait that ends when the gateway does.
    """

    def __init__(
        self,
        config: AnySink,
        make: MakeSink,
        folder: Path,
        clock: Clock,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._config = config
        self._make = make
        self._folder = folder
        self._clock = clock
        self._metrics = metrics
        self._log = log.bind(sink=config.name)
        self._stop = threading.Event()
        self._observe_at_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"sink-{config.name}", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way stays in the outbox."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._forward()
            except (StoreUnavailableError, sqlite3.Error) as error:
                self._metrics.store_errors.labels("sink").inc()
                self._log.warning("store_unavailable", store="sink", error=str(error))
                self._stop.wait(STORE_RETRY_S)
            except RestartingError:
                self._log.info("sink_restarts")
            except Exception:  # noqa: BLE001  (a fault of one sink must not stop intake, nor the other sinks: say it, begin again)
                self._metrics.sink_crashes.labels(self._config.name).inc()
                self._log.exception("sink_crashed")
                self._stop.wait(CRASH_RETRY_S)

    def _forward(self) -> None:
        """From what the files say, to the stop or to the first error of a file."""
        with ExitStack() as opened:
            outbox = Outbox(self._folder, self._config.name)
            opened.callback(outbox.close)
            sink = self._make(outbox, self._stop.wait)
            opened.callback(sink.close)
            reader = Reader(self._folder)
            opened.callback(reader.close)
            account = Account(self._config.name, outbox, self._clock, self._metrics, self._log)
            backoff = Backoff(RETRY_MIN_MS, RETRY_MAX_MS, random.SystemRandom().random)
            forwarder = Forwarder(sink, outbox, reader, self._clock, self._config.fresh_s, account, backoff)
            while not self._stop.is_set():
                self._step(forwarder, sink)

    def _step(self, forwarder: Forwarder, sink: Sink) -> None:
        try:
            more = forwarder.feed()
            forwarder.is_well(sink.work(0 if more else IDLE_MS))
        except SinkError as error:
            sink.close()
            self._stop.wait(forwarder.failed(error) / 1000)
        if steady_s() >= self._observe_at_s:
            self._observe_at_s = steady_s() + OBSERVE_S
            forwarder.observe()
