"""HJ 212-2017 as a sink: the public names of its parts, and the TCP transport around the session.

mapping = load_mapping(path)                                   # platform.toml; ConfigError
packets = encode_window(mapping, terminal, content_of(window, start_s), next_qn)   # persist, then
session.submit(packets)
link = Hj212Link(host, port, session, steady_ms, pause)
while running:
    link.step(wait_ms)
    for qn in session.take_confirmed(): ...                    # persist, move the cursor
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from gateway.forward.hj212_encode import WindowContent, content_of, decimal_text, encode_window
from gateway.forward.hj212_mapping import Mapping, Station, load_mapping
from gateway.forward.hj212_session import Hj212Session, LinkSettings, SessionCounts
from gateway.hj212.packet import Packet, PacketError
from gateway.hj212.times import next_qn

__all__ = [
    "Hj212Link",
    "Hj212Session",
    "LinkSettings",
    "Mapping",
    "Packet",
    "PacketError",
    "SessionCounts",
    "Station",
    "WindowContent",
    "content_of",
    "decimal_text",
    "encode_window",
    "load_mapping",
    "next_qn",
]

CONNECT_TIMEOUT_S = 5  # a platform on a mobile network answers a SYN within 3 s
WRITE_TIMEOUT_S = 5  # one packet is 1 kB: it only blocks when the other side has stopped reading
_READ_BYTES = 4096


class Hj212Link:
    """A thin TCP client around a session, driven by one thread. Holds no logic: the session decides everything.

    steady_ms: real milliseconds that never step. pause: waits so many seconds, or less when there is a reason to
    (`threading.Event().wait` of the driver's stop event).
    """

    def __init__(
        self,
        host: str,
        port: int,
        session: Hj212Session,
        steady_ms: Callable[[], int],
        pause: Callable[[float], object],
    ) -> None:
        self._address = (host, port)
        self._session = session
        self._steady_ms = steady_ms
        self._pause = pause
        self._socket: socket.socket | None = None
        self.last_error = ""  # why the last connection failed or ended, for the status; "" as long as none did

    def step(self, wait_ms: int) -> None:
        """Does what is due: connects, writes, waits for answers, reads. Returns when something happened or fell due.

        At the latest after wait_ms; connecting and writing may take longer.
        """
        if self._session.wants_connection(self._steady_ms()):
            self._connect()
        try:
            self._write()
            self._read(wait_ms)
            self._session.on_tick(self._steady_ms())
            self._write()
        except OSError as error:
            self._disconnect(str(error))
        if self._session.wants_close:
            self._disconnect("no answer")

    def close(self) -> None:
        """Ends the connection; what is not confirmed stays in the session."""
        if self._socket:
            self._disconnect("closed")

    def _connect(self) -> None:
        try:
            self._socket = socket.create_connection(self._address, CONNECT_TIMEOUT_S)
        except OSError as error:
            self.last_error = str(error)
            self._session.on_disconnected(self._steady_ms())
            return
        self._socket.settimeout(WRITE_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session.on_connected()

    def _write(self) -> None:
        while self._socket and (data := self._session.next_outgoing(self._steady_ms())):
            self._socket.sendall(data)

    def _read(self, wait_ms: int) -> None:
        quiet_ms = self._session.quiet_ms(self._steady_ms())
        wait_s = (wait_ms if quiet_ms is None else min(wait_ms, quiet_ms)) / 1000
        if self._socket is None:
            self._pause(wait_s)
            return
        readable, _, _ = select.select([self._socket], [], [], wait_s)
        if readable:
            data = self._socket.recv(_READ_BYTES)
            if not data:
                raise ConnectionError("closed by the platform")
            self._session.on_bytes(data)

    def _disconnect(self, why: str) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None
        self.last_error = why
        self._session.on_disconnected(self._steady_ms())
