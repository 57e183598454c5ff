# The Modbus server at work, on TCP or on a serial line: who reads, reads the live map and, where that is the uplink,
# the mailbox.
import asyncio

from protocol import mailbox
from terminal import live_map, modbus_slave
from terminal.tasks import together

ALLOWANCE_MS = 60000  # without a sign of life
_LOOK_MS = 5000  # whose turn is over: a turn is a minute; what is new wakes it at once
_IDLE_MS = 300000  # a connection over which nothing comes is closed: a master that lost its power says no goodbye
_BODY_MS = 10000  # a request that was begun
_CALLERS_MAX = 4  # a gateway and a SCADA are two; the uplink wants one of the ESP32's few sockets at any time
_POLL_MS = 2  # of a UART: a character at 9600 baud takes 1 ms
_QUIET_MS = 1000  # a line so quiet has nothing half said
_READ_BYTES = 256


class ModbusTask:
    """`settings` config.Modbus; `live` live_map.LiveMap; `uplink` mailbox_uplink.MailboxUplink, or None."""

    def __init__(self, board, settings, live, uplink, say) -> None:  # type: ignore[no-untyped-def]
        self.alive_ms = board.real_ms()
        self.slave = modbus_slave.Slave(settings.unit, self._read, self._write)
        self._board = board
        self._settings = settings
        self._live = live
        self._uplink = uplink
        self._say = say
        self._changed = asyncio.Event()
        self._turns = 0  # requests and connections so far
        self._last = {}  # type: ignore[var-annotated]  # the task of each connection: its last turn

    def wake(self) -> None:
        """There is something new to offer."""
        self._changed.set()

    async def run(self) -> None:
        serve = self._serve_tcp if self._settings.port else self._serve_line
        await together(serve(), self._look())

    def _read(self, address: int, count: int) -> bytes:
        if address < live_map.END or self._uplink is None:
            found: bytes = self._live.read(address, count)
            return found
        offered: bytes = self._uplink.box.read(address, count)
        return offered

    def _write(self, address: int, data: bytes) -> None:
        if self._uplink is None:
            raise mailbox.AddressError(address)
        self._uplink.box.write(address, data)

    async def _look(self) -> None:
        while True:
            self.alive_ms = self._board.real_ms()
            if self._uplink is not None:
                self._uplink.look()
            self._changed.clear()
            try:
                await self._board.wait_for_ms(self._changed.wait(), _LOOK_MS)
            except asyncio.TimeoutError:
                continue

    # --- TCP

    async def _serve_tcp(self) -> None:
        self._say("modbus: unit", self._settings.unit, "on port", self._settings.port)
        await self._board.serve(self._settings.port, self._connection)

    async def _connection(self, reader, writer) -> None:  # type: ignore[no-untyped-def]
        task = asyncio.current_task()
        self._make_room()
        self._note(task)
        try:
            while True:
                header = await self._board.wait_for_ms(reader.readexactly(modbus_slave.MBAP_BYTES), _IDLE_MS)
                size = modbus_slave.pdu_bytes(header)
                if not size:
                    break
                pdu = await self._board.wait_for_ms(reader.readexactly(size), _BODY_MS)
                self._note(task)
                answer = self.slave.answer_tcp(header, pdu)
                if answer:
                    writer.write(answer)
                    await self._board.wait_for_ms(writer.drain(), _BODY_MS)
        except (OSError, EOFError, asyncio.TimeoutError):
            self._say("modbus: a connection ended")
        except asyncio.CancelledError:
            self._say("modbus: another connection took the place of one")
        self._last.pop(task, None)
        writer.close()
        try:
            await writer.wait_closed()  # on MicroPython this is what closes the socket
        except OSError:
            return

    def _make_room(self) -> None:
        # Where all places are taken, whoever asked longest ago gives his up: messaging on TCP/IP 1.0b, 4.2.1. One whose
        # request came in that moment goes on; the next one makes room for both.
        while len(self._last) >= _CALLERS_MAX:
            longest = min(self._last, key=lambda one: self._last[one])
            del self._last[longest]
            longest.cancel()

    def _note(self, task) -> None:  # type: ignore[no-untyped-def]
        self._turns += 1
        self._last[task] = self._turns

    # --- serial line

    async def _serve_line(self) -> None:
        settings = self._settings
        uart = self._board.uart(settings.uart, settings.baud, settings.parity, settings.stop)
        line = modbus_slave.Line(self.slave)
        self._say("modbus: unit", settings.unit, "on UART", settings.uart)
        heard_ms = self._board.real_ms()
        while True:
            data = uart.read(_READ_BYTES)
            now_ms = self._board.real_ms()
            if data:
                heard_ms = now_ms
                answer = line.feed(data)
                if answer:
                    uart.write(answer)
            elif now_ms - heard_ms > _QUIET_MS:
                line.forget()
            await self._board.pause_ms(_POLL_MS)  # also on a line that is never quiet: all else has its turn
