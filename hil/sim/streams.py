"""A connection's two ends, as asyncio's streams are used here, over a pipe that may delay, stop or break."""

import asyncio
from collections.abc import Callable

from hil.sim.loop import VirtualLoop

SEND_BUFFER_BYTES = 16_384  # not yet delivered; a full one makes `drain` wait, as a kernel's does


class Reader(asyncio.StreamReader):
    """The end that hears."""


class Pipe:
    """One direction of a connection: bytes arrive in order, each `latency_us` after it was sent, or never.

    cut_after: so many bytes arrive yet, then the connection breaks; -1: it does not.
    """

    def __init__(self, loop: VirtualLoop, reader: Reader, connection: "Connection") -> None:
        self._loop = loop
        self._reader = reader
        self._connection = connection
        self.arrived_us = 0  # when the last of what was sent arrives
        self.on_way = 0
        self.held: list[bytes] = []  # sent while the link was down
        self.cut_after = -1
        self.room = asyncio.Event()
        self.room.set()

    def send(self, data: bytes, latency_us: int, us_per_byte: float) -> None:
        """Put bytes on their way."""
        self.on_way += len(data)
        if self.on_way > SEND_BUFFER_BYTES:
            self.room.clear()
        begin_us = max(self._loop.now_us, self.arrived_us - latency_us)
        self.arrived_us = begin_us + latency_us + int(len(data) * us_per_byte)
        self._loop.at_us(self.arrived_us, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        connection = self._connection
        if connection.broken:
            return
        if connection.vanished:
            return
        if connection.down:
            self.held.append(data)
            return
        self.on_way -= len(data)
        if self.on_way <= SEND_BUFFER_BYTES:
            self.room.set()
        if 0 <= self.cut_after < len(data):
            self._reader.feed_data(data[: self.cut_after])
            connection.break_()
            return
        if self.cut_after >= 0:
            self.cut_after -= len(data)
        if not self._reader.at_eof():
            self._reader.feed_data(data)

    def release(self) -> None:
        """The link is back: what was held arrives now."""
        held, self.held = self.held, []
        for data in held:
            self._arrive(data)


class Transport:
    """What is left of asyncio's: the way to end a connection at once."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def abort(self) -> None:
        """End it; what is under way is lost."""
        self._connection.break_()


class Writer:
    """The end that speaks."""

    def __init__(self, connection: "Connection", side: int) -> None:
        self._connection = connection
        self._side = side
        self._closing = False
        self.transport = Transport(connection)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put bytes on their way; into a connection that is gone they vanish, as far as the writer can see."""
        if not self._closing and data:
            self._connection.send(self._side, bytes(data))

    async def drain(self) -> None:
        """Wait while too much is under way. Raises ConnectionResetError."""
        pipe = self._connection.pipes[self._side]
        if self._connection.broken:
            raise ConnectionResetError("reset by peer")
        if not pipe.room.is_set():
            await pipe.room.wait()
            if self._connection.broken:
                raise ConnectionResetError("reset by peer")

    def is_closing(self) -> bool:
        """Whether it was closed, or is broken."""
        return self._closing or self._connection.broken

    def close(self) -> None:
        """Say no more; the other end hears the end after all that is under way."""
        if not self._closing:
            self._closing = True
            self._connection.end(self._side)

    async def wait_closed(self) -> None:
        """It is closed at once."""


class Connection:
    """Two pipes between two ends. `down`: the link is; `broken`: both ends know, or will know when they next look."""

    def __init__(self, loop: VirtualLoop, latency_us: int, us_per_byte: float) -> None:
        self.down = False
        self.broken = False
        self.vanished = False  # one end is gone without a word: nothing arrives any more
        self.latency_us = latency_us
        self.us_per_byte = us_per_byte
        self.readers = (Reader(loop=loop), Reader(loop=loop))
        # pipes[side] is what `side` sends: the other side's reader hears it
        self.pipes = (Pipe(loop, self.readers[1], self), Pipe(loop, self.readers[0], self))
        self.writers = (Writer(self, 0), Writer(self, 1))
        self.on_send: Callable[[int, bytes], None] = lambda _side, _data: None
        self._loop = loop
        self._ended = False

    def send(self, side: int, data: bytes) -> None:
        """From one side to the other."""
        if not self.broken:
            self.on_send(side, data)
            self.pipes[side].send(data, self.latency_us, self.us_per_byte)

    def end(self, side: int) -> None:
        """One side has closed: the other hears it after all that was sent; then the connection is over."""
        if not self.broken:
            self._loop.at_us(max(self._loop.now_us + self.latency_us, self.pipes[side].arrived_us), self._hear_end)

    def _hear_end(self) -> None:
        self._ended = True
        if not self.down and not self.vanished:
            self.break_(eof=True)

    def break_(self, *, eof: bool = False) -> None:
        """The connection is gone, and both readers say so: at the end of what came, or at once."""
        if self.broken:
            return
        self.broken = True
        for reader, pipe in zip(self.readers, self.pipes, strict=True):
            if eof:
                reader.feed_eof()
            elif reader.exception() is None and not reader.at_eof():
                reader.set_exception(ConnectionResetError("reset by peer"))
            pipe.room.set()

    def set_down(self, *, down: bool) -> None:
        """The link under it goes, or is back: then what was held arrives."""
        self.down = down
        if down or self.vanished:
            return
        for pipe in self.pipes:
            pipe.release()
        if self._ended:
            self.break_(eof=True)
