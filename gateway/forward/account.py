"""What is told of a sink: metrics, log lines, and its health as `status` shows it."""

import structlog

from gateway.clock import Clock
from gateway.forward.health import takes_nothing
from gateway.forward.outbox import Outbox
from gateway.forward.sink import REASONS, Receipt, SinkError
from gateway.metrics import Metrics


class Account:
    """Of one sink. `log` names it already."""

    def __init__(
        self, name: str, outbox: Outbox, clock: Clock, metrics: Metrics, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._name = name
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._reason: str | None = None  # as the file has it, once this object has written it

    def settled(self, receipt: Receipt, delivered: int) -> None:
        """What became of a batch."""
        self._metrics.sink_delivered.labels(self._name).inc(delivered)
        for _, reason in receipt.skipped:
            self._metrics.sink_skipped.labels(self._name, reason).inc()
        for record, reason, detail in receipt.dead:
            self._metrics.sink_dead.labels(self._name, reason).inc()
            self._log.warning("dead_letter", record=record, reason=reason, detail=detail)

    def lag(self, records: int, texts: int) -> None:
        """How far behind the journal the sink is, log texts not counted; how many of those wait."""
        self._metrics.sink_lag.labels(self._name).set(records)
        self._metrics.sink_texts_waiting.labels(self._name).set(texts)

    def failed(self, error: SinkError) -> None:
        """The sink took nothing."""
        self._metrics.sink_failures.labels(self._name, error.reason).inc()
        self.health(error)

    def health(self, error: SinkError | None) -> None:
        """How the sink is; said once for as long as it stays so."""
        reason, detail = (error.reason, error.text) if error else ("", "")
        self._metrics.sink_connected.labels(self._name).set(not takes_nothing(reason))
        if reason == self._reason:
            return
        if error:
            self._log.warning("sink_failing", reason=reason, detail=detail, next=REASONS[reason])
        elif self._reason is not None:
            self._log.info("sink_well")
        self._reason = reason
        self._outbox.set_health(reason, detail, self._clock.now_ms())
