"""Sockets around sessions: any number of connections to one platform, in one thread. Holds no logic of the protocol."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
from collections.abc import Callable, Sequence

from gateway.forward.hj212.session import Hj212Session

CONNECT_TIMEOUT_MS = 5_000  # a platform on a mobile network answers a SYN within 3 s
_READ_BYTES = 4096
_CONNECTING = {errno.EINPROGRESS, errno.EWOULDBLOCK}


class Links:
    """TCP clients around sessions, driven by one thread.

    steady_ms: real milliseconds that never step. pause: waits so many seconds, or less when there is a reason to
    (`threading.Event().wait` of the driver's stop event).
    """

    def __init__(
        self,
        host: str,
        port: int,
        sessions: Sequence[Hj212Session],
        steady_ms: Callable[[], int],
        pause: Callable[[float], object],
    ) -> None:
        self._address = (host, port)
        self._steady_ms = steady_ms
        self._pause = pause
        self._selector = selectors.DefaultSelector()
        self._lines = [_Line(session, self._selector) for session in sessions]
        self.last_error = ""  # why the last connection failed or ended; "" as long as none did

    def step(self, wait_ms: int) -> None:
        """Does what is due: connects, writes, waits for answers, reads. Returns when something happened or fell due."""
        now_ms = self._steady_ms()
        for line in self._lines:
            self._guard(line, now_ms, self._begin)
        due = [line.quiet_ms(now_ms) for line in self._lines]
        wait_s = min([wait_ms, *(one for one in due if one is not None)]) / 1000
        if not self._selector.get_map():
            self._pause(wait_s)
        for key, events in self._selector.select(wait_s) if self._selector.get_map() else ():
            self._guard(key.data, self._steady_ms(), lambda line, now_ms, e=events: line.move(e, now_ms))  # type: ignore[misc]
        now_ms = self._steady_ms()
        for line in self._lines:
            self._guard(line, now_ms, _Line.tick)

    def close(self) -> None:
        """Ends the connections; what is not confirmed stays in the sessions."""
        for line in self._lines:
            if line.socket is not None:
                self._end(line, "closed")
        self._selector.close()

    def _begin(self, line: _Line, now_ms: int) -> None:
        if line.socket is None and line.session.wants_connection(now_ms):
            line.connect(self._address, now_ms)
        if line.session.connected:
            line.write(now_ms)

    def _guard(self, line: _Line, now_ms: int, act: Callable[[_Line, int], None]) -> None:
        try:
            act(line, now_ms)
        except OSError as error:
            self._end(line, str(error) or type(error).__name__)
        if line.session.wants_close:
            self._end(line, "no answer")

    def _end(self, line: _Line, why: str) -> None:
        line.drop()
        self.last_error = why
        line.session.on_disconnected(self._steady_ms())


class _Line:
    """One session's socket, if there is one, and the bytes that it has not taken yet."""

    def __init__(self, session: Hj212Session, selector: selectors.BaseSelector) -> None:
        self.session = session
        self.socket: socket.socket | None = None
        self._selector = selector
        self._unsent = bytearray()  # at most what a session has outgoing at a time: a packet and REPLIES_MAX replies
        self._give_up_ms = 0

    def connect(self, address: tuple[str, int], now_ms: int) -> None:
        """Begin to. Raises OSError."""
        family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        self.socket = socket.socket(family, kind, protocol)
        self.socket.settimeout(0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._give_up_ms = now_ms + CONNECT_TIMEOUT_MS
        failed = self.socket.connect_ex(target)
        if failed not in {0, *_CONNECTING}:
            raise OSError(failed, os.strerror(failed))
        self._selector.register(self.socket, selectors.EVENT_WRITE, self)

    def move(self, events: int, now_ms: int) -> None:
        """Something happened at the socket. Raises OSError, also where the platform has closed."""
        if self.socket is None:
            return
        if not self.session.connected:
            failed = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise OSError(failed, os.strerror(failed))
            self.session.on_connected()
            self._watch()
        elif events & selectors.EVENT_READ:
            data = self.socket.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("closed by the platform")
            self.session.on_bytes(data)
        self.write(now_ms)

    def write(self, now_ms: int) -> None:
        """As much as the socket takes. Raises OSError."""
        if self.socket is None or not self.session.connected:
            return
        while not self._unsent and (data := self.session.next_outgoing(now_ms)):
            self._unsent += data
            self._flush()
        if self._unsent:
            self._flush()

    def tick(self, now_ms: int) -> None:
        """Let time pass. Raises OSError."""
        if self.socket is not None and not self.session.connected and now_ms >= self._give_up_ms:
            raise TimeoutError("no connection in time")
        self.session.on_tick(now_ms)
        self.write(now_ms)

    def quiet_ms(self, now_ms: int) -> int | None:
        """How long nothing falls due."""
        if self.socket is not None and not self.session.connected:
            return max(0, self._give_up_ms - now_ms)
        return self.session.quiet_ms(now_ms)

    def drop(self) -> None:
        """Close the socket."""
        if self.socket is not None:
            if self.socket in self._selector.get_map():
                self._selector.unregister(self.socket)
            self.socket.close()
        self.socket = None
        self._unsent.clear()

    def _flush(self) -> None:
        assert self.socket is not None
        with contextlib.suppress(BlockingIOError):
            del self._unsent[: self.socket.send(self._unsent)]
        self._watch()

    def _watch(self) -> None:
        assert self.socket is not None
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self.socket).events != wanted:
            self._selector.modify(self.socket, wanted, self)
