"""Messages on their way to the broker at QoS 1, over as many connections as it takes. No I/O.

One thread calls `put`, another one all the rest: the queue between them is a deque, whose ends are safe to use.
"""

from collections import deque
from collections.abc import Iterable

from cext import mqtt_stream
from cext.mqtt_stream import Connack
from gateway.intake.packets import repeated

IN_FLIGHT_MAX = 1000  # kept until the broker has them, some 200 bytes each; most brokers allow fewer
STARVED_BELOW = 200  # in flight, with a pause of 1 ms between reads: 200,000 a second need no more
ID_MIN, ID_MAX = 2, 0xFFFF  # packet id 1 is the subscription's
_REFUSED = 0x80  # reason codes from here on
_TOO_LARGE = 0x95


class Downlink:
    """A bounded queue, and behind it what the broker has not acknowledged yet."""

    def __init__(self, queued_max: int) -> None:
        self._queued_max = queued_max
        self._queue: deque[tuple[str, bytes]] = deque()
        self._in_flight: dict[int, bytes] = {}  # packet id to packet
        self._again: deque[int] = deque()  # of those, what an earlier connection left
        self._session_present = False
        self._packet_bytes_max = mqtt_stream.PACKET_BYTES_MAX
        self._credit = 0  # how many may be in flight on this connection
        self._last_id = ID_MAX

    def put(self, topic: str, payload: bytes) -> bool:
        """Queue a message. False: there is no room, it is dropped."""
        if len(self._queue) >= self._queued_max:
            return False
        self._queue.append((topic, payload))
        return True

    def connected(self, connack: Connack) -> None:
        """A connection begins: what is in flight goes first, once more."""
        self._session_present = connack.session_present
        self._packet_bytes_max = connack.packet_bytes_max
        self._credit = min(connack.receive_maximum, IN_FLIGHT_MAX)
        self._again = deque(self._in_flight)

    def disconnected(self) -> None:
        """Nothing may be sent until `connected`."""
        self._credit = 0

    def next(self) -> tuple[list[bytes], list[int]]:
        """(packets that may be sent now, reasons of those that were dropped instead)."""
        found = self._repeat()
        messages = [self._queue.popleft() for _ in range(min(self._room, len(self._queue)))]
        made = {
            packet_id: mqtt_stream.publish(topic, packet_id, payload)
            for packet_id, (topic, payload) in zip(self._new_ids(len(messages)), messages, strict=True)
        }
        too_large = [packet_id for packet_id, packet in made.items() if len(packet) > self._packet_bytes_max]
        for packet_id in too_large:
            del made[packet_id]
        self._in_flight.update(made)
        return [*found, *made.values()], [_TOO_LARGE] * len(too_large)

    def acknowledged(self, pubacks: Iterable[tuple[int, int]]) -> list[int]:
        """The broker's (packet id, reason). Returns the reasons of what it refused: that is dropped."""
        return [
            reason
            for packet_id, reason in pubacks
            if self._in_flight.pop(packet_id, None) is not None and reason >= _REFUSED
        ]

    @property
    def sendable(self) -> bool:
        """Whether something may be sent now."""
        return self._room > 0 and self.queued > 0

    @property
    def queued(self) -> int:
        """Messages that wait for the broker's leave."""
        return len(self._queue) + len(self._again)

    @property
    def starved(self) -> bool:
        """Whether messages wait because the broker allows so few in flight."""
        return self._credit < STARVED_BELOW and self.queued > 0

    @property
    def _room(self) -> int:
        return max(0, self._credit - len(self._in_flight) + len(self._again))

    def _repeat(self) -> list[bytes]:
        """What an earlier connection left in flight, as far as there is room."""
        found = []
        while self._again and self._room:
            packet = self._in_flight.get(self._again.popleft())
            if packet is not None:
                found.append(repeated(packet) if self._session_present else packet)
        return found

    def _new_ids(self, count: int) -> list[int]:
        """Packet ids that are not in flight; there are sixty times as many."""
        found: list[int] = []
        while len(found) < count:
            self._last_id = self._last_id + 1 if self._last_id < ID_MAX else ID_MIN
            if self._last_id not in self._in_flight:
                found.append(self._last_id)
        return found
