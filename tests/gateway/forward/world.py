"""A journal, and sinks that a test tells how to behave."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from gateway.config import VerifyConfig
from gateway.forward.account import Account
from gateway.forward.backoff import Backoff
from gateway.forward.forwarder import Forwarder
from gateway.forward.outbox import Outbox
from gateway.forward.sink import Batch, BatchRefusedError, Receipt, Sink, SinkError
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.metrics import Metrics
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, window

DAY_S = 86400

Name = tuple[str, int, int]  # terminal, epoch, seq


class FakeSink:
    """A sink that keeps what it was given by name, as a store with a key does.

    wants: a batch's most. refuses: numbers that it never takes. failing: what it raises instead of taking.
    """

    def __init__(self, wants: int = 100) -> None:
        self.wants = wants
        self.refuses: set[int] = set()
        self.failing: SinkError | None = None
        self.order: list[int] = []  # seqs as they came, repeats included
        self.kept: dict[Name, bytes] = {}
        self.taken = 0
        self.closed = 0

    def take(self, batch: Batch) -> Receipt:
        if self.failing:
            raise self.failing
        epochs = batch.columns.frames.epoch
        for one, row in zip(batch.records, batch.rows, strict=True):
            frame = batch.columns.records.frame[row]
            assert batch.frames[frame].terminal == one.terminal
            assert (batch.columns.records.seq[row], epochs[frame]) == (one.seq, one.epoch)
        if self.refuses & {one.seq for one in batch.records}:
            raise BatchRefusedError("not this one")
        for one in batch.records:
            self.order.append(one.seq)
            self.kept[one.terminal, one.epoch, one.seq] = b""
        self.taken += 1
        return Receipt()

    def work(self, _wait_ms: int) -> SinkError | None:
        return None

    def close(self) -> None:
        self.closed += 1


class World:
    """A folder with a journal, and one sink's forwarder on it."""

    def __init__(self, folder: Path, sink: FakeSink, name: str = "s") -> None:
        self.folder = folder
        self.name = name
        self.clock = StillClock()
        self.sender = Sender()
        self.sink = sink
        self.journal = Journal(folder, VerifyConfig())
        self.metrics = Metrics()
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder, self.name)
        self.reader = Reader(self.folder)
        account = Account(
            self.name,
            self.outbox,
            self.clock,
            self.metrics,
            structlog.wrap_logger(structlog.PrintLogger(io.StringIO())),
        )
        self.forwarder = Forwarder(
            self.sink, self.outbox, self.reader, self.clock, 3600, account, Backoff(500, 60_000, lambda: 0.5)
        )

    def restart(self) -> None:
        self.outbox.close()
        self.reader.close()
        self.open()

    def close(self) -> None:
        for one in (self.outbox, self.reader, self.journal):
            one.close()

    def commit(self, records: Sequence[bytes]) -> None:
        commit(self.journal, [accept(self.sender, self.sender.frame(list(records)), now_s=self.clock.now_s)])

    def run(self) -> None:
        """Feed until the sink has all."""
        while self.forwarder.feed():
            pass

    def try_to_run(self) -> list[str]:
        """Feed until the sink has all or the sink fails; the reasons."""
        try:
            self.run()
        except SinkError as error:
            self.forwarder.failed(error)
            return [error.reason]
        return []


def old(seq: int, *readings: Any) -> bytes:
    """A window of a month ago; without readings, one that is plausible."""
    return window(seq, NOW_S - DAY_S * 30 + 900 * seq, list(readings) or None)


class Sending(World):
    """A world whose sink is one that is made anew at each start."""

    def __init__(self, folder: Path, make: Callable[[], Sink]) -> None:
        self._make = make
        super().__init__(folder, FakeSink())

    def open(self) -> None:
        super().open()
        self.real = self._make()
        self.forwarder._sink = self.real

    def restart(self) -> None:
        self.real.close()
        super().restart()

    def close(self) -> None:
        self.real.close()
        super().close()
