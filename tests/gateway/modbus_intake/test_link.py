"""What is not the answer to the request is not taken, whatever pymodbus makes of it: each kind has its reason."""

import asyncio
import os
import select
import socket
import threading
import tty
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import serial

from gateway.config import ModbusConfig, ModbusTerminal
from gateway.modbus_intake.link import Link, LinkError
from hil.meter_frames import framed

UNIT = 5
TIMEOUT_MS = 60
TERMINALS = [ModbusTerminal(id="T0001", unit=UNIT)]
VALUES = bytes.fromhex("0001020304050607")
READ_OK = b"\x03\x08" + VALUES

# answer(what) -> (unit, PDU, ...) of the answers to a request; a bare bytes object is sent as it is
Script = Callable[[bytes], "list[tuple[int, bytes] | bytes]"]


def good(pdu: bytes) -> list[tuple[int, bytes] | bytes]:
    return [(UNIT, READ_OK if pdu[0] == 3 else pdu[:5])]


class Peer:
    """A Modbus server that says what a script tells it to. One connection at a time."""

    def __init__(self) -> None:
        self.script: Script = good
        self.connections = 0
        self.late_by = 0  # TCP: answers carry the transaction number of so many requests before
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def answers(self, head: bytes, unit: int, pdu: bytes) -> bytes:
        del unit
        said = b""
        for one in self.script(pdu):
            said += one if isinstance(one, bytes) else self.sealed(head, *one)
        return said

    def sealed(self, head: bytes, unit: int, pdu: bytes) -> bytes:
        raise NotImplementedError

    def config(self) -> ModbusConfig:
        raise NotImplementedError

    def _run(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(5)


class TcpPeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self.hang_up = False
        self._thread.start()

    def config(self) -> ModbusConfig:
        port = self._listener.getsockname()[1]
        return ModbusConfig(name="x", terminals=TERMINALS, host="127.0.0.1", port=port, timeout_ms=TIMEOUT_MS)

    def sealed(self, head: bytes, unit: int, pdu: bytes) -> bytes:
        number = (int.from_bytes(head[:2], "big") - self.late_by) & 0xFFFF
        return number.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with connection:
                self._serve(connection)
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.02)
        while not self._stopped.is_set():
            try:
                request = connection.recv(300)
            except TimeoutError:
                continue
            if not request or self.hang_up:
                return
            connection.sendall(self.answers(request, request[6], request[7:]))


class RtuPeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._thread.start()

    def config(self) -> ModbusConfig:
        path = os.ttyname(self._slave)
        return ModbusConfig(name="x", terminals=TERMINALS, serial=path, baud=115_200, timeout_ms=TIMEOUT_MS)

    def sealed(self, head: bytes, unit: int, pdu: bytes) -> bytes:
        del head
        return framed(bytes([unit]) + pdu)

    def _run(self) -> None:
        while not self._stopped.is_set():
            if select.select([self._master], [], [], 0.02)[0]:
                request = os.read(self._master, 300)
                os.write(self._master, self.answers(b"", request[0], request[1:-2]))

    def stop(self) -> None:
        super().stop()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture(params=[TcpPeer, RtuPeer], ids=["tcp", "rtu"])
def peer(request: pytest.FixtureRequest) -> Iterator[Any]:
    one = request.param()
    yield one
    one.stop()


@pytest.fixture
def tcp_peer() -> Iterator[TcpPeer]:
    one = TcpPeer()
    yield one
    one.stop()


def run(config: ModbusConfig, use: Callable[[Link], Awaitable[Any]]) -> Any:
    """What `use` gives with a link, on a loop that keeps to itself what pymodbus raises into it."""

    async def used() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        link = Link(config)
        try:
            return await use(link)
        finally:
            link.close()

    return asyncio.run(used())


async def reason(request: Awaitable[Any]) -> str:
    try:
        await request
    except LinkError as error:
        return error.reason
    return ""


def read(link: Link) -> Awaitable[bytes]:
    return link.read(UNIT, 0x8000, 4)


def test_registers_are_read_and_written(peer: Peer) -> None:
    async def use(link: Link) -> bytes:
        await link.write(UNIT, 0xA000, b"\x00\x01\xff\xff")
        return await read(link)

    assert run(peer.config(), use) == VALUES


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], "silent"),
        ([(UNIT, b"\x03\x06" + VALUES[:6])], "count"),
        ([(UNIT, b"\x03\x0a" + VALUES + b"\0\0")], "count"),
        ([(UNIT, b"\x04\x08" + VALUES)], "function"),
        ([(UNIT, b"\x10\x80\x00\x00\x04")], "function"),
        ([(UNIT, b"\x83\x02")], "exception"),
        ([(UNIT + 1, READ_OK)], "unit"),
        ([b"\x00"], {"tcp": "garbled", "rtu": "unit"}),
        ([(UNIT + 1, READ_OK), (UNIT, READ_OK)], {"tcp": "", "rtu": "unit"}),  # R-11 is not pymodbus' strength
    ],
)
def test_what_is_no_answer_has_a_reason_and_the_next_request_is_well(
    peer: Peer, said: list[Any], expected: str | dict[str, str]
) -> None:
    """P-62."""
    way = "tcp" if isinstance(peer, TcpPeer) else "rtu"

    async def use(link: Link) -> tuple[str, str]:
        peer.script = lambda _pdu: said
        first = await reason(read(link))
        await link.settle()
        peer.script = good
        return first, await reason(read(link))

    assert run(peer.config(), use) == (expected if isinstance(expected, str) else expected[way], "")


@pytest.mark.parametrize("written", [b"\x10\xa0\x01\x00\x02", b"\x10\xa0\x00\x00\x01"])
def test_a_write_is_confirmed_by_its_own_address_and_count(peer: Peer, written: bytes) -> None:
    """P-62."""
    peer.script = lambda _pdu: [(UNIT, written)]
    assert run(peer.config(), lambda link: reason(link.write(UNIT, 0xA000, b"\0\1\0\2"))) == "count"


def test_an_answer_to_an_earlier_request_is_late(tcp_peer: TcpPeer) -> None:
    """P-62."""

    async def use(link: Link) -> list[str]:
        tcp_peer.late_by = 1
        found = [await reason(read(link))]
        tcp_peer.late_by = 0
        return [*found, await reason(read(link))]

    assert run(tcp_peer.config(), use) == ["late", ""]


@pytest.mark.parametrize("said", [b"\x03\xff\x01", b"\x63\x01", b"\x03", b"\x10\xa0"])
def test_what_pymodbus_cannot_read_costs_one_time_out(peer: Peer, said: bytes) -> None:
    async def use(link: Link) -> tuple[bool, str]:
        peer.script = lambda _pdu: [(UNIT, said)]
        first = await reason(read(link))
        await link.settle()
        peer.script = good
        return first in {"garbled", "lost", "late", "silent"}, await reason(read(link))

    assert run(peer.config(), use) == (True, "")


def test_a_connection_over_which_nothing_comes_is_given_up(tcp_peer: TcpPeer) -> None:
    async def use(link: Link) -> list[str]:
        tcp_peer.script = lambda _pdu: []
        found = [await reason(read(link)) for _ in range(2)]
        tcp_peer.script = good
        return [*found, await reason(read(link))]

    assert run(tcp_peer.config(), use) == ["silent", "silent", ""]
    assert tcp_peer.connections == 2


def test_a_connection_that_breaks_is_opened_again(tcp_peer: TcpPeer) -> None:
    async def use(link: Link) -> list[str]:
        found = [await reason(read(link))]
        tcp_peer.hang_up = True
        found.append(await reason(read(link)))
        tcp_peer.hang_up = False
        return [*found, await reason(read(link))]

    assert run(tcp_peer.config(), use) == ["", "lost", ""]


def test_who_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for config in (
        ModbusConfig(name="x", terminals=TERMINALS, host="127.0.0.1", port=port, timeout_ms=TIMEOUT_MS),
        ModbusConfig(name="x", terminals=TERMINALS, serial="/dev/no-such-line", timeout_ms=TIMEOUT_MS),
        ModbusConfig(name="x", terminals=TERMINALS, serial="/dev/null", timeout_ms=TIMEOUT_MS),
    ):
        assert run(config, lambda link: reason(read(link))) == "unreachable"


def test_a_port_that_does_not_do_the_parity_is_unreachable() -> None:
    """P-174: a pty has none; what it is asked for beside that it has already, so that it says so."""
    master, slave = os.openpty()
    tty.setraw(slave)
    port = os.ttyname(slave)
    serial.Serial(port).close()
    config = ModbusConfig(name="x", terminals=TERMINALS, serial=port, parity="E", timeout_ms=TIMEOUT_MS)
    assert run(config, lambda link: reason(read(link))) == "unreachable"
    os.close(master)
    os.close(slave)
