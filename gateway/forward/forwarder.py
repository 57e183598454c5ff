"""One sink's work without thread or connection: journal > lanes > packets > outbox > session.

Who drives it moves the session's bytes (runner.py): feed, let the session send and hear, settle, again.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog

from gateway.clock import Clock
from gateway.config import SinkConfig
from gateway.forward import lanes
from gateway.forward.hj212_sink import (
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


class Forwarder:
    """Takes from the journal what is next, and settles what the platform has confirmed. What it took is durable.

    jitter: numbers in [0, 1). Its methods raise StoreUnavailableError and sqlite3.Error: begin anew, from the files.
    """

    def __init__(
        self,
        config: SinkConfig,
        mapping: Mapping,
        folder: Path,
        clock: Clock,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
        jitter: Callable[[], float],
    ) -> None:
        self._config = config
        self._mapping = mapping
        self._reader = Reader(folder)
        self._outbox = Outbox(folder, config.name)
        self._clock = clock
        self._metrics = metrics
        self._log = log
        settings = LinkSettings(
            config.answer_timeout_ms, config.resends, config.reconnect_min_ms, config.reconnect_max_ms
        )
        self.session = Hj212Session(settings, jitter)
        self._counted: Counter[str] = Counter()  # of this session's counts, what the metrics have already
        self._waiting = self._outbox.under_way()

    def close(self) -> None:
        """Close the files; what is under way stays in the outbox."""
        self._outbox.close()
        self._reader.close()

    def feed(self) -> None:
        """Hand the session the next packets, if it has none: they are durable before a byte of them is sent."""
        if self.session.pending:
            return
        if not self._waiting:
            self._waiting = self._take()
        self.session.submit(self._waiting[:TAKE_RECORDS])
        del self._waiting[:TAKE_RECORDS]

    def settle(self) -> None:
        """Make durable what the platform has confirmed."""
        confirmed = self.session.take_confirmed()
        if confirmed:
            # an error here ends the session too: the packets are sent again under their QNs, which harms nobody
            delivered = self._outbox.confirm(confirmed)
            self._metrics.sink_delivered.labels(self._config.name).inc(len(delivered))
        name, metrics, counts = self._config.name, self._metrics, self.session.counts
        metrics.sink_connected.labels(name).set(self.session.connected)
        for result in ("sent", "resent", "confirmed", "late", "stray", "damaged", "gave_up"):
            total = getattr(counts, result)
            metrics.sink_packets.labels(name, result).inc(total - self._counted[result])
            self._counted[result] = total

    def observe(self) -> None:
        """Say how far behind the journal the sink is."""
        self._metrics.sink_lag.labels(self._config.name).set(self._reader.last_id() - self._outbox.settled())

    def _take(self) -> list[Packet]:
        """The next records' packets, durable; [] when there is nothing to send."""
        fresh_after_s = self._clock.now_ms() // 1000 - self._config.fresh_s
        selection = lanes.select(
            self._reader, self._outbox, TAKE_RECORDS, lambda one: (one.start_s or 0) + one.length_s >= fresh_after_s
        )
        if not selection.records and not selection.cursors:
            return []
        taken = Taken(ahead=selection.ahead, cursors=selection.cursors, last_qn=self._outbox.last_qn())
        for one, reason in selection.skipped:
            self._skip(taken, one, reason)
        for one in selection.records:
            self._encode(one, taken)
        self._outbox.take(taken)
        return [packet for _, packets in taken.packets for packet in packets]

    def _encode(self, one: Stored, taken: Taken) -> None:
        def new_qn() -> str:
            taken.last_qn = next_qn(taken.last_qn, self._clock.now_ms())
            return taken.last_qn

        window = decode_record(self._reader.raw(one.id)).body
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


def marked_points(one: Stored, points: int) -> frozenset[int]:
    """The points that a mark names; a mark of the whole record names all."""
    if any(point is None for _, point in one.marks):
        return frozenset(range(1, points + 1))
    return frozenset(point for _, point in one.marks if point is not None)
