"""One Modbus connection: a TCP endpoint, or a serial bus. The only module that knows pymodbus.

What pymodbus leaves to its caller is done here: the answer's kind and count are compared with the request, an answer
that is none of this request's is told from silence, a serial line is left in peace after a failure, so that a late
answer comes while nobody listens (RTU has no transaction id), and a connection over which nothing comes any more is
closed, so that the next request opens another.
"""

import asyncio
import logging
import struct
import termios
from collections.abc import Awaitable, Callable

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from gateway.config import ModbusConfig

READ, WRITE = 3, 16  # function codes: holding registers
SILENCES_MAX = 2  # in a row on TCP: a terminal that lost its power says nothing, and its connection stands for ever
CHARACTER_BITS = 11  # 8E1, or 8N1 with the slack of a UART
ADU_BYTES_MAX = 256  # Modbus over serial line 1.02, 2.5.1
GAP_CHARACTERS = 3.5  # the silence that ends a frame (2.5.1.1); fixed above 19200 baud
GAP_MIN_S = 0.00175

Client = AsyncModbusTcpClient | AsyncModbusSerialClient

# pymodbus says on stderr what we count by reason; ours are lines of JSON
logging.getLogger("pymodbus").addHandler(logging.NullHandler())
logging.getLogger("pymodbus").propagate = False


class LinkError(Exception):
    """No answer that is one. `reason`:

    unreachable: no connection, no such device; lost: the connection broke; silent: nothing came in time; garbled:
    something came that is no frame; unit, late: another unit's answer, another request's answer; function: of another
    kind; exception: the terminal refused; count: another number of registers; stale: out of somebody's memory, as
    line.py finds.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Link:
    """Requests, one at a time. Connects when it has to; `close` may be called at any time."""

    def __init__(self, config: ModbusConfig) -> None:
        """Nothing is opened yet."""
        self._config = config
        self._character_s = CHARACTER_BITS / config.baud if config.serial else 0.0
        self._client: Client | None = None
        self._heard = b""
        self._silences = 0

    async def read(self, unit: int, address: int, count: int) -> bytes:
        """The bytes of `count` holding registers. Raises LinkError."""
        client = await self._connected()
        answer = await self._ask(
            client, unit, lambda: client.read_holding_registers(address, count=count, device_id=unit)
        )
        self._expect(answer.function_code == READ, "function")
        self._expect(len(answer.registers) == count, "count")
        return struct.pack(f">{count}H", *answer.registers)

    async def write(self, unit: int, address: int, data: bytes) -> None:
        """Write the registers whose bytes these are. Raises LinkError; it may then have happened or not."""
        client = await self._connected()
        count = len(data) // 2
        values = list(struct.unpack(f">{count}H", data))
        answer = await self._ask(client, unit, lambda: client.write_registers(address, values, device_id=unit))
        self._expect(answer.function_code == WRITE, "function")
        self._expect((answer.address, answer.count) == (address, count), "count")

    async def settle(self) -> None:
        """Let pass what may still be on its way from an earlier request: a serial line has no other way to tell."""
        if self._config.serial:
            await asyncio.sleep(self._config.timeout_ms / 1000)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._silences = 0

    async def _connected(self) -> Client:
        if self._client is not None and self._client.connected:
            if self._config.serial:
                await asyncio.sleep(max(GAP_MIN_S, GAP_CHARACTERS * self._character_s))
            return self._client
        self.close()
        client = self._make()
        try:
            found = await client.connect()
        except (OSError, ValueError, termios.error, ModbusException):  # a speed or a parity that this port does not do
            found = False
        if not found:
            client.close()
            raise LinkError("unreachable")
        self._client = client
        return client

    def _make(self) -> Client:
        """A client without retries and reconnections: when to try again is decided per terminal, not here."""
        config = self._config
        timeout_s = config.timeout_ms / 1000
        if config.host:
            return AsyncModbusTcpClient(
                config.host,
                port=config.port,
                timeout=timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._hear,
            )
        return AsyncModbusSerialClient(
            config.serial or "",
            baudrate=config.baud,
            parity=config.parity,
            stopbits=config.stop,
            timeout=timeout_s + 2 * ADU_BYTES_MAX * self._character_s,  # from the request's first byte on
            retries=0,
            reconnect_delay=0,
            trace_packet=self._hear,
        )

    async def _ask(self, client: Client, unit: int, request: Callable[[], Awaitable[ModbusPDU]]) -> ModbusPDU:
        self._heard = b""
        try:
            answer = await request()
        except ModbusException as error:
            raise LinkError(await self._failed(unit)) from error
        self._silences = 0
        self._expect(answer.dev_id == unit, "unit")
        # pymodbus takes transaction number 0 for any; on RTU it is always 0
        self._expect(answer.transaction_id == client.ctx.next_tid, "late")
        self._expect(not answer.isError(), "exception")
        return answer

    def _hear(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._heard = data
        return data

    async def _failed(self, unit: int) -> str:
        """Why there was no answer; leaves the line so that the next request begins afresh."""
        heard = self._heard
        if self._client is None or not self._client.connected:
            self.close()
            return "lost"
        if self._config.serial:
            await asyncio.sleep(ADU_BYTES_MAX * self._character_s)
            return "silent" if not heard else "unit" if heard[0] != unit else "garbled"
        self._silences += 1
        if self._silences >= SILENCES_MAX:
            self.close()
        if len(heard) < 8:
            return "garbled" if heard else "silent"
        return "unit" if heard[6] != unit else "late"

    @staticmethod
    def _expect(condition: object, reason: str) -> None:
        if not condition:
            raise LinkError(reason)
