"""The gateway's other way in, in the simulation: its own Modbus lines, the loop in the place of threads and sockets."""

import asyncio
import itertools
import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random

import structlog

from gateway.config import ModbusConfig
from gateway.intake.deliveries import Delivery
from gateway.modbus_intake.intake import CONNECTION, DOWN_MAX
from gateway.modbus_intake.line import Line
from gateway.modbus_intake.link import READ, WRITE, LinkError
from gateway.modbus_intake.metrics import ModbusMetrics
from gateway.mqtt.session import Token
from hil.sim.loop import VirtualLoop
from hil.sim.network import Network
from hil.sim.streams import Reader, Writer

CONNECT_S = 5.0
_MBAP = struct.Struct(">HHHB")  # transaction, protocol, bytes that follow, unit: messaging on TCP/IP 1.0b, 3.1.3


class Link:
    """gateway.modbus_intake.line.Master over the simulation's network. After a failure it connects anew."""

    def __init__(self, network: Network, config: ModbusConfig) -> None:
        self._network = network
        self._config = config
        self._transaction = 0
        self._open: tuple[Reader, Writer] | None = None

    async def read(self, unit: int, address: int, count: int) -> bytes:
        """The bytes of `count` holding registers."""
        answer = await self._ask(unit, struct.pack(">BHH", READ, address, count))
        if answer[:2] != bytes((READ, 2 * count)) or len(answer) != 2 + 2 * count:
            raise LinkError("exception" if answer[0] & 0x80 else "count")
        return answer[2:]

    async def write(self, unit: int, address: int, data: bytes) -> None:
        """Write the registers whose bytes these are."""
        head = struct.pack(">BHHB", WRITE, address, len(data) // 2, len(data))
        answer = await self._ask(unit, head + data)
        if answer != head[:5]:
            raise LinkError("exception" if answer[0] & 0x80 else "count")

    async def settle(self) -> None:
        """Over TCP each answer says which request it is to."""

    async def _ask(self, unit: int, pdu: bytes) -> bytes:
        try:
            return await asyncio.wait_for(self._exchange(unit, pdu), self._config.timeout_ms / 1000)
        except (LinkError, OSError, EOFError, TimeoutError) as error:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            if isinstance(error, LinkError):
                raise
            raise LinkError("silent" if isinstance(error, TimeoutError) else "lost") from error

    async def _exchange(self, unit: int, pdu: bytes) -> bytes:
        reader, writer = self._open or await self._connect()
        self._open = (reader, writer)
        self._transaction = (self._transaction + 1) & 0xFFFF
        writer.write(_MBAP.pack(self._transaction, 0, 1 + len(pdu), unit) + pdu)
        transaction, _protocol, size, who = _MBAP.unpack(await reader.readexactly(_MBAP.size))
        answer = await reader.readexactly(size - 1)
        if (transaction, who) != (self._transaction, unit):
            raise LinkError("unit" if who != unit else "late")
        return answer

    async def _connect(self) -> tuple[Reader, Writer]:
        try:
            return await self._network.connect("gateway", self._config.port, CONNECT_S)
        except OSError as error:
            raise LinkError("unreachable") from error


class ModbusIntake:
    """What gateway.carriers.Carrier asks for; `run` is its task. `point(terminal, ack)`: see hil.sim.intake."""

    def __init__(
        self,
        loop: VirtualLoop,
        network: Network,
        configs: Sequence[ModbusConfig],
        about: tuple[ModbusMetrics, structlog.typing.FilteringBoundLogger],
        random: Random,
        arrived: asyncio.Event,
        point: Callable[[str, bytes], None],
    ) -> None:
        self._loop = loop
        self._arrived = arrived
        self._point = point
        self._waiting: list[Delivery] = []
        self._released: dict[int, asyncio.Future[None]] = {}
        self._down = {one.id: deque[bytes]() for config in configs for one in config.terminals}
        self._numbers = itertools.count(1)
        metrics, log = about
        self._lines = [
            Line(config, Link(network, config), self._deliver, self._take_down, metrics, log, loop.time, random)
            for config in configs
        ]

    def start(self) -> None:
        """Its task is started by who owns it."""

    def stop(self) -> None:
        """Likewise."""

    async def run(self) -> None:
        """Visit all terminals, for ever."""
        await asyncio.gather(*(line.run() for line in self._lines))

    def take(self, count: int, idle_s: float, wait_s: float) -> list[Delivery]:
        """What has come; the waiting was done before."""
        del idle_s, wait_s
        batch = self._waiting[:count]
        del self._waiting[:count]
        return batch

    def release(self, tokens: Iterable[Token]) -> None:
        """The frames' fate is durable: their lines go on."""
        for token in tokens:
            self._point("", b"")
            self._released.pop(token[1]).set_result(None)

    def publish_down(self, messages: Sequence[tuple[str, bytes]]) -> int:
        """Have acks written to the terminals. How many: not dropped."""
        return sum(self._keep_down(terminal, data) for terminal, data in messages)

    @property
    def waiting(self) -> int:
        """Frames that nobody has taken yet."""
        return len(self._waiting)

    def _keep_down(self, terminal: str, data: bytes) -> bool:
        self._point(terminal, data)
        waiting = self._down.get(terminal)
        if waiting is None or len(waiting) >= DOWN_MAX:
            return False
        waiting.append(data)
        return True

    async def _deliver(self, terminal: str, where: str, data: bytes) -> list[bytes]:
        number = next(self._numbers)
        released = self._released[number] = self._loop.create_future()
        self._waiting.append(Delivery(terminal, where, data, len(data), (CONNECTION, number)))
        self._arrived.set()
        await released
        return self._take_down(terminal)

    def _take_down(self, terminal: str) -> list[bytes]:
        found = list(self._down[terminal])
        self._down[terminal].clear()
        return found
