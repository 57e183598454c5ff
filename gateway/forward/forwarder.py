"""One sink's feed, without thread or connection: journal > lanes > sink > cursors.

What the sink does with a batch is its own (sink.py); who drives both hands in time and waits (runner.py).
"""

from collections import Counter

from gateway.clock import Clock
from gateway.forward import lanes
from gateway.forward.account import Account
from gateway.forward.acknowledged import Cell
from gateway.forward.backoff import Backoff
from gateway.forward.outbox import Outbox, Taken
from gateway.forward.sink import Batch, BatchRefusedError, Receipt, Sink, SinkError
from gateway.forward.text_packets import REASONS, TOO_MANY
from gateway.gaps.words import cell_of
from gateway.journal.reader import Reader
from protocol.record import WINDOW


class Forwarder:
    """Takes from the journal what is next, and moves the cursors past what the sink has safe.

    Its methods raise StoreUnavailableError and sqlite3.Error: begin anew, from the files.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        reader: Reader,
        clock: Clock,
        fresh_s: int,
        account: Account,
        backoff: Backoff,
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._reader = reader
        self._clock = clock
        self._fresh_s = fresh_s
        self._account = account
        self._backoff = backoff

    def feed(self) -> bool:
        """Hand the sink what is next; False when there is nothing, or the sink wants nothing. Raises SinkError."""
        wants = self._sink.wants
        if not wants:
            return False
        selection = lanes.select(self._reader, self._outbox, wants, self._clock.now_ms() // 1000 - self._fresh_s)
        if selection.is_empty:
            return False
        batch = self._batch(selection)
        receipt = self._take(batch) if batch.records else Receipt()
        self._settle(selection, batch, receipt)
        return True

    def is_well(self, but: SinkError | None) -> None:
        """The sink works, perhaps in part."""
        self._backoff.worked()
        self._account.health(but)

    def failed(self, error: SinkError) -> int:
        """The sink does not: how many ms to leave it alone. Nothing that it was handed counts."""
        self._account.failed(error)
        return self._backoff.failed()

    def observe(self) -> None:
        """Say how far behind the journal the sink is, and note it for a refeed."""
        self._account.lag(self._reader.last_id() - self._outbox.settled(), self._outbox.text_packets.waiting())
        self._outbox.mark(self._clock.now_ms())

    def _batch(self, selection: lanes.Selection) -> Batch:
        found = self._reader.decoded([one.id for one in selection.records])
        there = [(one, row) for one, row in zip(selection.records, found.rows, strict=True) if row is not None]
        records, rows = [one for one, _ in there], [row for _, row in there]
        settled = self._outbox.safe_to()
        return Batch(selection.lane, records, rows, found.columns, found.frames, found.received_ms, settled)

    def _take(self, batch: Batch) -> Receipt:
        """As the sink takes it; a record that it will never take is found by halving, and is a dead letter."""
        try:
            return self._sink.take(batch)
        except BatchRefusedError as error:
            count = len(batch.records)
            if count == 1:
                return Receipt(dead=[(batch.records[0].id, "refused", str(error))])
            receipt = self._take(batch.part(0, count // 2))
            receipt.add(self._take(batch.part(count // 2, count)))
            return receipt

    def _settle(self, selection: lanes.Selection, batch: Batch, receipt: Receipt) -> None:
        """Cursors, packets, dead letters and counts, in one transaction."""
        there = {one.id for one in batch.records}
        receipt.dead += [(one, TOO_MANY, REASONS[TOO_MANY]) for one in selection.handed if one not in there]
        dead = {record for record, _, _ in receipt.dead}
        under_way = {record for record, packets in receipt.packets if packets}
        skipped = dict(receipt.skipped)
        not_yet = dead | under_way | skipped.keys() | set(receipt.held)
        done = [one.id for one in batch.records if one.id not in not_yet]
        delivered = len(done)
        counts = Counter(f"skipped_{reason}" for reason in skipped.values())
        counts.update(f"dead_{reason}" for _, reason, _ in receipt.dead)
        if delivered:
            counts["delivered"] = delivered
        refed = selection.refed
        self._outbox.take(
            Taken(
                packets=receipt.packets,
                ahead=selection.ahead,
                dead=receipt.dead,
                alive=[one.id for one in batch.records if one.id not in dead] if refed else [],
                handed=selection.handed,
                held=receipt.held,
                counts=counts,
                cursors=selection.cursors,
                refed=refed,
                texts=receipt.texts,
                backlog=selection.lane == "backlog",
                cells={
                    one.id: Cell(one.terminal, cell_of(one.start_s, one.length_s))
                    for one in batch.records
                    if one.type == WINDOW and one.start_s is not None
                },
                done=done,
                withheld=receipt.skipped,
            )
        )
        self._account.settled(receipt, delivered)
