"""A broker that does what a test says, byte by byte, to one client at a time."""

import socket
import struct
from typing import NamedTuple

from tests.cext import mqtt_reference as wire

WAIT_S = 60.0


class Sent(NamedTuple):
    """A packet from the client: its first byte, and its body."""

    first: int
    body: bytes

    @property
    def kind(self) -> int:
        return self.first >> 4

    @property
    def packet_id(self) -> int:
        """Of a PUBLISH at QoS 1, a PUBACK or a SUBSCRIBE."""
        at = 2 + int.from_bytes(self.body[:2], "big") if self.kind == 3 else 0
        return int.from_bytes(self.body[at : at + 2], "big")

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH at QoS 1 without properties."""
        return self.body[2 + int.from_bytes(self.body[:2], "big") + 3 :]


class FakeBroker:
    """Listens on `port`. `connect`, then `send` and `expect`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WAIT_S)
        self.port: int = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._left = b""

    def accept(self) -> Sent:
        """Wait for a client; its CONNECT."""
        self.hang_up()
        self._client, _ = self._listener.accept()
        self._client.settimeout(WAIT_S)
        return self.expect(1)

    def connect(self, properties: bytes = b"\0", *, present: bool = False) -> Sent:
        """Let a client in and grant its subscription; its CONNECT."""
        asked = self.accept()
        self.send(wire.connack(0, properties, present=present))
        self.send(wire.suback(self.expect(8).packet_id, b"\x01"))
        return asked

    def send(self, *packets: bytes) -> None:
        assert self._client is not None
        self._client.sendall(b"".join(packets))

    def expect(self, kind: int) -> Sent:
        """The client's next packet, which is of this type."""
        found = self.read()
        assert found.kind == kind, found
        return found

    def read(self, wait_s: float = WAIT_S) -> Sent:
        """The client's next packet. Raises TimeoutError."""
        assert self._client is not None
        self._client.settimeout(wait_s)
        while (bounds := _bounds(self._left)) is None:
            piece = self._client.recv(65536)
            if not piece:
                raise EOFError("the client has closed")
            self._left += piece
        found = Sent(self._left[0], self._left[bounds[0] : bounds[1]])
        self._left = self._left[bounds[1] :]
        return found

    def silent(self, wait_s: float = 0.3) -> bool:
        """Whether the client says nothing for so long."""
        try:
            self.read(wait_s)
        except TimeoutError:
            return True
        return False

    def closed(self) -> bool:
        """Whether the client closes, in the end; what it said before does not count."""
        try:
            while True:
                self.read()
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def hang_up(self) -> None:
        """Break the connection without a word."""
        if self._client is not None:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._client.close()
        self._client, self._left = None, b""

    def close(self) -> None:
        self.hang_up()
        self._listener.close()


def _bounds(data: bytes) -> tuple[int, int] | None:
    value = 0
    for at in range(1, min(len(data), 5)):
        value |= (data[at] & 0x7F) << 7 * (at - 1)
        if not data[at] & 0x80:
            return (at + 1, at + 1 + value) if at + 1 + value <= len(data) else None
    return None


def up(number: int, packet_id: int, data: bytes = b"frame") -> bytes:
    """A terminal's message, as the broker passes it on."""
    return wire.publish(b"wattline/up/T%04d" % number, packet_id, data)
