"""Several intakes as one: the broker's, and the Modbus lines'. With one alone there is nothing to join.

An ack goes back the way its frame came; what answers no frame at hand goes every way that the terminal may have.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from gateway.intake import Delivery, Token

BUSY_S = 1.0  # after a frame from an intake, others are likely to follow
SLICE_S = 0.02  # how long one intake waits before the others are looked at: 50 looks a second cost nothing
BUSY_SLICE_S = 0.002  # a terminal that drains its backlog over Modbus waits so long for each of its frames


class Carrier(Protocol):
    """What an intake can do (gateway/intake)."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]: ...
    def release(self, tokens: Iterable[Token]) -> None: ...
    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int: ...
    @property
    def waiting(self) -> int: ...


class Carriers:
    """Intakes joined. The frames of one batch are released before the next is taken."""

    def __init__(self, carriers: Sequence[Carrier], steady_s: Callable[[], float]) -> None:
        self._carriers = carriers
        self._steady_s = steady_s
        self._came_by: defaultdict[str, list[Carrier]] = defaultdict(list)  # by terminal, of the batch taken last
        self._owner: dict[Token, Carrier] = {}  # by token, likewise
        self._busy_until_s = 0.0

    def start(self) -> None:
        """Start all."""
        for one in self._carriers:
            one.start()

    def stop(self) -> None:
        """Stop all."""
        for one in self._carriers:
            one.stop()

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """As `Intake.take`: up to `count` deliveries of all, waiting idle_s at most for the first one."""
        self._came_by.clear()
        self._owner.clear()
        until_s = self._steady_s() + idle_s
        batch = self._look(count, 0.0, wait_s)
        while not batch and (now_s := self._steady_s()) < until_s:
            slice_s = BUSY_SLICE_S if now_s < self._busy_until_s else SLICE_S
            batch = self._look(count, min(slice_s, until_s - now_s), wait_s)
        if batch:
            self._busy_until_s = self._steady_s() + BUSY_S
        return batch

    def release(self, tokens: Iterable[Token]) -> None:
        """The frames' fate is durable."""
        for token in tokens:
            self._owner[token].release([token])

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Send acks down; how many could go some way."""
        return sum(self._publish(terminal, data) for terminal, data in messages)

    @property
    def waiting(self) -> int:
        """Frames in memory that nobody has taken yet."""
        return sum(one.waiting for one in self._carriers)

    def _publish(self, terminal: str, data: bytes) -> bool:
        sent = [one.publish_down([(terminal, data)]) for one in self._came_by.get(terminal) or self._carriers]
        return any(sent)

    def _look(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """What each has; the first may wait."""
        batch: list[Delivery] = []
        for one in self._carriers:
            if len(batch) == count:
                break
            found = one.take(count - len(batch), 0.0 if batch else idle_s, wait_s)
            idle_s = 0.0
            for delivery in found:
                self._owner[delivery.token] = one
                if one not in self._came_by[delivery.terminal]:
                    self._came_by[delivery.terminal].append(one)
            batch += found
        return batch
