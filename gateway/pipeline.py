"""intake > decode > verify > journal > acks, a batch at a time. Commit, then acknowledge."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from cext.decoder import Frame, Refusal, Window
from gateway import acks, decode
from gateway.carriers import Carrier
from gateway.clock import Clock
from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.intake import Delivery
from gateway.journal.journal import CONFLICT, NEW, REPEATED, Accepted, Committed, Journal, Judged, offsets
from gateway.metrics import Metrics
from gateway.quarantine.quarantine import Quarantine, Refused
from gateway.registry import Point, Registry
from gateway.verify import REFUSE, Finding, check_record
from protocol import ack

T = TypeVar("T")
STORE_RETRY_S = 1.0  # a disk that is full or gone: asked again so often, for ever


class StoppedError(Exception):
    """Asked to stop while the disk was away: what was not committed is not acknowledged."""


@dataclass
class Pipeline:
    """Takes a batch through all stages. One thread."""

    intake: Carrier
    journal: Journal
    quarantine: Quarantine
    metrics: Metrics
    clock: Clock
    verify: VerifyConfig
    log: structlog.typing.FilteringBoundLogger
    stop: threading.Event

    def process(self, batch: list[Delivery], registry: Registry) -> None:
        """Decode, judge, store, acknowledge. Returns with everything durable. Raises StoppedError."""
        now_ms = self.clock.now_ms()
        answers = decode.decode_batch([(one.terminal, one.data) for one in batch], registry)
        accepted: list[Accepted] = []
        answered: list[acks.Answered] = []
        refused: list[Refused] = []
        for delivery, answer in zip(batch, answers, strict=True):
            known = registry.get(delivery.terminal)
            if isinstance(answer, Refusal) or known is None:
                refusal = answer if isinstance(answer, Refusal) else decode.NOT_ADMITTED
                refused.append(_refused_frame(delivery, refusal, now_ms))
                self.metrics.frames.labels("refused").inc()
            else:
                judged, outcomes = self._judge(delivery, answer, known.points, now_ms, refused)
                accepted.append(Accepted(delivery.terminal, now_ms, delivery.data, answer, known.points, judged))
                answered.append(acks.Answered(delivery.terminal, *answer[:4], outcomes))
        self._keep(refused)
        committed = self._commit(accepted)
        self._settle(accepted, answered, committed, now_ms)
        for terminal, data in acks.build(answered, registry, self.clock.now_ms):
            sent = self.intake.publish_down(terminal, data)
            self.metrics.acks.labels("sent" if sent else "dropped").inc()
        for delivery in batch:
            self.intake.release(delivery.token)

    def _judge(
        self, delivery: Delivery, frame: Frame, points: Mapping[int, Point], now_ms: int, refused: list[Refused]
    ) -> tuple[list[Judged], list[acks.Outcome]]:
        """The frame's records that may be kept, and the outcome of those that may not."""
        judged, outcomes = [], []
        for one, at in zip(frame.records, offsets(frame, delivery.data), strict=True):
            findings = check_record(one, points, now_ms // 1000, self.verify)
            reason = next((finding.check for finding in findings if finding.severity == REFUSE), None)
            if reason is None:
                judged.append(Judged(one, at, findings))
            else:
                self._count(findings)
                refused.append(_refused_frame(delivery, Refusal(reason, at), now_ms))
                outcomes.append(acks.Outcome(one.seq, ack.REFUSED_CONTENT))
                self.metrics.records.labels("refused").inc()
        return judged, outcomes

    def _settle(
        self, accepted: list[Accepted], answered: list[acks.Answered], committed: Committed, now_ms: int
    ) -> None:
        """Add the committed records' outcomes to the answers; keep the other half of each conflict as evidence."""
        evidence = []
        for frame, answer, outcomes in zip(accepted, answered, committed.outcomes, strict=True):
            for judged, outcome in zip(frame.judged, outcomes, strict=True):
                conflict = outcome == CONFLICT
                if outcome == NEW:
                    self._count(judged.findings)
                    self._observe_delay(judged.record.body, now_ms)
                answer.outcomes.append(acks.Outcome(judged.record.seq, ack.REFUSED_CONFLICT if conflict else 0))
                self.metrics.records.labels(outcome).inc()
                if conflict:
                    evidence.append(
                        Refused(now_ms, frame.terminal, "", CONFLICT, judged.at, len(frame.data), frame.data)
                    )
            kind = "accepted" if NEW in outcomes else "repeated" if REPEATED in outcomes else "refused"
            self.metrics.frames.labels(kind).inc()
        for one in evidence:
            self.log.error("conflict", alarm=True, terminal=one.source, at=one.offset)
        self._keep(evidence)
        self._count(committed.found)

    def _commit(self, accepted: list[Accepted]) -> Committed:
        if not accepted:
            return Committed([], [])
        self.metrics.batch_frames.observe(len(accepted))
        with self.metrics.commit_seconds.time():
            return self._insist("journal", lambda: self.journal.commit(accepted))

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

    def _count(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.metrics.findings.labels(finding.check, finding.severity).inc()

    def _observe_delay(self, body: object, now_ms: int) -> None:
        if isinstance(body, Window) and body.start_s is not None:
            self.metrics.delay.observe(max(0, now_ms // 1000 - body.start_s - body.length_s))


def _refused_frame(delivery: Delivery, refusal: Refusal, now_ms: int) -> Refused:
    reason = refusal.reason if delivery.terminal else "topic"
    return Refused(
        now_ms, delivery.terminal, delivery.topic[:256], reason, refusal.offset, delivery.length, delivery.data
    )
