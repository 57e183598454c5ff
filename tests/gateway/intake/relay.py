"""What stands between a carrier and its broker: passes bytes on, over TCP or WebSocket, until it is told not to."""

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterator

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Relay:
    """Listens on `port`, connects to the broker for each connection that comes."""

    def __init__(self, broker_port: int, *, websocket: bool = False) -> None:
        self._broker_port = broker_port
        self.websocket = websocket
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Pass nothing on, and close nothing: a connection that is half open."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Break all connections without a word."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flowing.set()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    broker = socket.create_connection(("127.0.0.1", self._broker_port))
                except OSError:
                    client.close()
                    continue
                self._open += [client, broker]
                threading.Thread(target=self._pass_up, args=(client, broker), daemon=True).start()

    def _pass_up(self, client: socket.socket, broker: socket.socket) -> None:
        if self.websocket:
            shake_hands(client)
        threading.Thread(target=self._pump, args=(plain(broker), broker, client, self.websocket), daemon=True).start()
        self._pump(unwrapped(client) if self.websocket else plain(client), client, broker, False)  # noqa: FBT003

    def _pump(self, pieces: Iterator[bytes], source: socket.socket, sink: socket.socket, wrap: bool) -> None:
        with contextlib.suppress(OSError), source:
            for piece in pieces:
                self._flowing.wait()
                sink.sendall(wrapped(piece) if wrap else piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def plain(source: socket.socket) -> Iterator[bytes]:
    while data := source.recv(65536):
        yield data


def exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = source.recv(count - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def shake_hands(client: socket.socket) -> None:
    """RFC 6455, 4.2."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += exactly(client, 1)
    assert request.startswith(b"GET /mqtt HTTP/1.1\r\n")
    key = re.search(rb"Sec-Websocket-Key: (\S+)", request, re.IGNORECASE)
    assert key
    accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest())  # noqa: S324  (the protocol's own)
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def unwrapped(client: socket.socket) -> Iterator[bytes]:
    """The contents of a client's frames."""
    while True:
        head = exactly(client, 2)
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(exactly(client, 2 if size == 126 else 8), "big")
        mask = exactly(client, 4)
        body = exactly(client, size)
        if head[0] & 0x0F == 8:
            return
        yield bytes(octet ^ mask[at % 4] for at, octet in enumerate(body))


def wrapped(data: bytes) -> bytes:
    """A binary frame from a server."""
    size = len(data)
    if size < 126:
        return bytes((0x82, size)) + data
    if size < 65536:
        return b"\x82\x7e" + struct.pack(">H", size) + data
    return b"\x82\x7f" + struct.pack(">Q", size) + data
