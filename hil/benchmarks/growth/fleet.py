"""A gateway with a fleet of some size behind it: what a burst of all its terminals costs."""

import select
import socket
import time
from dataclasses import dataclass

from cext import mqtt_stream
from gateway.intake.deliveries import DOWN, UP
from gateway.mqtt import packets
from hil.benchmarks.crowd.stand import Stand, stand
from hil.benchmarks.deployed import Admitted
from hil.benchmarks.ingest.load import BOOT, EPOCH, SECRET, names
from hil.benchmarks.realistic import windows
from hil.process import BenchError
from protocol import frame, mac

PUBLISHERS = 8
FRAMES_LEAST = 20_000  # measured in all: CPU time is told in steps of 10 ms
PACKET_BYTES_MAX = 1 << 16
READ_BYTES = 1 << 18
IN_FLIGHT = 65_535
LIMIT_S = 120.0
KEY = mac.Key(SECRET, 1)


@dataclass(frozen=True)
class Fleet:
    """What it costs with so many terminals. commit_ms: the mean, and what 99 % of the commits are within."""

    terminals: int
    cpu_us: float  # of the gateway's process, a message
    rss_mib: float
    commit_ms: float
    commit_99_ms: float
    burst_s: float  # from the first publish to the last ack
    commits: float  # a burst, each with a sync
    written_bytes: float  # to the disk, a message


def fleet(terminals: int, seed: int) -> Fleet:
    """All terminals at once, a window each, again and again. Raises BenchError."""
    bursts = max(2, -(-FRAMES_LEAST // terminals))
    raws = windows(bursts + 1, seed, int(time.time()))
    with stand([Admitted(name) for name in names(terminals)]) as pair:
        load = _Load(pair.port)
        load.burst(terminals, 0, raws[0])  # topics are known then, and files have grown
        before, cpu_s, written, seconds = pair.metrics(), pair.cpu_s(), pair.written_bytes(), 0.0
        for number in range(1, bursts + 1):
            seconds += load.burst(terminals, number, raws[number])
        cpu_s, written = pair.cpu_s() - cpu_s, pair.written_bytes() - written
        count, mean_ms, most_ms = _commits(before, pair)
        load.close()
        messages = bursts * terminals
        return Fleet(
            terminals, cpu_s / messages * 1e6, pair.rss_mib(), mean_ms, most_ms, seconds / bursts,
            count / bursts, written / messages,
        )  # fmt: skip


def _commits(before: dict[str, float], pair: Stand) -> tuple[float, float, float]:
    """(how many, the mean, a bound of 99 %) of the commits since, ms."""
    after = pair.metrics()
    grown = {name: value - before.get(name, 0) for name, value in after.items() if name.startswith("wattline_commit_s")}
    count = grown["wattline_commit_seconds_count"]
    bounds = sorted(
        (float(name.split('"')[1]), value) for name, value in grown.items() if "_bucket" in name and "Inf" not in name
    )
    within = next((bound for bound, value in bounds if value >= 0.99 * count), float("inf"))
    return count, grown["wattline_commit_seconds_sum"] / count * 1000, within * 1000


class _Load:
    """Publishers for all terminals, and one that sees every ack."""

    def __init__(self, port: int) -> None:
        self._publishers = [_connect(port, f"fleet-{number}") for number in range(PUBLISHERS)]
        self._parser = mqtt_stream.Parser(PACKET_BYTES_MAX, 64, 0, DOWN.encode())
        self._acks = _connect(port, "fleet-acks", self._parser)
        self._acks.sendall(packets.subscribe(DOWN + "+", 1))
        self._parser.feed(self._acks.recv(READ_BYTES), READ_BYTES)
        self._poll = select.epoll()
        for one in [*self._publishers, self._acks]:
            one.setblocking(False)  # noqa: FBT003  (the socket's own word)
            self._poll.register(one, select.EPOLLIN | (0 if one is self._acks else select.EPOLLOUT))

    def burst(self, terminals: int, number: int, raw: bytes) -> float:
        """A frame of each terminal; seconds from the first publish to the last terminal's ack. Raises BenchError."""
        left = {}
        for at, one in enumerate(self._publishers):
            own = names(terminals)[at::PUBLISHERS]
            sealed = {
                n: (name, frame.seal_frame(KEY, name, EPOCH, BOOT, number, [raw])) for n, name in enumerate(own, 1)
            }
            data = mqtt_stream.publishes(UP.encode(), sealed, PACKET_BYTES_MAX, dup=False)[0]
            left[one.fileno()] = memoryview(data)
            self._poll.modify(one, select.EPOLLIN | select.EPOLLOUT)
        begun_s, acked = time.monotonic(), set[str]()
        sockets = {one.fileno(): one for one in self._publishers}
        while len(acked) < terminals:
            if time.monotonic() > begun_s + LIMIT_S:
                raise BenchError(f"{len(acked)} of {terminals} terminals acknowledged after {LIMIT_S:g} s")
            for descriptor, events in self._poll.poll(1):
                if descriptor == self._acks.fileno():
                    acked.update(self._hear())
                    continue
                if events & select.EPOLLIN:
                    sockets[descriptor].recv(READ_BYTES)  # PUBACKs
                if events & select.EPOLLOUT:
                    left[descriptor] = left[descriptor][sockets[descriptor].send(left[descriptor]) :]
                    if not left[descriptor]:
                        self._poll.modify(descriptor, select.EPOLLIN)
        return time.monotonic() - begun_s

    def close(self) -> None:
        """End the connections."""
        for one in [*self._publishers, self._acks]:
            one.close()
        self._poll.close()

    def _hear(self) -> list[str]:
        found = self._parser.feed(self._acks.recv(READ_BYTES), READ_BYTES)
        self._acks.setblocking(True)  # noqa: FBT003
        self._acks.sendall(mqtt_stream.pubacks(found.packet_ids))
        self._acks.setblocking(False)  # noqa: FBT003
        return found.names


def _connect(port: int, name: str, parser: mqtt_stream.Parser | None = None) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(packets.connect(name, None, 600, 0, IN_FLIGHT, PACKET_BYTES_MAX))
    answer = client.recv(READ_BYTES)
    if parser is not None:
        parser.feed(answer, READ_BYTES)
    return client
