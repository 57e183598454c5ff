"""Terminals with a mailbox behind real pymodbus servers, on TCP and on a serial line made of two ptys.

The terminal proper is `protocol.mailbox.Mailbox` with a log in memory: what the firmware will do with it.
"""

import asyncio
import os
import random
import selectors
import struct
import threading
import time
import tty
from collections.abc import Callable
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from protocol import ack, down, mailbox
from protocol.errors import FrameError
from tests.gateway.support import Sender

RECORDS_A_FRAME = 8


def real_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class MailboxTerminal:
    """A log of records, offered live first, freed by acks. Safe to use from any thread."""

    def __init__(self, sender: Sender, unit: int = 1, hold_ms: int = mailbox.HOLD_MS) -> None:
        self.sender = sender
        self.unit = unit
        self.live: dict[int, bytes] = {}
        self.backlog: dict[int, bytes] = {}
        self.offered: list[bytes] = []
        self.acks: list[ack.Ack] = []
        self.told: list[down.Request | down.Configuration] = []
        self.deaf = False  # takes no ack in
        self.dead = False  # answers nothing
        self._hold_ms = hold_ms
        self._changed = threading.Condition(threading.RLock())
        self._seqs: list[int] = []
        self._started_ms = 0
        self._offered_ms = 0
        self.restart()

    def restart(self) -> None:
        """Lose all but the log."""
        with self._changed:
            self.sender.boot_id += 1
            self._started_ms = real_ms()
            self.box = mailbox.Mailbox(self.sender.name, random.getrandbits(16), self._uptime_ms, self._answer)
            self._offer()

    def append(self, seq: int, data: bytes, *, live: bool = False) -> None:
        with self._changed:
            (self.live if live else self.backlog)[seq] = data
            if self.box.due(0):
                self._offer()

    def offer_raw(self, data: bytes) -> None:
        """Offer bytes that no log holds."""
        with self._changed:
            self._seqs = []
            self._offered_ms = real_ms()
            self.offered.append(data)
            self.box.offer(data, mailbox.BACKLOG, 0)

    def read(self, address: int, count: int) -> bytes:
        with self._changed:
            if self._seqs and real_ms() - self._offered_ms >= self._hold_ms:
                self._offer()
            return self.box.read(address, count)

    def write(self, address: int, data: bytes) -> None:
        with self._changed:
            self.box.write(address, data)

    def wait_empty(self, timeout_s: float = 60) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: not self.live and not self.backlog, timeout_s)
            assert done, f"{self.sender.name}: {len(self.live)} + {len(self.backlog)} records left"

    def wait_told(self, count: int, timeout_s: float = 60) -> list[down.Request | down.Configuration]:
        """The requests and configurations that came, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, timeout_s), f"{len(self.told)} of {count}"
            return list(self.told)

    def _uptime_ms(self) -> int:
        return real_ms() - self._started_ms

    def _offer(self) -> None:
        records, lane = (self.live, mailbox.LIVE) if self.live else (self.backlog, mailbox.BACKLOG)
        self._seqs = sorted(records)[:RECORDS_A_FRAME]
        self.box.waiting(len(self.live), len(self.backlog))
        if not self._seqs:
            self.box.withdraw()
            return
        data = self.sender.frame([records[seq] for seq in self._seqs])
        self.offered.append(data)
        self._offered_ms = real_ms()
        self.box.offer(data, lane, 0)

    def _answer(self, data: bytes, _read_ms: int | None) -> bool:
        try:
            found = self.sender.open_down(data)
        except FrameError:
            return False
        if self.deaf:
            return True
        if not isinstance(found, ack.Ack):
            self.told.append(found)
            self._changed.notify_all()
            return True
        self.acks.append(found)
        for first, last, *_ in [*found.durable, *found.refused]:
            for seq in range(first, last + 1):
                self.live.pop(seq, None)
                self.backlog.pop(seq, None)
        self._offer()
        self._changed.notify_all()
        return True


def device_of(terminal: MailboxTerminal, delay_s: Callable[[], float] = lambda: 0.0) -> SimDevice:
    """pymodbus' device that asks the terminal for every register."""

    async def act(
        function: int, start: int, address: int, count: int, registers: list[int], values: list[Any] | None
    ) -> ExcCodes | None:
        while terminal.dead:  # noqa: ASYNC110  (set from the test's thread)
            await asyncio.sleep(0.02)
        if late_s := delay_s():
            await asyncio.sleep(late_s)
        try:
            if values is None:
                data = terminal.read(address, count)
                registers[address - start : address - start + count] = struct.unpack(f">{count}H", data)
            elif function == 16:
                terminal.write(address, struct.pack(f">{count}H", *values))
            else:
                return ExcCodes.ILLEGAL_FUNCTION
        except mailbox.AddressError:
            return ExcCodes.ILLEGAL_ADDRESS
        return None

    areas = [
        SimData(first, count=count, values=0, datatype=DataType.REGISTERS)
        for first, count in (
            (mailbox.BASE, mailbox.BLOCK * mailbox.BLOCKS),
            (mailbox.IDENTITY, mailbox.IDENTITY_COUNT),
            (mailbox.ANSWER, mailbox.ANSWER_COUNT),
        )
    ]
    return SimDevice(terminal.unit, simdata=areas, action=act)


class Server:
    """A pymodbus server in a thread with a loop of its own."""

    def __init__(self, devices: list[SimDevice], *, port: int = 0, serial: str = "", baud: int = 115_200) -> None:
        self._ready = threading.Event()
        self._devices = devices
        self._serial = serial
        self._baud = baud
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    async def _serve(self) -> None:
        server = self._make()
        await server.serve_forever(background=True)
        if not self._serial:
            sockets: Any = server.transport
            self.port = sockets.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]
        for _ in range(10):  # requests that came last make their tasks only now
            await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make(self) -> ModbusTcpServer | ModbusSerialServer:
        if self._serial:
            return ModbusSerialServer(self._devices, port=self._serial, baudrate=self._baud, timeout=1)
        return ModbusTcpServer(self._devices, address=("127.0.0.1", self.port))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


class Wire:
    """A serial line: two ptys, and what is between them. `far` is the terminals' end, `near` the gateway's.

    change(up, data) -> data: what becomes of bytes on their way; up: from a terminal to the gateway.
    """

    def __init__(self, change: Callable[[bool, bytes], bytes] = lambda _up, data: data) -> None:
        self._change = change
        pairs = [os.openpty() for _ in range(2)]
        for _, slave in pairs:
            tty.setraw(slave)
        self._masters = [master for master, _ in pairs]
        self._slaves = [slave for _, slave in pairs]
        self.near, self.far = (os.ttyname(slave) for slave in self._slaves)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        near, far = self._masters
        with selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while not self._stopped.is_set():
                for key, _ in ready.select(0.05):
                    data = self._change(key.fd == far, os.read(key.fd, 4096))
                    if data:
                        os.write(key.data, data)

    def say(self, data: bytes) -> None:
        """Bytes that come to the gateway out of nowhere."""
        os.write(self._masters[0], data)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(5)
        for one in self._masters + self._slaves:
            os.close(one)
