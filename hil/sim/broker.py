"""A broker as a careful reader of the standard fears it: at QoS 1 it acknowledges what it then may lose.

Sessions are kept over connections and over a clean stop; a kill loses them, or puts back what was last saved. Beyond
`queued_max` messages of a session are dropped. A message on its way to a subscriber may be lost, doubled or held back
(`Manners`), all of which mosquitto does at a restart or past its queue.
"""

import asyncio
import copy
import random
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hil.sim import mqtt
from hil.sim.loop import Domain, VirtualLoop
from hil.sim.network import Network, Server
from hil.sim.streams import Reader, Writer
from hil.sim.trace import Trace

PORT = 1883
PACKET_BYTES_MAX = 1 << 20
UP = "wattline/up/"


@dataclass
class Manners:
    """How it treats messages. Shares are of 1000; held_s: at most so long are those held that it holds back."""

    queued_max: int = 1000  # mosquitto's
    receive_maximum: int = 20
    packet_max: int = PACKET_BYTES_MAX
    lost_permille: int = 0
    doubled_permille: int = 0
    held_permille: int = 0
    held_s: int = 30
    forgetful: bool = True  # after a kill nothing is left; else what was saved last


@dataclass
class Session:
    """What is kept for a client."""

    filters: list[str] = field(default_factory=list)
    queue: deque[tuple[str, bytes]] = field(default_factory=deque)
    in_flight: dict[int, mqtt.Publish] = field(default_factory=dict)
    last_id: int = 0


class Broker:
    """One broker on PORT."""

    def __init__(self, loop: VirtualLoop, network: Network, random_: random.Random, trace: Trace) -> None:
        self.manners = Manners()
        self._published = 0
        self.dropped = 0
        self.on_connect: Callable[[str], None] = lambda _client: None
        self.overheard: Callable[[str, bytes], None] = lambda _topic, _payload: None  # by who listens to everything
        self.on_publish: Callable[[str, str, bytes], None] = lambda _client, _topic, _payload: None
        self._loop = loop
        self._network = network
        self._random = random_
        self._trace = trace
        self._sessions: dict[str, Session] = {}
        self._saved: dict[str, Session] = {}
        self._clients: dict[str, Client] = {}
        self._domain = Domain("broker")
        self._server: Server | None = None

    @property
    def running(self) -> bool:
        """Whether it is up."""
        return self._server is not None

    def published(self) -> int:
        """Frames that terminals have published to it, repetitions included."""
        return self._published

    def start(self) -> None:
        """Take connections."""
        self._domain = Domain("broker")
        self._sessions = copy.deepcopy(self._saved)
        self._server = self._network.listen(self._serve, PORT, self._domain)

    def stop(self) -> None:
        """A clean end: everything is saved."""
        self._saved = copy.deepcopy(self._sessions)
        self._end(silent=False)

    def kill(self, *, silent: bool = False) -> None:
        """kill -9, or (silent) its machine's power: what was not saved is gone."""
        if self.manners.forgetful:
            self._saved = {}
        self._end(silent=silent)

    def save(self) -> None:
        """As mosquitto's autosave."""
        self._saved = copy.deepcopy(self._sessions)

    def inject(self, topic: str, payload: bytes) -> None:
        """A message of somebody whom nobody knows."""
        if self.running:
            self._route(topic, payload)

    def _end(self, *, silent: bool) -> None:
        self._trace.add("broker", "ends")
        self._domain.kill()
        self._clients = {}
        self._network.end_server(PORT, silent=silent)
        self._server = None

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        client: Client | None = None
        domain = self._domain
        try:
            first, body = await asyncio.wait_for(_receive(reader), 10)
            if first >> 4 == mqtt.CONNECT:
                client = self._connected(mqtt.read_connect(body), writer)
                while await self._next(client, reader):
                    pass
        except (OSError, EOFError, TimeoutError, ValueError, struct.error, IndexError) as error:
            self._trace.add("broker", f"connection of {client.name if client else '?'} ends: {error!r}")
        finally:
            if not domain.dead:
                writer.close()
                if client is not None and self._clients.get(client.name) is client:
                    del self._clients[client.name]

    async def _next(self, client: "Client", reader: Reader) -> bool:
        first, body = await _receive(reader)
        client.heard_us = self._loop.now_us
        if self._clients.get(client.name) is not client:
            return False  # somebody else has its name by now
        kind = first >> 4
        if kind == mqtt.PUBLISH:
            message = mqtt.read_publish(first, body)
            if message.packet_id:
                client.writer.write(mqtt.puback(message.packet_id))
            self._published += message.topic.startswith(UP)
            self.on_publish(client.name, message.topic, message.payload)
            self._route(message.topic, message.payload)
        elif kind == mqtt.PUBACK:
            client.session.in_flight.pop(int.from_bytes(body[:2], "big"), None)
            client.send_more()
        elif kind == mqtt.SUBSCRIBE:
            packet_id, topic_filter = mqtt.read_subscribe(body)
            if topic_filter not in client.session.filters:
                client.session.filters.append(topic_filter)
            client.writer.write(mqtt.suback(packet_id))
        elif kind == mqtt.PINGREQ:
            client.writer.write(mqtt.PINGRESP)
        return kind != mqtt.DISCONNECT

    def _connected(self, connect: mqtt.Connect, writer: Writer) -> "Client":
        before = self._clients.pop(connect.client, None)
        if before is not None:
            before.writer.write(mqtt.disconnect(mqtt.TAKEN_OVER))
            before.writer.close()
        if connect.clean:
            self._sessions.pop(connect.client, None)
        present = connect.client in self._sessions
        session = self._sessions.setdefault(connect.client, Session())
        client = self._clients[connect.client] = Client(connect, session, writer)
        client.heard_us = self._loop.now_us
        self.on_connect(connect.client)
        manners = self.manners
        writer.write(
            mqtt.connack(
                session_present=present, receive_maximum=manners.receive_maximum, packet_max=manners.packet_max
            )
        )
        client.send_again()
        self._watch(client, self._domain)
        return client

    def _watch(self, client: "Client", domain: Domain) -> None:
        """End a connection whose client is silent for one and a half times its keep-alive."""
        if domain.dead or self._clients.get(client.name) is not client or not client.keepalive_s:
            return
        due_us = client.heard_us + 1_500_000 * client.keepalive_s
        if self._loop.now_us < due_us:
            self._loop.at_us(due_us, self._watch, client, domain)
            return
        self._trace.add("broker", f"hears nothing of {client.name}")
        client.writer.transport.abort()

    def _route(self, topic: str, payload: bytes) -> None:
        self.overheard(topic, payload)
        for name, session in self._sessions.items():
            if any(_matches(topic_filter, topic) for topic_filter in session.filters):
                self._treat(name, topic, payload)

    def _treat(self, name: str, topic: str, payload: bytes) -> None:
        """Give a message to a session, as manners are."""
        manners, draw = self.manners, self._random.randrange
        if manners.lost_permille and draw(1000) < manners.lost_permille:
            self.dropped += 1
            self._trace.add("broker", f"loses a message for {name}")
            return
        if manners.doubled_permille and draw(1000) < manners.doubled_permille:
            self._give(name, topic, payload, self._domain)
        if manners.held_permille and draw(1000) < manners.held_permille:
            later_us = self._loop.now_us + draw(1 + manners.held_s * 1_000_000)
            self._loop.at_us(later_us, self._give, name, topic, payload, self._domain)
            return
        self._give(name, topic, payload, self._domain)

    def _give(self, name: str, topic: str, payload: bytes, domain: Domain) -> None:
        session = self._sessions.get(name)
        if domain.dead or session is None:
            return  # what it held was in its memory
        if len(session.queue) >= self.manners.queued_max:
            self.dropped += 1
            self._trace.add("broker", f"drops a message for {name}: its queue is full")
            return
        session.queue.append((topic, payload))
        client = self._clients.get(name)
        if client is not None:
            client.send_more()


class Client:
    """A connected client."""

    def __init__(self, connect: mqtt.Connect, session: Session, writer: Writer) -> None:
        self.name = connect.client
        self.keepalive_s = connect.keepalive_s
        self.session = session
        self.writer = writer
        self.heard_us = 0
        self._receive_maximum = connect.receive_maximum
        self._packet_max = connect.packet_max

    def send_again(self) -> None:
        """What an earlier connection left in flight, then the queue."""
        for message in self.session.in_flight.values():
            self.writer.write(mqtt.publish(message, dup=True))
        self.send_more()

    def send_more(self) -> None:
        """As much of the queue as the client takes."""
        session = self.session
        while session.queue and len(session.in_flight) < self._receive_maximum:
            topic, payload = session.queue.popleft()
            if len(payload) + len(topic) + 16 > self._packet_max:
                continue  # as the standard has it: dropped, as if it were sent
            session.last_id = session.last_id % 65535 + 1
            while session.last_id in session.in_flight:
                session.last_id = session.last_id % 65535 + 1
            message = mqtt.Publish(topic, session.last_id, payload)
            session.in_flight[session.last_id] = message
            self.writer.write(mqtt.publish(message, dup=False))


async def _receive(reader: Reader) -> tuple[int, bytes]:
    """The next packet: its first byte and its body."""
    first = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        octet = (await reader.readexactly(1))[0]
        size |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            break
        if shift > 21:
            raise ValueError("length of more than 4 bytes")
    if size > PACKET_BYTES_MAX:
        raise ValueError(f"a packet of {size} bytes")
    return first, await reader.readexactly(size)


def _matches(topic_filter: str, topic: str) -> bool:
    """Filters here end in one +, or have none."""
    if topic_filter.endswith("+"):
        return topic.startswith(topic_filter[:-1]) and "/" not in topic[len(topic_filter) - 1 :]
    return topic == topic_filter
