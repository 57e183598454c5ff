"""A terminal with a connection of its own, as the broker and the gateway see it: it waits for acks, and sends on."""

import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from cext import mqtt_stream
from gateway.intake.deliveries import DOWN, UP
from gateway.mqtt import packets
from hil.benchmarks.ingest.load import BOOT, EPOCH, SECRET
from hil.process import BenchError
from protocol import ack, down, frame, mac

READ_BYTES = 1 << 16
PACKET_BYTES_MAX = 1 << 16
TOPIC_BYTES_MAX = 64
PAYLOAD_BYTES_MAX = 4096
KEEPALIVE_S = 600
PACKET_IDS = 65_535
AGAIN_S = 30.0  # a frame without an ack is sent again: mosquitto drops what finds no room


class Terminal:
    """Frames of records in two lanes, live ones first; at most `flights_most` frames are out without an ack."""

    def __init__(self, port: int, name: str, flights_most: int, secret: bytes = SECRET) -> None:
        self.name = name
        self.prepared: Mapping[tuple[int, ...], bytes] = {}  # frames that were sealed beforehand
        self._key = mac.Key(secret, 1)
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._parser = mqtt_stream.Parser(PACKET_BYTES_MAX, TOPIC_BYTES_MAX, PAYLOAD_BYTES_MAX, DOWN.encode())
        self._ask(packets.connect(name, None, KEEPALIVE_S, 0, PACKET_IDS, PACKET_BYTES_MAX))
        self._ask(packets.subscribe(DOWN + name, 1))
        self.socket.setblocking(False)  # noqa: FBT003  (the socket's own word)
        self.live: deque[tuple[int, ...]] = deque()  # each frame as the numbers of its records
        self.backlog: deque[tuple[int, ...]] = deque()
        self.flights: dict[tuple[int, ...], float] = {}  # when it was sent, monotonic s
        self.acked_s: dict[tuple[int, ...], float] = {}  # when its ack came
        self.sent_s: dict[tuple[int, ...], float] = {}  # when it was sent first
        self._flights_most = flights_most
        self._packet_id = 0
        self._out = b""

    @property
    def done(self) -> bool:
        """Whether all has its ack."""
        return not (self.live or self.backlog or self.flights)

    def again(self, now_s: float) -> bool:
        """Frames whose ack does not come are to be sent again, the oldest first; whether there are any."""
        late = [one for one, sent_s in self.flights.items() if now_s > sent_s + AGAIN_S]
        for numbers in late:
            del self.flights[numbers]
            self.backlog.appendleft(numbers)
        return bool(late)

    def send(self, records: Sequence[bytes], now_s: float) -> bool:
        """What may go out goes out; whether bytes are left that the socket did not take."""
        while len(self.flights) < self._flights_most and (self.live or self.backlog):
            numbers = self.live.popleft() if self.live else self.backlog.popleft()
            self.flights[numbers] = now_s
            self.sent_s.setdefault(numbers, now_s)
            self._out += self._publish(self.prepared.get(numbers) or self._seal(numbers, records, now_s))
        while self._out:
            try:
                self._out = self._out[self.socket.send(self._out) :]
            except BlockingIOError:
                return True
        return False

    def hear(self, now_s: float) -> int:
        """Take in what came; returns how many frames were acknowledged."""
        found = self._parser.feed(self.socket.recv(READ_BYTES), PACKET_IDS)
        self._out += mqtt_stream.pubacks(found.packet_ids)
        count = 0
        for data in found.payloads:
            said = down.open_down(data, self.name, {1: self._key})
            durable = said.durable if isinstance(said, ack.Ack) else ()
            for numbers in [one for one in self.flights if _is_in(one, durable)]:
                del self.flights[numbers]
                self.acked_s[numbers] = now_s
                count += 1
        return count

    def _ask(self, packet: bytes) -> None:
        """Send, and wait for an answer. Raises BenchError where it is none of success."""
        self.socket.sendall(packet)
        found = self._parser.feed(self.socket.recv(READ_BYTES), PACKET_IDS)
        if not found.controls:
            raise BenchError(f"the broker does not accept {self.name}: {found}")

    def _seal(self, numbers: tuple[int, ...], records: Sequence[bytes], now_s: float) -> bytes:
        raws = [records[number] for number in numbers]
        return frame.seal_frame(self._key, self.name, EPOCH, BOOT, int(now_s * 1000), raws)

    def _publish(self, data: bytes) -> bytes:
        self._packet_id = self._packet_id % PACKET_IDS + 1
        return mqtt_stream.publishes(UP.encode(), {self._packet_id: (self.name, data)}, PACKET_BYTES_MAX, dup=False)[0]


class Crowd:
    """Terminals that one process serves, turn by turn."""

    def __init__(self, terminals: Iterable[Terminal]) -> None:
        self._poll, self._look_at_s = select.epoll(), 0.0
        self.terminals = {one.socket.fileno(): one for one in terminals}
        for number in self.terminals:
            self._poll.register(number, select.EPOLLIN)

    def turn(self, records: Sequence[bytes], wait_s: float) -> int:
        """Hear and send; returns how many frames were acknowledged."""
        count = 0
        for number, _ in self._poll.poll(wait_s):
            one = self.terminals[number]
            count += one.hear(time.monotonic())
            self._go_on(number, one, records)
        return count

    def again(self, records: Sequence[bytes], now_s: float) -> None:
        """Look for flights whose ack does not come, once a second, and send them again."""
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + 1
            for number, one in self.terminals.items():
                if one.again(now_s):
                    self._go_on(number, one, records)

    def start(self, records: Sequence[bytes]) -> None:
        """Let each send what it may."""
        for number, one in self.terminals.items():
            self._go_on(number, one, records)

    def close(self) -> None:
        """End all connections."""
        for one in self.terminals.values():
            one.socket.close()
        self._poll.close()

    def _go_on(self, number: int, one: Terminal, records: Sequence[bytes]) -> None:
        is_left = one.send(records, time.monotonic())
        self._poll.modify(number, select.EPOLLIN | (select.EPOLLOUT if is_left else 0))


def _is_in(numbers: tuple[int, ...], durable: Sequence[tuple[int, int]]) -> bool:
    return any(first <= numbers[0] and numbers[-1] <= last for first, last in durable)
