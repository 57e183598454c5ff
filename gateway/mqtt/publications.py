"""Messages on their way to the broker at QoS 1, over as many connections as it takes. No I/O.

One thread calls `put`, another one all the rest: the queue between them is a deque, whose ends are safe to use.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from cext import mqtt_stream
from cext.mqtt_stream import Connack

IN_FLIGHT_MAX = 1000  # kept until the broker has them, some 200 bytes each; most brokers allow fewer
STARVED_BELOW = 500  # in flight: with a pause of 5 ms between reads, 100,000 a second need no more
ID_MIN, ID_MAX = 2, 0xFFFF  # packet id 1 is the subscription's
_REFUSED = 0x80  # reason codes from here on
_TOO_LARGE = 0x95


class Publications:
    """A bounded queue, and behind it what the broker has not acknowledged yet. Topics are prefix + name."""

    def __init__(self, prefix: str, queued_max: int) -> None:
        self._prefix = prefix.encode()
        self._queued_max = queued_max
        self._queue: deque[tuple[str, bytes]] = deque()
        self._in_flight: dict[int, tuple[str, bytes]] = {}  # by packet id
        self._again: deque[int] = deque()  # of those, what an earlier connection left
        self._session_present = False
        self._packet_bytes_max = mqtt_stream.PACKET_BYTES_MAX
        self._credit = 0  # how many may be in flight on this connection
        self._last_id = ID_MAX

    def put(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Queue (name, payload)s, as many as there is room for; how many: the others are dropped."""
        room = self._queued_max - len(self._queue)
        taken = messages[:room] if room < len(messages) else messages
        self._queue.extend(taken)
        return len(taken)

    def connected(self, connack: Connack) -> None:
        """A connection begins: what is in flight goes first, once more."""
        self._session_present = connack.session_present
        self._packet_bytes_max = connack.packet_bytes_max
        self._credit = min(connack.receive_maximum, IN_FLIGHT_MAX)
        self._again = deque(self._in_flight)

    def disconnected(self) -> None:
        """Nothing may be sent until `connected`."""
        self._credit = 0

    def next(self) -> tuple[bytes, list[int]]:
        """(packets that may be sent now, reasons of messages that are dropped instead)."""
        repeated, dropped = self._publishes(self._take_again(), dup=self._session_present)
        count = min(self._room, len(self._queue))
        messages = {packet_id: self._queue.popleft() for packet_id in self._new_ids(count)}
        self._in_flight.update(messages)
        fresh, too_large = self._publishes(messages, dup=False)
        return repeated + fresh, dropped + too_large

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
    def unacknowledged(self) -> int:
        """Messages that the broker has not acknowledged: those that wait, and those in flight."""
        return len(self._queue) + len(self._in_flight)

    @property
    def starved(self) -> bool:
        """Whether messages wait because the broker allows so few in flight."""
        return self._credit < STARVED_BELOW and self.queued > 0

    @property
    def _room(self) -> int:
        return max(0, self._credit - len(self._in_flight) + len(self._again))

    def _publishes(self, messages: dict[int, tuple[str, bytes]], *, dup: bool) -> tuple[bytes, list[int]]:
        """Their packets; what the broker does not take is in flight no more."""
        if not messages:
            return b"", []
        found, too_large = mqtt_stream.publishes(self._prefix, messages, self._packet_bytes_max, dup)
        for packet_id in too_large:
            del self._in_flight[packet_id]
        return found, [_TOO_LARGE] * len(too_large)

    def _take_again(self) -> dict[int, tuple[str, bytes]]:
        """What an earlier connection left in flight, as far as there is room."""
        found = {}
        while self._again and self._room:
            packet_id = self._again.popleft()
            if packet_id in self._in_flight:
                found[packet_id] = self._in_flight[packet_id]
        return found

    def _new_ids(self, count: int) -> list[int]:
        """Packet ids that are not in flight; there are sixty times as many."""
        following = range(self._last_id + 1, self._last_id + 1 + count)
        if following.stop <= ID_MAX + 1 and self._in_flight.keys().isdisjoint(following):
            self._last_id += count
            return list(following)
        found: list[int] = []
        while len(found) < count:
            self._last_id = self._last_id + 1 if self._last_id < ID_MAX else ID_MIN
            if self._last_id not in self._in_flight:
                found.append(self._last_id)
        return found
