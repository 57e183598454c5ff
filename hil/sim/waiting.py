"""Waiting for whichever comes first: bytes, a wake-up, or an instant."""

import asyncio
from typing import Any

from hil.sim.streams import Reader


async def wait_for(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether the event was set within the time."""
    if event.is_set():
        return True
    if timeout_s <= 0:
        return False
    timed_out = False

    def over() -> None:
        nonlocal timed_out
        timed_out = True
        event.set()

    timer = asyncio.get_running_loop().call_later(timeout_s, over)
    try:
        await event.wait()
    finally:
        timer.cancel()
    return not timed_out


class Heard:
    """What comes from one connection after the other, and whatever else should wake its owner."""

    READ_BYTES = 1 << 18

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._data = b""
        self._ended: Exception | None = None
        self._task: asyncio.Task[Any] | None = None

    def listen(self, reader: Reader) -> None:
        """A connection begins."""
        self._data, self._ended = b"", None
        self._task = asyncio.get_running_loop().create_task(self._pump(reader))

    def end(self) -> None:
        """It is over."""
        if self._task is not None:
            self._task.cancel()

    def wake(self) -> None:
        """End a `wait`."""
        self._event.set()

    def take(self) -> bytes:
        """What has come since the last time; b"": nothing. Raises OSError where the connection has ended."""
        data, self._data = self._data, b""
        if not data and self._ended is not None:
            raise self._ended
        return data

    async def wait(self, timeout_s: float) -> None:
        """Until something has come, a wake-up, or the time is over."""
        await wait_for(self._event, timeout_s)
        self._event.clear()

    async def _pump(self, reader: Reader) -> None:
        try:
            while data := await reader.read(self.READ_BYTES):
                self._data += data
                self._event.set()
            self._ended = ConnectionResetError("closed by the other side")
        except OSError as error:
            self._ended = error
        self._event.set()
