"""`python -m hil.benchmarks.peers.platform PORT FILE`: an MQTT server (3.1.1 and 5) that gateways forward to.

Each PUBLISH goes into FILE (length, topic, payload) before its PUBACK; how many came, and when the last one, is in
FILE.count (two uint64: messages, CLOCK_MONOTONIC ns), mapped into memory, so that who watches costs nothing.
A request by the topics of ThingsBoard's API is answered with what a server without limits says of its limits.
SIGUSR1 cuts all connections and takes none until the next SIGUSR1: the platform is away.
"""

import contextlib
import json
import mmap
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import BinaryIO

COUNT = struct.Struct("<QQ")
HEAD = struct.Struct("<HI")  # before each record: bytes of topic, of payload
READ_BYTES = 1 << 18
WAITING_BYTES_MAX = 1 << 24  # of one connection, not parsed yet: its packets are smaller
_RATES = {"messages": "0:0,", "telemetryMessages": "0:0,", "telemetryDataPoints": "0:0,"}
LIMITS = json.dumps(
    {"rateLimits": _RATES, "gatewayRateLimits": _RATES, "maxInflightMessages": 100, "maxPayloadSize": 65_536}
).encode()
REQUEST, RESPONSE = b"v1/devices/me/rpc/request/", b"v1/devices/me/rpc/response/"
_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE, _PING, _DISCONNECT = 1, 3, 8, 10, 12, 14


class Store:
    """What has come, in order."""

    def __init__(self, file: Path) -> None:
        self._out: BinaryIO = file.open("wb")
        counts = file.with_suffix(file.suffix + ".count")
        counts.write_bytes(bytes(COUNT.size))
        with counts.open("r+b") as stream:
            self._counts = mmap.mmap(stream.fileno(), COUNT.size)
        self._count = 0

    def add(self, topic: bytes, payload: bytes) -> None:
        """Another message; in the file after `flush`."""
        self._out.write(HEAD.pack(len(topic), len(payload)))
        self._out.write(topic)
        self._out.write(payload)
        self._count += 1

    def close(self) -> None:
        """Close the files."""
        self._out.close()
        self._counts.close()

    def flush(self) -> None:
        """Everything is in the file."""
        self._out.flush()
        COUNT.pack_into(self._counts, 0, self._count, time.monotonic_ns())


class Client:
    """One connection: bytes in, answers out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting = bytearray()
        self._version = 4

    def feed(self, data: bytes) -> bytes:
        """Take bytes; what is to be answered. Raises ValueError where they are no MQTT that gateways send."""
        self._waiting += data
        at, answers = 0, bytearray()
        while (end := self._packet_end(at)) is not None:
            body_at, end_at = end
            answers += self._packet(self._waiting[at], bytes(self._waiting[body_at:end_at]))
            at = end_at
        del self._waiting[:at]
        if len(self._waiting) > WAITING_BYTES_MAX:
            raise ValueError("packet too large")
        self._store.flush()
        return bytes(answers)

    def _packet_end(self, at: int) -> tuple[int, int] | None:
        """Where the body of the packet at `at` begins and ends; None: it is not here in whole."""
        size = shift = 0
        for place in range(at + 1, min(at + 5, len(self._waiting))):
            size |= (self._waiting[place] & 0x7F) << shift
            shift += 7
            if self._waiting[place] < 0x80:
                return (place + 1, place + 1 + size) if place + 1 + size <= len(self._waiting) else None
        return None

    def _packet(self, first: int, body: bytes) -> bytes:
        kind = first >> 4
        if kind == _PUBLISH:
            return self._publish(first, body)
        if kind == _CONNECT:
            self._version = body[6]
            sys.stdout.write('{"connected": true}\n')
            sys.stdout.flush()
            return b"\x20\x03\x00\x00\x00" if self._version == 5 else b"\x20\x02\x00\x00"
        if kind == _SUBSCRIBE:
            return self._subscribe(body)
        if kind == _UNSUBSCRIBE:
            return b"\xb0\x02" + body[:2]
        if kind == _PING:
            return b"\xd0\x00"
        if kind == _DISCONNECT:
            return b""
        raise ValueError(f"packet of type {kind}")

    def _publish(self, first: int, body: bytes) -> bytes:
        size = int.from_bytes(body[:2])
        topic, at, answer = body[2 : 2 + size], 2 + size, b""
        if first & 0x06:
            answer = b"\x40\x02" + body[at : at + 2]
            at += 2
        if self._version == 5:
            at += 1 + body[at]  # properties: of fewer than 128 bytes
        if topic.startswith(REQUEST):
            return answer + self._message(RESPONSE + topic.removeprefix(REQUEST), LIMITS)
        self._store.add(topic, body[at:])
        return answer

    def _subscribe(self, body: bytes) -> bytes:
        at, granted = 2, bytearray()
        if self._version == 5:
            at += 1 + body[at]
        while at < len(body):
            size = int.from_bytes(body[at : at + 2])
            granted.append(body[at + 2 + size] & 1)
            at += 3 + size
        middle = b"\x00" if self._version == 5 else b""
        return bytes((0x90, 2 + len(middle) + len(granted))) + body[:2] + middle + bytes(granted)

    def _message(self, topic: bytes, payload: bytes) -> bytes:
        """A PUBLISH at QoS 0, of less than 16 KiB."""
        body = struct.pack(">H", len(topic)) + topic + (b"\x00" if self._version == 5 else b"") + payload
        low, high = len(body) & 0x7F, len(body) >> 7
        return bytes((0x30, low | 0x80, high) if high else (0x30, low)) + body


class Server:
    """All connections, in one thread."""

    def __init__(self, port: int, store: Store) -> None:
        self._store = store
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._clients: dict[socket.socket, Client] = {}
        self._cut = False

    def run(self) -> None:
        """Until the process is ended."""
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "_cut", not self._cut))
        while True:
            if self._cut and self._listener:
                self._go_away()
            elif not self._cut and not self._listener:
                self._come_back()
            for key, _ in self._selector.select(0.05):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        """Another connection; what earlier ones have sent is taken first, also of a sender that was killed."""
        for client in list(self._clients):
            while self._read(client):
                pass
        if self._listener is not None:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)  # noqa: FBT003  (the socket's own word)
            self._clients[client] = Client(self._store)
            self._selector.register(client, selectors.EVENT_READ)

    def _read(self, client: socket.socket) -> bool:
        """Take what has come; whether there was something."""
        if client not in self._clients:
            return False
        try:
            data = client.recv(READ_BYTES)
            answer = self._clients[client].feed(data) if data else b""
            if answer:
                client.setblocking(True)  # noqa: FBT003
                client.sendall(answer)
                client.setblocking(False)  # noqa: FBT003
        except BlockingIOError:
            return False
        except (OSError, ValueError) as error:
            sys.stderr.write(f"connection ends: {error}\n")
            data = b""
        if not data:
            self._close(client)
        return bool(data)

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._clients[client]
        client.close()

    def _go_away(self) -> None:
        assert self._listener is not None  # the caller looked
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = None
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            self._close(client)

    def _come_back(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=16)
        self._selector.register(self._listener, selectors.EVENT_READ)


def received(file: Path) -> list[tuple[str, bytes]]:
    """(topic, payload) of all that a platform has recorded."""
    data, at, found = file.read_bytes(), 0, []
    while at + HEAD.size <= len(data):
        topic_bytes, payload_bytes = HEAD.unpack_from(data, at)
        topic_at = at + HEAD.size
        at = topic_at + topic_bytes + payload_bytes
        found.append((data[topic_at : topic_at + topic_bytes].decode(), data[topic_at + topic_bytes : at]))
    return found


def progress(file: Path) -> tuple[int, int]:
    """(messages, CLOCK_MONOTONIC ns of the last one) so far."""
    count, at_ns = COUNT.unpack(file.with_suffix(file.suffix + ".count").read_bytes())
    return int(count), int(at_ns)


def main() -> None:
    """See above."""
    server = Server(int(sys.argv[1]), Store(Path(sys.argv[2])))
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
