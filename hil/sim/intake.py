"""The gateway's way in, in the simulation: its own MQTT session and downlink, with the loop in the carrier's place."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.config import MqttConfig
from gateway.intake.deliveries import ACKS_WAITING_MAX, DOWN, Delivery
from gateway.intake.session import make_session
from gateway.mqtt import packets
from gateway.mqtt.publications import Publications
from gateway.mqtt.session import Session, SessionError, Token
from hil.sim.broker import PORT
from hil.sim.loop import VirtualLoop
from hil.sim.network import Network
from hil.sim.streams import Writer
from hil.sim.waiting import Bell, Inbox

CONNECT_S = 5.0
RECONNECT_MIN_S = 1.0
STEADY_S = 5.0


class Intake:
    """What gateway.carriers.Carrier asks for; `run` is its task. `point(what)` is called where a kill would matter."""

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        config: MqttConfig,
        jitter: Callable[[], float],
        arrived: asyncio.Event,
        point: Callable[[str, bytes], None],
        released: Callable[[str, bytes], None],
    ) -> None:
        self.states: list[tuple[str, dict[str, Any]]] = []
        self._loop = loop
        self._network = network
        self._config = config
        self._jitter = jitter
        self._arrived = arrived  # set when something has come
        self._point = point
        self._on_release = released
        self._taken: dict[Token, Delivery] = {}
        self._downlink = Publications(DOWN, ACKS_WAITING_MAX)
        self._released: deque[Token] = deque()
        self._waiting: list[Delivery] = []
        self._bell = Bell()
        self._connections = 0
        self._talking: tuple[Writer, Session] | None = None

    def start(self) -> None:
        """Its task is started by who owns it."""

    def stop(self) -> None:
        """Likewise."""

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """What has come; the waiting was done before."""
        del idle_s, wait_s
        batch = self._waiting[:count]
        del self._waiting[:count]
        self._taken.update((one.token, one) for one in batch)
        self._bell.ring()
        return batch

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Acks, on their way."""
        taken = 0
        for terminal, data in messages:
            self._point(terminal, data)
            taken += self._downlink.put([(terminal, data)])
            self._bell.ring()
        return taken

    def release(self, tokens: Iterable[Token]) -> None:
        """PUBACK."""
        for token in tokens:
            self._point("", b"")
            taken = self._taken.pop(token)
            self._on_release(taken.terminal, taken.data)
            self._released.append(token)
            self._bell.ring()

    def leave(self) -> None:
        """Send what was published and released, and part."""
        if self._talking is not None:
            writer, session = self._talking
            self._send(writer, session)
            writer.write(packets.disconnect(0))
            writer.close()

    @property
    def waiting(self) -> int:
        """Frames that nobody has taken yet."""
        return len(self._waiting)

    async def run(self) -> None:
        """Connect again and again."""
        failures = 0
        while True:
            begun_s = self._loop.time()
            try:
                await self._connect()
            except (SessionError, OSError) as error:
                self.states.append(("ended", {"reason": str(error)}))
            failures = 0 if self._loop.time() > begun_s + STEADY_S else failures + 1
            pause_s = min(RECONNECT_MIN_S * 2 ** min(failures, 20), self._config.reconnect_max_s)
            await self._loop.pause_us(round(pause_s * (1 + self._jitter()) / 2 * 1_000_000))

    async def _connect(self) -> None:
        reader, writer = await self._network.connect("gateway", PORT, CONNECT_S)
        self._connections += 1
        session = make_session(self._config, None, self._connections, self._downlink, self._on_state, self._loop.time())
        inbox = Inbox(reader, self._bell)
        self._talking = (writer, session)
        try:
            await self._converse(inbox, writer, session)
        finally:
            self._talking = None
            inbox.close()
            self._downlink.disconnected()
            writer.close()

    async def _converse(self, inbox: Inbox, writer: Writer, session: Session) -> None:
        while True:
            self._send(writer, session)
            room = max(self._config.receive_maximum - len(self._waiting), 0)
            data = inbox.take() if room and not session.left else b""
            if data or (room and session.left):
                self._hand_over(session, data, room)
                continue
            due_s = session.tick(self._loop.time(), reading=room > 0)
            if session.outgoing:
                continue
            await self._bell.wait(due_s - self._loop.time())

    def _send(self, writer: Writer, session: Session) -> None:
        if self._downlink.sendable:
            session.publish()
        if self._released:
            session.release(list(self._released))
            self._released.clear()
        if session.outgoing:
            writer.write(session.outgoing)
            session.sent(len(session.outgoing), self._loop.time())

    def _hand_over(self, session: Session, data: bytes, room: int) -> None:
        found = session.receive(data, room, self._loop.time())
        for name, topic, payload, size, packet_id in zip(
            found.names, found.topics, found.payloads, found.sizes, found.packet_ids, strict=True
        ):
            self._waiting.append(Delivery(name, topic, payload, size, (session.number, packet_id)))
        if self._waiting:
            self._arrived.set()

    def _on_state(self, state: str, detail: dict[str, Any]) -> None:
        self.states.append((state, detail))
