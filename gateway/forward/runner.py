"""One sink at work, in a thread of its own: forwarder.py, with a connection to the platform."""

import random
import sqlite3
import threading
from pathlib import Path

import structlog

from gateway.clock import Clock, steady_s
from gateway.config import SinkConfig
from gateway.database import StoreUnavailableError
from gateway.forward.forwarder import Forwarder
from gateway.forward.hj212_sink import Hj212Link, Mapping
from gateway.metrics import Metrics

IDLE_MS = 100  # how soon a new record is seen
WAIT_MS = 1000  # for an answer, before time-outs are looked at
STORE_RETRY_S = 1.0
CRASH_RETRY_S = 10.0  # often enough to come back by itself, rarely enough not to fill the log
OBSERVE_S = 1.0


class SinkRunner:
    """Forwards the journal to one platform until stopped. What it took is durable: it may be killed at any point."""

    def __init__(
        self,
        config: SinkConfig,
        mapping: Mapping,
        folder: Path,
        clock: Clock,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._config = config
        self._mapping = mapping
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
            except Exception:  # noqa: BLE001  (a fault of one sink must not stop intake, nor the other sinks: say it, begin again)
                self._metrics.sink_crashes.labels(self._config.name).inc()
                self._log.exception("sink_crashed")
                self._stop.wait(CRASH_RETRY_S)

    def _forward(self) -> None:
        """From what the files say, to the stop or to the first error of a file."""
        forwarder = Forwarder(self._config, self._mapping, self._folder, self._clock, self._metrics, self._log, _jitter)
        session = forwarder.session
        link = Hj212Link(self._config.host, self._config.port, session, _steady_ms, self._stop.wait)
        try:
            while not self._stop.is_set():
                forwarder.feed()
                link.step(WAIT_MS if session.pending else IDLE_MS)
                forwarder.settle()
                if steady_s() >= self._observe_at_s:
                    self._observe_at_s = steady_s() + OBSERVE_S
                    forwarder.observe()
        finally:
            link.close()
            forwarder.close()


def _jitter() -> float:
    return random.SystemRandom().random()


def _steady_ms() -> int:
    return int(steady_s() * 1000)
