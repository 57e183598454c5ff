"""`python -m hil.benchmarks.peers.ours CONFIG PLATFORM_PORT`: our gateway, and a plain upstream for what it accepted.

The product's sink is HJ 212, which sends one packet and waits; to compare gateways and not protocols, this one forwards
the frames as they came, over MQTT at QoS 1. The platform keeps the cursor: its newest topic names block and frame, and
after any end the next one follows. It reads the journal as every sink does, in a thread of the gateway's process.
"""

import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cext import mqtt_stream
from gateway import app, config
from gateway.database import connect_for_reading
from gateway.intake import packets
from gateway.journal import blocks
from gateway.journal.journal import FILE

BLOCKS_A_TIME = 8  # 512 frames are under way at once
POLL_S = 0.01
RETRY_S = 0.5
PACKET_BYTES_MAX = 1 << 20
READ_BYTES = 1 << 16


class Link:
    """A connection to the platform. Raises OSError."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = mqtt_stream.Parser(PACKET_BYTES_MAX, 256, PACKET_BYTES_MAX, b"")
        self._socket.sendall(packets.connect("ours-up", None, 0, 60, 65_535, PACKET_BYTES_MAX))
        while not self._receive().controls:
            pass

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def last(self) -> tuple[int, int]:
        """(block, frame in it) that the platform has; (0, 0): nothing yet."""
        self._socket.sendall(packets.subscribe("last", 1))
        while not (found := self._receive().payloads):
            pass
        words = found[0].decode().split("/")
        return (int(words[1]), int(words[2])) if len(words) == 4 else (0, 0)

    def publish(self, messages: dict[int, tuple[str, bytes]]) -> None:
        """All of them; returns when the platform has them. At most 65,535."""
        packed, _ = mqtt_stream.publishes(b"frames/", messages, PACKET_BYTES_MAX, dup=False)
        self._socket.sendall(packed)
        left = len(messages)
        while left:
            left -= len(self._receive().pubacks)

    def _receive(self) -> mqtt_stream.Packets:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError("closed by the platform")
        return self._parser.feed(data, len(data))


def forward(file: Path, port: int) -> None:
    """Whatever the journal has and the platform has not, in order. Raises OSError, sqlite3.Error."""
    journal, link = connect_for_reading(file), Link(port)
    try:
        first, done = link.last()
        while True:
            rows = journal.execute(
                "SELECT first, frames FROM blocks WHERE first >= ? ORDER BY first LIMIT ?", (first, BLOCKS_A_TIME)
            ).fetchall()
            messages = list(_messages(rows, first, done))
            if not messages:
                time.sleep(POLL_S)
                continue
            link.publish(dict(enumerate(messages, start=1)))
            block, frame, _ = messages[-1][0].split("/")
            first, done = int(block), int(frame)
    finally:
        link.close()
        journal.close()


def _messages(rows: list[tuple[int, bytes]], first: int, done: int) -> Iterator[tuple[str, bytes]]:
    """(block / frame, from 1 on / terminal, the frame) of what follows."""
    for block, packed in rows:
        for number, kept in enumerate(blocks.frames_of(packed), start=1):
            if block > first or number > done:
                yield f"{block}/{number}/{kept.terminal}", kept.data


def keep_forwarding(file: Path, port: int) -> None:
    """For ever."""
    while True:
        try:
            forward(file, port)
        except (OSError, sqlite3.Error):
            time.sleep(RETRY_S)


def main() -> None:
    """See above. Ends at SIGTERM, as the gateway does."""
    path = Path(sys.argv[1])
    file = Path(config.load(path).data_dir) / FILE
    threading.Thread(target=keep_forwarding, args=(file, int(sys.argv[2])), daemon=True).start()
    app.run(path)


if __name__ == "__main__":
    main()
