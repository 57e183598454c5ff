"""Waiting for whichever comes first: bytes, a wake-up, or an instant."""

import asyncio

from hil.sim.streams import Reader

READ_BYTES = 1 << 18


class Bell:
    """Rung by whoever has something for its owner."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """End a `wait`, or the next one."""
        self._event.set()

    async def wait(self, timeout_s: float) -> None:
        """Until it rings, or the time is over."""
        if not self._event.is_set() and timeout_s > 0:
            timer = asyncio.get_running_loop().call_later(timeout_s, self._event.set)
            try:
                await self._event.wait()
            finally:
                timer.cancel()
        self._event.clear()


class Inbox:
    """What has come by one connection; it rings the bell."""

    def __init__(self, reader: Reader, bell: Bell) -> None:
        self._data = b""
        self._ended: Exception | None = None
        self._bell = bell
        self._task = asyncio.get_running_loop().create_task(self._pump(reader))

    def take(self) -> bytes:
        """What has come since the last time; b"": nothing. Raises OSError where the connection has ended."""
        data, self._data = self._data, b""
        if not data and self._ended is not None:
            raise self._ended
        return data

    def close(self) -> None:
        """Listen no more."""
        self._task.cancel()

    async def _pump(self, reader: Reader) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                self._data += data
                self._bell.ring()
            self._ended = ConnectionResetError("closed by the other side")
        except OSError as error:
            self._ended = error
        self._bell.ring()
