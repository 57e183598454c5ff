# What all boards of MicroPython have in common: ticks, sockets, the cause of a reset. README.md is the contract.
import asyncio
import errno
import os
import select
import socket
import time

import tls
import vfs

POWER_ON = 1
WATCHDOG = 2
HARD = 3

DATA_DIR = "/flash"
_CAUSE_FILE = DATA_DIR + "/reset_cause"
_HELD_FILE = DATA_DIR + "/rtc_held"  # is there: what the clock shows was not told by anybody
_CALLERS = 4  # connections that wait to be taken; a gateway and a SCADA are two
_CONNECT_POLL_MS = 20  # how often a connection under way is looked at; a modem takes hundreds of milliseconds

_SYNC, _ERASE = 3, 6  # a block device's ioctl

# Unix time of the port's second 0. The one place where ports differ: the ESP32 counts from 2000, the others from 1970.
EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0
# A board clock that shows less was never set: RP2 starts at 2021-01-01, ESP32 at 2000-01-01.
_RTC_SET_S = 1704067200  # 2024-01-01


class Ticks:
    """Milliseconds since it was made, without the wrap of `ticks_ms` (every 12.4 days on a board)."""

    def __init__(self) -> None:
        self._last = time.ticks_ms()
        self._total = 0

    def ms(self) -> int:
        now = time.ticks_ms()
        self._total += time.ticks_diff(now, self._last)
        self._last = now
        return self._total


class BaseBoard:
    """A board in real time; each port adds name, flash, UART, RTC, watchdog and link."""

    name = ""
    feels = False  # whether `inputs` says anything
    has_led = False  # whether `led` shows anything
    has_modem = False  # whether `modem_time` may say anything
    SUPPLY_LOW_MV = 4500  # of 5 V: a regulator for 3.3 V needs a volt above it
    data_dir = DATA_DIR

    def __init__(self, hardware_cause: int) -> None:
        self._ticks = Ticks()
        self._addresses: "dict[tuple[str, int], object]" = {}
        self._cause, self._detail = _take_cause(hardware_cause)
        self._rtc_held = _is_there(_HELD_FILE)

    def uptime_ms(self) -> int:
        return self._ticks.ms()

    def real_ms(self) -> int:
        return self._ticks.ms()

    def rtc_s(self) -> "int | None":
        now = self._clock_s()
        return now if now >= _RTC_SET_S and not self._rtc_held else None

    def set_rtc_s(self, unix_s: int) -> None:
        self._set_clock_s(unix_s)
        if self._rtc_held:
            try:
                os.remove(_HELD_FILE)
            except OSError as error:  # not believed, then, until it is told the time again
                print("clock still held:", error)
                return
            self._rtc_held = False

    def hold_rtc_s(self, unix_s: int) -> None:
        if not self._rtc_held:  # first, and in a file: the clock outlives a reset, and must not be believed then
            try:
                open(_HELD_FILE, "wb").close()
            except OSError as error:  # a full flash costs no start; TLS goes by what the clock shows
                print("clock not held:", error)
                return
            self._rtc_held = True
        self._set_clock_s(unix_s)

    def _clock_s(self) -> int:
        return int(time.time()) + EPOCH_S

    def _set_clock_s(self, unix_s: int) -> None:
        raise NotImplementedError

    async def sleep_ms(self, ms: int) -> None:
        await asyncio.sleep_ms(ms)

    async def pause_ms(self, ms: int) -> None:
        await asyncio.sleep_ms(ms)

    async def wait_for_ms(self, awaitable, ms: int):  # type: ignore[no-untyped-def]
        return await asyncio.wait_for_ms(awaitable, ms)

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def inputs(self) -> "tuple[bool | None, list[bool], int | None]":
        return None, [], None

    def modem_time(self) -> "bytes | None":
        return None

    def led(self, on: bool) -> None:
        """Nothing, where there is none."""

    def counters_flash(self):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def image_partitions(self):  # type: ignore[no-untyped-def]
        return None

    def flash_bytes(self) -> int:
        fs = os.statvfs(DATA_DIR)
        return fs[0] * fs[2]

    def reset_cause(self) -> int:
        return self._cause

    def reset_detail(self) -> int:
        return self._detail

    def reset(self, cause: int, detail: int = 0) -> None:
        try:
            with open(_CAUSE_FILE, "wb") as file:
                file.write(bytes((cause, detail)))
        except OSError as error:  # a reset must not fail because the flash is full or worn
            print("reset cause not kept:", error)
        self._restart()

    def _restart(self) -> None:
        raise NotImplementedError

    def cycle_link(self) -> None:
        """Take the network interface down; the next connection brings it up."""

    def _link_up(self) -> None:
        """Bring the network interface up or raise OSError; quick, called before every connection."""

    def tls_context(self, authorities: "list[bytes]", certificate: bytes, key: bytes):  # type: ignore[no-untyped-def]
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # the stubs lack it
        for one in authorities:  # each is added to those before: mbedtls_x509_crt_parse
            context.load_verify_locations(one)
        context.load_cert_chain(certificate, key)
        return context

    async def connect(self, host: str, port: int, timeout_ms: int, secure=None):  # type: ignore[no-untyped-def]
        self._link_up()
        address = self._resolve(host, port)
        sock = socket.socket()
        try:
            sock.settimeout(0)
            await self._connected(sock, address, timeout_ms)
            if secure is not None:  # the handshake comes with the first byte
                context, name = secure
                sock = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        except BaseException:  # a cancelled connection too: sockets have no finaliser on every port
            sock.close()
            self._addresses.pop((host, port), None)
            raise
        stream = asyncio.StreamReader(sock)
        return stream, stream

    def udp(self, host: str, port: int):  # type: ignore[no-untyped-def]
        self._link_up()
        self._addresses.pop((host, port), None)  # a name of many servers may mean another one now
        return Datagrams(self._resolve(host, port))

    async def serve(self, port: int, handler) -> None:  # type: ignore[no-untyped-def]
        self._link_up()
        server = await asyncio.start_server(handler, "0.0.0.0", port, _CALLERS)
        try:
            await server.wait_closed()
        finally:
            server.close()

    def _resolve(self, host: str, port: int):  # type: ignore[no-untyped-def]
        # getaddrinfo stops the whole VM while it asks, so it is asked again only after a connection has failed
        if (host, port) not in self._addresses:
            self._addresses[(host, port)] = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1]
        return self._addresses[(host, port)]

    async def _connected(self, sock, address, timeout_ms: int) -> None:  # type: ignore[no-untyped-def]
        poller = select.poll()
        poller.register(sock, select.POLLOUT)
        try:
            sock.connect(address)
        except OSError as error:
            if error.errno not in (errno.EINPROGRESS, 119):  # 119: the ESP32's own number for it
                raise
        until = self.real_ms() + timeout_ms
        while True:
            for _, flags in poller.poll(0):
                if flags & (select.POLLERR | select.POLLHUP):
                    raise OSError(errno.ECONNREFUSED)
                return
            if self.real_ms() >= until:
                raise OSError(errno.ETIMEDOUT)
            await asyncio.sleep_ms(_CONNECT_POLL_MS)


class Datagrams:
    """A UDP socket to one other, which takes packets from nobody else. README.md is the contract."""

    def __init__(self, address) -> None:  # type: ignore[no-untyped-def]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.settimeout(0)
            self._socket.connect(address)
        except BaseException:
            self._socket.close()
            raise

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    def recv(self, count: int) -> "bytes | None":
        try:
            return self._socket.recv(count)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ETIMEDOUT):  # a port without a wait tells either
                return None
            raise

    def close(self) -> None:
        self._socket.close()


class Ordered:
    """A flash of which each block is there before another one is changed. The LittleFS of MicroPython 1.25 commits a
    file's data and the data's place without a sync between: where blocks are written in another order, a cut would cost
    what was committed before. A flash chip keeps the order by itself, and its sync costs nothing."""

    def __init__(self, flash) -> None:  # type: ignore[no-untyped-def]
        self.readblocks = flash.readblocks
        self._flash = flash
        self._block = -1  # changed since the last sync

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        self._turn_to(block)
        self._flash.writeblocks(block, buffer, offset)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == _ERASE:
            self._turn_to(argument)
        result: "int | None" = self._flash.ioctl(operation, argument)
        return result

    def _turn_to(self, block: int) -> None:
        if block != self._block:
            self._flash.ioctl(_SYNC, 0)
            self._block = block


def mount(flash, at: str = DATA_DIR, prog_bytes: int = 32) -> None:  # type: ignore[no-untyped-def]
    """Mount the flash, formatted first if nothing was ever stored on it. A file system with content is never formatted:
    OSError, for a technician to look at what is left."""
    ordered = Ordered(flash)
    try:
        fs = _file_system(ordered, prog_bytes)
    except OSError:
        if not _nothing_stored(flash):
            raise
        vfs.VfsLfs2.mkfs(ordered, readsize=128, progsize=prog_bytes, lookahead=256)  # type: ignore[arg-type]
        fs = _file_system(ordered, prog_bytes)
    vfs.mount(fs, at)


def _file_system(flash, prog_bytes: int):  # type: ignore[no-untyped-def]
    # 128-byte reads: a third of the time of 32-byte ones in a folder of 40 files, for 512 bytes of cache per open file.
    # 256 bytes of look-ahead are a bit for each of 2048 blocks: one search for free blocks instead of eight.
    return vfs.VfsLfs2(flash, readsize=128, progsize=prog_bytes, lookahead=256, mtime=False)


def _nothing_stored(flash) -> bool:  # type: ignore[no-untyped-def]
    """True if all blocks are erased but the first two, which formatting writes (and may not have finished)."""
    size = flash.ioctl(5, 0)
    erased = b"\xff" * size
    buffer = bytearray(size)
    for block in range(2, flash.ioctl(4, 0)):
        flash.readblocks(block, buffer)
        if buffer != erased:
            return False
    return True


def _is_there(path: str) -> bool:
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _take_cause(hardware_cause: int) -> "tuple[int, int]":
    """(cause, detail): what `reset` was given before this start, else the hardware's. Needs the flash mounted."""
    try:
        with open(_CAUSE_FILE, "rb") as file:
            data = file.read(2)
        os.remove(_CAUSE_FILE)
    except OSError:
        return hardware_cause, 0
    return (data[0], data[1]) if len(data) == 2 else (hardware_cause, 0)
