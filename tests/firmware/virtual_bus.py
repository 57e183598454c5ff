"""A bus in virtual time: bytes arrive when the test says, and waiting costs nothing."""

from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any

from hil.meter_capture import problem_with

Answer = list[tuple[int, bytes]]  # (ms after the request, bytes)


class VirtualBoard:
    """As much of a board as a bus needs; its time moves by pauses alone."""

    def __init__(self) -> None:
        self.now_ms = 1000

    def real_ms(self) -> int:
        return self.now_ms

    def uptime_ms(self) -> int:
        return self.now_ms

    async def pause_ms(self, ms: int) -> None:
        self.now_ms += max(ms, 1)

    async def sleep_ms(self, ms: int) -> None:
        self.now_ms += max(ms, 1)


class VirtualUart:
    """What `answer(request)` gives comes in at its time, in that order.

    S-18: whatever test uses it, bytes that are no plain read end it at once.
    """

    def __init__(self, board: VirtualBoard, answer: Callable[[bytes], Answer]) -> None:
        self.written: list[bytes] = []
        self.lines: list[tuple[int, str, int]] = []  # that it was switched to
        self._board = board
        self._answer = answer
        self._coming: list[tuple[int, int, bytes]] = []

    def set_line(self, baud: int, parity: str, stop: int) -> None:
        self.lines.append((baud, parity, stop))

    def write(self, data: bytes) -> int:
        problem = problem_with(data)
        assert not problem, problem
        self.written.append(data)
        for number, (delay_ms, piece) in enumerate(self._answer(data)):
            heappush(self._coming, (self._board.now_ms + delay_ms, 100 * len(self.written) + number, piece))
        return len(data)

    def read(self, count: int = 256) -> bytes | None:
        data = b""
        while self._coming and self._coming[0][0] <= self._board.now_ms and len(data) < count:
            data += heappop(self._coming)[2]
        return data or None


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something that is not virtual")
