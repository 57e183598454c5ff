"""One sink at work, in a thread of its own: journal > lanes > packets > outbox > session > platform."""

import random
import sqlite3
import threading
from collections import Counter
from pathlib import Path

import structlog

from gateway.clock import Clock, steady_s
from gateway.config import SinkConfig
from gateway.database import StoreUnavailableError
from gateway.forward import lanes
from gateway.forward.hj212_sink import (
    Hj212Link,
    Hj212Session,
    LinkSettings,
    Mapping,
    Packet,
    PacketError,
    content_of,
    encode_window,
    next_qn,
)
from gateway.forward.outbox import Outbox, Taken
from gateway.journal.reader import Reader, Stored
from gateway.metrics import Metrics
from protocol.record import decode_record

TAKE_RECORDS = 16  # share a commit of the outbox; a fresh window waits for no more than these
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
        reader, outbox = Reader(self._folder), Outbox(self._folder, self._config.name)
        config = self._config
        settings = LinkSettings(
            config.answer_timeout_ms, config.resends, config.reconnect_min_ms, config.reconnect_max_ms
        )
        self._counted: Counter[str] = Counter()  # of this session's counts, what the metrics have already
        session = Hj212Session(settings, random.SystemRandom().random)
        link = Hj212Link(config.host, config.port, session, _steady_ms, self._stop.wait)
        waiting = outbox.under_way()
        try:
            while not self._stop.is_set():
                if not session.pending and not waiting:
                    waiting = self._take(reader, outbox)
                if not session.pending and waiting:
                    session.submit(waiting[:TAKE_RECORDS])
                    del waiting[:TAKE_RECORDS]
                link.step(WAIT_MS if session.pending else IDLE_MS)
                self._confirm(outbox, session)
                self._observe(reader, outbox, session)
        finally:
            link.close()
            outbox.close()
            reader.close()

    def _take(self, reader: Reader, outbox: Outbox) -> list[Packet]:
        """The next records' packets, durable; [] when there is nothing to send."""
        fresh_after_s = self._clock.now_ms() // 1000 - self._config.fresh_s
        selection = lanes.select(
            reader, outbox, TAKE_RECORDS, lambda one: (one.start_s or 0) + one.length_s >= fresh_after_s
        )
        if not selection.records and not selection.cursors:
            return []
        taken = Taken(ahead=selection.ahead, cursors=selection.cursors, last_qn=outbox.last_qn())
        for one, reason in selection.skipped:
            self._skip(taken, one, reason)
        for one in selection.records:
            self._encode(reader, one, taken)
        outbox.take(taken)
        return [packet for _, packets in taken.packets for packet in packets]

    def _encode(self, reader: Reader, one: Stored, taken: Taken) -> None:
        def new_qn() -> str:
            taken.last_qn = next_qn(taken.last_qn, self._clock.now_ms())
            return taken.last_qn

        window = decode_record(reader.raw(one.id)).body
        content = content_of(window, one.start_s or 0)
        content["marked"] = marked_points(one, len(window.readings))
        try:
            packets = encode_window(self._mapping, one.terminal, content, new_qn)
        except PacketError as error:
            taken.dead.append((one.id, error.code, str(error)))
            taken.counts[f"dead_{error.code}"] += 1
            self._metrics.sink_dead.labels(self._config.name, error.code).inc()
            self._log.warning("dead_letter", record=one.id, terminal=one.terminal, reason=error.code)
            return
        if packets:
            taken.packets.append((one.id, packets))
        else:
            self._skip(taken, one, "nothing_mapped")

    def _skip(self, taken: Taken, one: Stored, reason: str) -> None:
        taken.counts[f"skipped_{reason}"] += 1
        self._metrics.sink_skipped.labels(self._config.name, reason).inc()
        self._log.debug("skipped", record=one.id, terminal=one.terminal, reason=reason)

    def _confirm(self, outbox: Outbox, session: Hj212Session) -> None:
        confirmed = session.take_confirmed()
        if confirmed:
            # an error here ends the session too: the packets are sent again under their QNs, which harms nobody
            delivered = outbox.confirm(confirmed)
            self._metrics.sink_delivered.labels(self._config.name).inc(len(delivered))

    def _observe(self, reader: Reader, outbox: Outbox, session: Hj212Session) -> None:
        name, metrics = self._config.name, self._metrics
        metrics.sink_connected.labels(name).set(session.connected)
        for result in ("sent", "resent", "confirmed", "late", "stray", "damaged", "gave_up"):
            total = getattr(session.counts, result)
            metrics.sink_packets.labels(name, result).inc(total - self._counted[result])
            self._counted[result] = total
        if steady_s() >= self._observe_at_s:
            self._observe_at_s = steady_s() + OBSERVE_S
            metrics.sink_lag.labels(name).set(reader.last_id() - outbox.settled())


def marked_points(one: Stored, points: int) -> frozenset[int]:
    """The points that a mark names; a mark of the whole record names all."""
    if any(point is None for _, point in one.marks):
        return frozenset(range(1, points + 1))
    return frozenset(point for _, point in one.marks if point is not None)


def _steady_ms() -> int:
    return int(steady_s() * 1000)
