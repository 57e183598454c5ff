"""What is wanted of terminals, and what its store says of it, at work in the running gateway."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from cext.decoder import Columns
from gateway.clock import Clock
from gateway.database import StoreUnavailableError
from gateway.downward import Down
from gateway.metrics import Metrics
from gateway.registry import Terminal
from gateway.shared_store import SharedStore

SEE_EVERY_S = 1.0  # for what a command ordered: one number is read
LOOK_EVERY_S = 10.0  # of what becomes due without a word of anybody; a desk may set it forward to the next second


class Around(NamedTuple):
    """What every desk has around it. steady_s: a clock that nobody sets."""

    clock: Clock
    steady_s: Callable[[], float]
    metrics: Metrics
    log: structlog.typing.FilteringBoundLogger


class Desk(ABC):
    """One thread, the pipeline's: `learn` before a batch is acknowledged, `answer` with its acks, `step` between.

    Commands write to its store meanwhile.
    """

    name: str  # its store's, in metrics and log

    def __init__(self, store: SharedStore, around: Around) -> None:
        """The desk closes the store."""
        self._store = store
        self._clock, self._steady_s, self._metrics, self._log = around
        self._stale = True  # what is remembered of the store is not what it holds
        self._failing = False
        self._see_at_s, self._look_at_s = 0.0, 0.0

    @abstractmethod
    def learn(self, names: Sequence[str], columns: Columns, outcomes: bytes) -> None:
        """Keep what a batch says, durably; names[i] sent frame i.

        What came before is learnt again: the gateway may have died between the journal's commit and this.
        Raises StoreUnavailableError: to be called again.
        """

    @abstractmethod
    def answer(self, terminals: Sequence[Terminal | None], columns: Columns) -> list[Down]:
        """What goes down to the terminals that this batch heard. Noted before it is sent.

        terminals[i] sent frame i; None: that is not answered (downward.Listener).
        """

    @abstractmethod
    def _see(self) -> None:
        """Remember what the store holds, as of now. Raises StoreUnavailableError."""

    @abstractmethod
    def _look(self, now_ms: int) -> None:
        """Do what is due without a frame. Raises StoreUnavailableError."""

    def step(self) -> None:
        """Take in what commands ordered, each second; now and then look at what is due."""
        now_s = self._steady_s()
        if now_s < self._see_at_s:
            return
        self._see_at_s = now_s + SEE_EVERY_S
        try:
            if self._store.changed() or self._stale:
                self._see()
            if now_s >= self._look_at_s:
                self._look_at_s = now_s + LOOK_EVERY_S
                self._look(self._clock.now_ms())
            self._failing = False
        except StoreUnavailableError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _fail(self, error: StoreUnavailableError) -> None:
        """Nothing goes down while the disk does not take it; said once."""
        self._stale = True
        self._metrics.store_errors.labels(self.name).inc()
        if not self._failing:
            self._log.error("store_unavailable", store=self.name, error=str(error))
        self._failing = True
