"""An Espressif chip's boot loader in ROM, and its flash, as esptool meets them (its documentation: Serial Protocol).

What it leaves out: code that is loaded into RAM (esptool's stub), encryption, time. `Chip` takes and gives bytes;
`on_pty` and `on_rfc2217` put it behind a port; by the latter it sees DTR and RTS, and is reset by them as on a board.
"""

import contextlib
import hashlib
import os
import select
import socket
import struct
import threading
import tty
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from serial import rfc2217

ESP32, ESP32_S3 = 0, 9  # the chips' ids in images
_SLIP_END, _SLIP_ESCAPE, _SLIP_ESCAPED = 0xC0, 0xDB, {0xDC: 0xC0, 0xDD: 0xDB}
_BEGIN, _DATA, _END, _SYNC, _WRITE_REG, _READ_REG = 0x02, 0x03, 0x04, 0x08, 0x09, 0x0A
_SET_PARAMS, _ATTACH, _READ_SLOW, _BAUD, _SECURITY, _MD5 = 0x0B, 0x0D, 0x0E, 0x0F, 0x14, 0x13
_DEFLATED = 0x0E  # the deflated twins of begin, data, end are so far behind them
_SPI_CMD, _SPI_W0, _READ_ID, _JEDEC = 0x60002000, 0x60002058, 1 << 18, 0x40EF  # and the power of two of its bytes
_MAGIC_REG, _MAGIC_ESP32 = 0x40001000, 0x00F01D83  # by which a chip is told that knows no security info
_OK, _REFUSED = bytes(4), b"\x01\x05\0\0"
_CHECKSUM_SEED = 0xEF
_SLOW_BYTES = 64


class Chip:
    """The chip. lines(dtr, rts): what the two auto-reset transistors of a board make of them."""

    def __init__(self, chip_id: int = ESP32_S3, flash_bytes: int = 8 * 1024 * 1024, *, in_loader: bool = True) -> None:
        self.chip_id = chip_id
        self.flash = bytearray(b"\xff" * flash_bytes)
        self.in_loader = in_loader
        self.resets = 0
        self.bauds: list[int] = []
        self.written = 0  # bytes, over all
        self._registers = {_SPI_W0: 0}
        if chip_id == ESP32:
            self._registers[_MAGIC_REG] = _MAGIC_ESP32
        self._lines, self._is_starting = (False, False), False
        self._packet: bytearray | None = None
        self._at = 0
        self._unpack: Callable[[bytes], bytes] = bytes

    def lines(self, *, dtr: bool, rts: bool) -> None:
        """RTS alone holds EN low, DTR alone IO0; EN rises slowly, so IO0 is read at the next state but both at once."""
        was_held = self._lines == (False, True)
        self._lines = (dtr, rts)
        if self._lines == (False, True):
            self.in_loader, self._is_starting = False, False
        elif was_held:
            self.resets += 1
            self._is_starting, self._packet = True, None
        if self._is_starting and dtr != rts:
            self.in_loader, self._is_starting = dtr, False
        elif self._is_starting and not dtr:
            self._is_starting = False

    def take(self, data: bytes) -> bytes:
        """What it answers to these bytes."""
        if not self.in_loader:
            return b""
        answers = b""
        for byte in data:
            if byte != _SLIP_END:
                if self._packet is not None:
                    self._packet.append(byte)
            elif self._packet:
                answers += self._answer(_unescaped(self._packet))
                self._packet = None
            else:
                self._packet = bytearray()
        return answers

    def _answer(self, packet: bytes) -> bytes:
        if len(packet) < 8 or packet[0] != 0:
            return b""
        op, size, checksum = struct.unpack_from("<xBHI", packet)
        body = packet[8 : 8 + size]
        if op == _SYNC:
            return b"".join(_reply(op, _OK, 0x20120707) for _ in range(8))
        value, data = 0, b""
        try:
            if op == _READ_REG:
                value = self._registers.get(struct.unpack("<I", body)[0], 0)
            else:
                data = self._done(op, body, checksum)
        except (KeyError, ValueError, struct.error, zlib.error, IndexError):
            return _reply(op, _REFUSED)
        return _reply(op, data + _OK, value)

    def _done(self, op: int, body: bytes, checksum: int) -> bytes:
        """What a command gives back besides its status. Raises for one that is unknown or wrong."""
        commands: dict[int, Callable[[bytes], bytes]] = {
            _WRITE_REG: self._write_register,
            _SECURITY: self._security,
            _MD5: self._md5,
            _READ_SLOW: self._read_slow,
            _SET_PARAMS: lambda _body: b"",
            _ATTACH: lambda _body: b"",
            _BAUD: self._baud,
            _BEGIN: self._begin,
            _BEGIN + _DEFLATED: self._begin_deflated,
            _DATA: lambda body: self._program(body, checksum),
            _DATA + _DEFLATED: lambda body: self._program(body, checksum),
            _END: lambda _body: b"",
            _END + _DEFLATED: lambda _body: b"",
        }
        return commands[op](body)

    def _write_register(self, body: bytes) -> bytes:
        address, value = struct.unpack_from("<II", body)
        if address == _SPI_CMD and value & _READ_ID:
            self._registers[_SPI_W0] = (len(self.flash).bit_length() - 1) << 16 | _JEDEC
        elif address != _SPI_CMD:
            self._registers[address] = value
        return b""

    def _security(self, _body: bytes) -> bytes:
        if self.chip_id == ESP32:  # it does not know the question
            raise KeyError
        return struct.pack("<I8xII", 0, self.chip_id, 0)

    def _md5(self, body: bytes) -> bytes:
        at, size = struct.unpack_from("<II", body)
        return hashlib.md5(self.flash[at : at + size], usedforsecurity=False).hexdigest().encode()

    def _read_slow(self, body: bytes) -> bytes:
        at, size = struct.unpack_from("<II", body)
        return bytes(self.flash[at : at + size]).ljust(_SLOW_BYTES, b"\0")

    def _baud(self, body: bytes) -> bytes:
        self.bauds.append(struct.unpack_from("<I", body)[0])
        return b""

    def _begin(self, body: bytes) -> bytes:
        size, _count, _block, self._at = struct.unpack_from("<4I", body)
        size = -(-size // 4096) * 4096
        self.flash[self._at : self._at + size] = b"\xff" * size
        self._unpack = bytes
        return b""

    def _begin_deflated(self, body: bytes) -> bytes:
        self._begin(body)
        self._unpack = zlib.decompressobj().decompress
        return b""

    def _program(self, body: bytes, checksum: int) -> bytes:
        (size,) = struct.unpack_from("<I", body)
        data = body[16 : 16 + size]
        if len(data) != size or _checksum(data) != checksum:
            raise ValueError
        data = self._unpack(data)
        self.flash[self._at : self._at + len(data)] = data
        self._at += len(data)
        self.written += len(data)
        return b""


def _checksum(data: bytes) -> int:
    found = _CHECKSUM_SEED
    for byte in data:
        found ^= byte
    return found


def _unescaped(packet: bytearray) -> bytes:
    data, escaped = bytearray(), False
    for byte in packet:
        if escaped:
            data.append(_SLIP_ESCAPED.get(byte, byte))
        elif byte != _SLIP_ESCAPE:
            data.append(byte)
        escaped = byte == _SLIP_ESCAPE and not escaped
    return bytes(data)


def _reply(op: int, data: bytes, value: int = 0) -> bytes:
    packet = struct.pack("<BBHI", 1, op, len(data), value) + data
    packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + packet + b"\xc0"


@contextmanager
def on_pty(chip: Chip, unplug_after: int | None = None) -> Iterator[str]:
    """A port; after so many bytes to the chip its cable is out."""
    master, slave = os.openpty()
    tty.setraw(slave)
    name, stops = os.ttyname(slave), os.pipe()
    os.close(slave)

    def play() -> None:
        left = unplug_after
        while not select.select([stops[0]], [], [], 0)[0]:
            if not select.select([master, stops[0]], [], [], 1)[0]:
                continue
            try:
                data = os.read(master, 4096)
                os.write(master, chip.take(data[:left]))
            except OSError:  # nobody has the port open
                select.select([stops[0]], [], [], 0.02)
                continue
            if left is not None:
                left -= len(data)
                if left <= 0:
                    break
        os.close(master)

    thread = threading.Thread(target=play, name="rom loader")
    thread.start()
    try:
        yield name
    finally:
        os.write(stops[1], b"x")
        thread.join()
        for end in stops:
            os.close(end)


class _Serial:
    """What rfc2217.PortManager manages: as much of a serial.Serial as it asks for."""

    cts = dsr = True
    ri = cd = False
    bytesize, parity, stopbits, xonxoff, rtscts = 8, "N", 1, False, False
    break_condition = False

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.baudrate = 115200
        self._dtr = self._rts = False

    @property
    def dtr(self) -> bool:
        """As it was set."""
        return self._dtr

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._dtr = on
        self._chip.lines(dtr=self._dtr, rts=self._rts)

    @property
    def rts(self) -> bool:
        """As it was set."""
        return self._rts

    @rts.setter
    def rts(self, on: bool) -> None:
        self._rts = on
        self._chip.lines(dtr=self._dtr, rts=self._rts)

    def reset_input_buffer(self) -> None:
        """Nothing waits here."""

    def reset_output_buffer(self) -> None:
        """Nothing waits here."""


@contextmanager
def on_rfc2217(chip: Chip) -> Iterator[str]:
    """A URL of a port over the network, whose DTR and RTS reach the chip."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(30)

    connections: list[socket.socket] = []

    def play() -> None:
        with contextlib.suppress(OSError):
            while True:
                connections.append(server.accept()[0])
                _serve(chip, connections[-1])

    thread = threading.Thread(target=play, name="rfc2217")
    thread.start()
    try:
        yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
    finally:
        for end in (server, *connections):
            with contextlib.suppress(OSError):  # the other side has closed it
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        thread.join()


class _Sender:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


def _serve(chip: Chip, connection: socket.socket) -> None:
    port: Any = _Serial(chip)
    sender: Any = _Sender(connection)
    manager = rfc2217.PortManager(port, sender)
    while data := connection.recv(4096):
        answer = chip.take(b"".join(manager.filter(data)))
        connection.sendall(b"".join(manager.escape(answer)))
