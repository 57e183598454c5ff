"""intake > decode > verify > journal > acks, a batch at a time. Commit, then acknowledge."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from operator import not_
from typing import Protocol, TypeVar

import structlog

from cext.decoder import Columns, Refusal
from cext.verify import Bounds, delays
from gateway import acks, decode, verify
from gateway.carriers import Carrier
from gateway.clock import Clock
from gateway.database import StoreUnavailableError
from gateway.desk import Desk
from gateway.downward import Listener
from gateway.intake import Delivery
from gateway.journal.journal import CONFLICT, NEW, Batch, Committed
from gateway.metrics import DELAYS_S, Metrics
from gateway.quarantine.quarantine import Quarantine, Refused
from gateway.registry import Registry, Senders
from protocol.host.event_names import EVENT_NAMES
from protocol.record import LOG_PUT_BACK, LOG_RENUMBERED

OLDER_FLASH = {LOG_PUT_BACK, LOG_RENUMBERED}
T = TypeVar("T")
STORE_RETRY_S = 1.0  # a disk that is full or gone: asked again so often, for ever


class StoppedError(Exception):
    """Asked to stop while the disk was away: what was not committed is not acknowledged."""


class Journal(Protocol):
    """What the pipeline needs of a journal: gateway/journal on one machine, gateway/jetstream on several."""

    def commit(self, batch: Batch) -> Committed:
        """Store each record once, durably. Raises StoreUnavailableError: to be called again, for ever."""

    def tidy(self, *, idle: bool) -> None:
        """What can wait for the time between batches; idle: nothing came. Raises StoreUnavailableError."""


@dataclass
class Pipeline:
    """Takes a batch through all stages. One thread. is_live: what comes was sent just now, so its sender may be told
    what is wanted of it: `desks` know that. answers: whether senders are answered from here at all.
    """

    intake: Carrier
    journal: Journal
    desks: Sequence[Desk]
    quarantine: Quarantine
    metrics: Metrics
    clock: Clock
    limits: Bounds
    log: structlog.typing.FilteringBoundLogger
    stop: threading.Event
    is_live: bool = True
    answers: bool = True
    decoder: Callable[[Sequence[bytes], Senders], Columns] = decode.decode_batch
    _listener: Listener = field(default_factory=Listener, init=False)

    def process(self, batch: list[Delivery], registry: Registry) -> None:
        """Decode, judge, store, acknowledge. Returns with everything durable. Raises StoppedError."""
        with self.metrics.ack_seconds.time():
            self._acknowledge(batch, registry)
        self.intake.release([one.token for one in batch])

    def _acknowledge(self, batch: list[Delivery], registry: Registry) -> None:
        now_ms = self.clock.now_ms()
        deliveries, senders, strangers = _admitted(batch, registry)
        frames = [one.data for one in deliveries]
        columns = self.decoder(frames, senders)
        findings = verify.check_batch(columns, senders, now_ms, self.limits)
        refused = [_refused_frame(one, decode.NOT_ADMITTED, now_ms) for one in strangers]
        refused += [_refused_frame(deliveries[number], why, now_ms) for number, why in decode.refusals(columns).items()]
        self.metrics.frames.labels("refused").inc(len(refused))
        refused += [
            _refused_record(deliveries, columns, row, check, now_ms) for row, check in findings.refused().items()
        ]
        self._keep(refused)
        committed = self._commit(Batch(now_ms, frames, senders, columns, findings))
        self._settle(deliveries, columns, committed, now_ms)
        for desk in self.desks:
            self._insist(desk.name, partial(desk.learn, senders.ids, columns, committed.outcomes))
        if self.answers:
            self._answer(senders, columns, committed)

    def tidy(self, *, idle: bool) -> None:
        """What the journal does between batches. Where the disk refuses, the next commit will tell."""
        try:
            self.journal.tidy(idle=idle)
        except StoreUnavailableError as error:
            self.metrics.store_errors.labels("journal").inc()
            self.log.warning("store_unavailable", store="journal", error=str(error))

    def _answer(self, senders: Senders, columns: Columns, committed: Committed) -> None:
        """Acknowledge; and say what else is wanted of those who are heard."""
        down = acks.build(columns, committed.outcomes, senders, self.clock.now_ms())
        sent = self.intake.publish_down(down)
        self.metrics.acks.labels("sent").inc(sent)
        self.metrics.acks.labels("dropped").inc(len(down) - sent)
        desks = self.desks if self.is_live else ()
        terminals = self._listener.speakers(senders.terminals, columns, committed.outcomes) if desks else ()
        for one in [message for desk in desks for message in desk.answer(terminals, columns)]:
            result = "sent" if self.intake.publish_down([(one.terminal, one.data)]) else "dropped"
            self.metrics.down.labels(one.kind, result).inc()
            if one.kind != "chunk":  # of which there are thousands; offers and what became of them say enough
                self.log.info("sent_down", terminal=one.terminal, kind=one.kind, result=result)

    def _settle(self, deliveries: list[Delivery], columns: Columns, committed: Committed, now_ms: int) -> None:
        """Count what became of the batch; keep the other half of each conflict as evidence."""
        metrics = self.metrics
        for result, count in committed.tally.frames.items():
            metrics.frames.labels(result).inc(count)
        for outcome, count in committed.tally.records.items():
            metrics.records.labels(outcome).inc(count)
        for check, count in committed.findings.items():
            metrics.findings.labels(check, verify.severity(check)).inc(count)
        metrics.delay.add(*delays(columns, committed.outcomes, now_ms // 1000, DELAYS_S))
        evidence = []
        if committed.tally.records["conflict"]:
            rows = [row for row, outcome in enumerate(committed.outcomes) if outcome == CONFLICT]
            evidence = [_refused_record(deliveries, columns, row, "conflict", now_ms) for row in rows]
        for one in evidence:
            self.log.error("conflict", alarm=True, terminal=one.source, at=one.offset)
        for number in committed.epochs_back:
            self.log.error("epoch_back", alarm=True, terminal=deliveries[number].terminal)
        for row in _alarming(columns, committed):
            name, _ = EVENT_NAMES[columns.records.code[row]]
            self.log.error(name, alarm=True, terminal=deliveries[columns.records.frame[row]].terminal)
        self._keep(evidence)

    def _commit(self, batch: Batch) -> Committed:
        if batch.frames:
            self.metrics.batch_frames.observe(len(batch.frames))
        with self.metrics.commit_seconds.time():
            return self._insist("journal", lambda: self.journal.commit(batch))

    def _keep(self, refused: list[Refused]) -> None:
        if not refused:
            return
        evicted = self._insist("quarantine", lambda: self.quarantine.add(refused))
        for one in refused:
            self.metrics.frames_refused.labels(one.reason).inc()
        self.metrics.quarantine_evicted.inc(evicted)
        frames, size = self.quarantine.size
        self.metrics.quarantine_frames.set(frames)
        self.metrics.quarantine_bytes.set(size)
        self.log.warning("refused", frames=len(refused), reason=refused[0].reason, terminal=refused[0].source)

    def _insist(self, store: str, write: Callable[[], T]) -> T:
        """Write, and try again until the disk takes it. Nothing is acknowledged meanwhile, so the broker stops too."""
        failures = 0
        while True:
            try:
                written = write()
            except StoreUnavailableError as error:
                problem = str(error)
            else:
                if failures:
                    self.log.info("store_back", store=store, failures=failures)
                return written
            self.metrics.store_errors.labels(store).inc()
            if failures == 0:
                self.log.error("store_unavailable", store=store, error=problem)
            failures += 1
            if self.stop.wait(STORE_RETRY_S):
                raise StoppedError(problem)


def _alarming(columns: Columns, committed: Committed) -> list[int]:
    """Rows of new events by which a terminal says that an older state of its flash is back (S-08)."""
    codes = columns.records.code.tolist()
    if OLDER_FLASH.isdisjoint(codes):
        return []
    return [row for row, code in enumerate(codes) if code in OLDER_FLASH and committed.outcomes[row] == NEW]


def _admitted(batch: list[Delivery], registry: Registry) -> tuple[list[Delivery], Senders, list[Delivery]]:
    """The deliveries of admitted terminals, these terminals, and the other deliveries."""
    found = registry.find([one.terminal for one in batch])
    terminals = [one for one in found if one is not None]
    if len(terminals) == len(batch):
        return batch, Senders.of(terminals), []
    known = [one is not None for one in found]
    return list(compress(batch, known)), Senders.of(terminals), list(compress(batch, map(not_, known)))


def _refused_frame(delivery: Delivery, refusal: Refusal, now_ms: int) -> Refused:
    reason = refusal.reason if delivery.terminal else "topic"
    return Refused(
        now_ms, delivery.terminal, delivery.topic[:256], reason, refusal.offset, delivery.length, delivery.data
    )


def _refused_record(deliveries: list[Delivery], columns: Columns, row: int, reason: str, now_ms: int) -> Refused:
    """The frame that brought it, and where it begins in there."""
    delivery = deliveries[columns.records.frame[row]]
    return _refused_frame(delivery, Refusal(reason, columns.records.begin[row]), now_ms)
