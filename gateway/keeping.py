"""Retention at work: a small step between batches, by [journal] of the configuration. And the chain's head, told daily.

The age of what is kept is judged by the gateway's clock. A clock that is wrong would cost evidence, so none is believed
before it has gone along with the machine's steady seconds for an hour.
"""

from collections.abc import Callable, Mapping

import structlog

from gateway.clock import Clock
from gateway.config import JournalConfig
from gateway.database import StoreUnavailableError
from gateway.journal.blocks import DamagedError
from gateway.journal.journal import Journal
from gateway.journal.retention import Retired, Rule, Settled
from gateway.metrics import Metrics

DAY_S = 86400
LOOK_EVERY_S = 60.0
TRUSTED_AFTER_S = 3600.0  # the clock of a machine that has just started is put right by then
CLOCK_DRIFT_MAX_S = 60.0  # more is a step, not a clock that is slewed


class Keeping:
    """Retires what need not be kept. For the thread that commits."""

    def __init__(
        self,
        journal: Journal,
        config: JournalConfig,
        settled: Callable[[], Mapping[str, Settled]],
        clock: Clock,
        steady_s: Callable[[], float],
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._journal, self._config, self._settled = journal, config, settled
        self._clock, self._steady_s = clock, steady_s
        self._metrics, self._log = metrics, log
        self._since = (clock.now_ms() / 1000, steady_s())  # from here on the clock has gone well
        self._look_at_s, self._head_at_s = 0.0, 0.0
        self._held_by: tuple[str, ...] = ()
        self._gone = Retired()  # since it was last said

    def step(self) -> None:
        """At most one step of retention. Where the disk refuses, or what is to go is damaged, it is tried again."""
        now_s = self._steady_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_EVERY_S
        try:
            if now_s >= self._head_at_s:
                self._head_at_s = now_s + DAY_S
                self._log.info("journal_head", head=str(self._journal.head()))
            if self._is_trusted():
                self._take_in(self._journal.retire(self._rule(), self._settled()), now_s)
        except (StoreUnavailableError, DamagedError) as error:  # neither is a reason to take nothing in
            self._metrics.store_errors.labels("journal").inc()
            self._log.warning("store_unavailable", store="journal", error=str(error))

    def _is_trusted(self) -> bool:
        """Whether the clock has not been set for an hour."""
        time_s, steady_s = self._clock.now_ms() / 1000, self._steady_s()
        began_s, began_steady_s = self._since
        if abs((time_s - began_s) - (steady_s - began_steady_s)) > CLOCK_DRIFT_MAX_S:
            self._since = (time_s, steady_s)
        return self._steady_s() - self._since[1] >= TRUSTED_AFTER_S

    def _rule(self) -> Rule:
        since_ms = self._clock.now_ms() - self._config.keep_days * DAY_S * 1000
        return Rule(since_ms, None if self._config.keep_mib is None else self._config.keep_mib << 20)

    def _take_in(self, done: Retired, now_s: float) -> None:
        """Count what a step came to; say so when there is no more to do."""
        gone = self._gone
        for what in ("frames", "records", "unplaced"):
            self._metrics.retired.labels(what).inc(getattr(done, what))
        self._gone = Retired(gone.frames + done.frames, gone.records + done.records, gone.unplaced + done.unplaced)
        if done.more:
            self._look_at_s = now_s
        elif self._gone.frames:
            said = self._gone
            self._log.info("retired", frames=said.frames, records=said.records, unplaced=said.unplaced)
            self._gone = Retired()
        if done.held_by != self._held_by:
            for sink in {*done.held_by, *self._held_by}:
                self._metrics.retention_held.labels(sink).set(sink in done.held_by)
            self._log.warning("retention_held", sinks=list(done.held_by))
            self._held_by = done.held_by
