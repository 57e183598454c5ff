# The unix port of MicroPython as a board: flash in a file, UARTs on ptys, straps in the environment (README.md).
import asyncio
import os
import sys
import termios
import time

import ffi

from boards import base

BLOCK_BYTES = 4096
BLOCKS = 2048  # 8 MiB, the flash of the boards
_SECONDS_MAX = 3600  # a watchdog of more than an hour is a mistake

_libc = ffi.open("libc.so.6")
_fcntl = _libc.func("i", "fcntl", "iii")
_alarm = _libc.func("I", "alarm", "I")
_GET_FLAGS, _SET_FLAGS, _NONBLOCK = 3, 4, 0o4000

# Linux's numbers for line speeds; MicroPython's termios names only some of them
_SPEEDS = {1200: 9, 2400: 11, 4800: 12, 9600: 13, 19200: 14, 38400: 15, 57600: 4097, 115200: 4098}


class FileFlash:
    """A NOR flash of `blocks` blocks in a file, erased to 0xff; a block device for vfs.VfsLfs2."""

    def __init__(self, path: str, blocks: int = BLOCKS) -> None:
        try:
            self.blocks = os.stat(path)[6] // BLOCK_BYTES
        except OSError:
            self.blocks = blocks
            _make_image(path, blocks)
        self._erased = b"\xff" * BLOCK_BYTES
        self._file = open(path, "r+b")  # noqa: SIM115  open as long as the board is

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        self._put(block * BLOCK_BYTES + offset, buffer)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self._put(argument * BLOCK_BYTES, self._erased)
        return 0

    def _put(self, at: int, data: bytes) -> None:
        self._write(at, data)

    def _write(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        self._file.write(data)


class Uart:
    """A pty that behaves as machine.UART. No speed, no parity; but its other end can see the speed that was set."""

    def __init__(self, device: str, baud: int) -> None:
        self._file = open(device, "r+b")  # noqa: SIM115  open until `close`
        fd = self._file.fileno()
        termios.setraw(fd)
        self.set_line(baud, "N", 1)
        _fcntl(fd, _SET_FLAGS, _fcntl(fd, _GET_FLAGS, 0) | _NONBLOCK)

    def set_line(self, baud: int, parity: str, stop: int) -> None:  # noqa: ARG002  a pty has neither
        fd = self._file.fileno()
        settings = termios.tcgetattr(fd)
        settings[4] = settings[5] = _SPEEDS[baud]
        termios.tcsetattr(fd, termios.TCSANOW, settings)

    def read(self, count: int = 256) -> "bytes | None":
        return self._file.read(count) or None  # b"": the other end is closed

    def readinto(self, buffer: bytearray) -> "int | None":
        return self._file.readinto(buffer) or None

    def write(self, data: bytes) -> "int | None":
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()


class BenchClock:
    """Process time that runs `factor` times as fast as real time; all processes of a bench share the anchor."""

    def __init__(self, strap: str) -> None:
        anchor_ns, start_ms, factor = strap.split(":")
        self._anchor_ns = int(anchor_ns)
        self._start_ms = int(start_ms)
        self._factor_milli = int(float(factor) * 1000)
        self._latest_ms = 0

    def unix_ms(self) -> int:
        now = self._start_ms + (time.time_ns() - self._anchor_ns) * self._factor_milli // 1000000000
        self._latest_ms = max(now, self._latest_ms)  # the host's clock may be set back; ours may not
        return self._latest_ms

    def real(self, ms: int) -> int:
        """Real milliseconds for `ms` of process time, at least 1 for more than 0."""
        return (ms * 1000 + self._factor_milli - 1) // self._factor_milli


class Board(base.BaseBoard):
    name = "unix"

    def __init__(self) -> None:
        self._image = _image()
        mount()
        super().__init__(base.WATCHDOG if os.getenv("WATTLINE_RESET") == "watchdog" else base.POWER_ON)
        strap = os.getenv("WATTLINE_BENCH_CLOCK")
        self._clock = BenchClock(strap) if strap else None
        self._started_ms = self._clock.unix_ms() if self._clock else 0
        rtc = os.getenv("WATTLINE_RTC") or "set"
        self._rtc_file = rtc[5:] if rtc.startswith("file:") else ""
        self._rtc_set = rtc != "none"
        self._inputs = os.getenv("WATTLINE_INPUTS")
        self.feels = bool(self._inputs)
        self._modem = os.getenv("WATTLINE_MODEM")
        self.has_modem = bool(self._modem)
        self._rtc_step_ms = 1000 * int(rtc) if rtc[0] == "+" else 0
        self._uarts: "dict[int, Uart]" = {}

    def uptime_ms(self) -> int:
        return self._clock.unix_ms() - self._started_ms if self._clock else self._ticks.ms()

    def rtc_s(self) -> "int | None":
        if self._rtc_file:
            return super().rtc_s()
        return (self._host_ms() + self._rtc_step_ms) // 1000 if self._rtc_set and not self._rtc_held else None

    def _set_clock_s(self, unix_s: int) -> None:
        if self._rtc_file:
            _move_host_clock(self._rtc_file, unix_s)
            return
        self._rtc_step_ms = unix_s * 1000 - self._host_ms()
        self._rtc_set = True

    def _host_ms(self) -> int:
        return self._clock.unix_ms() if self._clock else time.time_ns() // 1000000

    async def sleep_ms(self, ms: int) -> None:
        await asyncio.sleep_ms(self._clock.real(ms) if self._clock else ms)

    def uart(self, number: int, baud: int, parity: str, stop: int) -> Uart:  # noqa: ARG002  a pty has neither
        device = os.getenv("WATTLINE_UART%d" % number)
        if not device:
            raise OSError("no WATTLINE_UART%d" % number)
        if number in self._uarts:
            self._uarts.pop(number).close()
        self._uarts[number] = Uart(device, baud)
        return self._uarts[number]

    def inputs(self) -> "tuple[bool | None, list[bool], int | None]":
        with open(self._inputs or "") as file:
            mains, contacts, supply_mv = file.read().split()
        return mains == "1", [one == "1" for one in contacts], int(supply_mv)

    def modem_time(self) -> "bytes | None":
        try:
            with open(self._modem or "", "rb") as file:
                return file.read()
        except OSError:
            return None

    def counters_flash(self) -> FileFlash:
        return counters_flash(self._image)

    def unique_id(self) -> bytes:
        return self._image.encode()

    def watchdog(self, timeout_ms: int):  # type: ignore[no-untyped-def]
        # SIGALRM ends the process, whatever the VM is doing
        seconds = min((timeout_ms + 999) // 1000, _SECONDS_MAX)

        def feed() -> None:
            _alarm(seconds)

        feed()
        return feed

    def _restart(self) -> None:
        sys.exit(0)


def mount() -> None:
    base.mount(FileFlash(_image(), int(os.getenv("WATTLINE_FLASH_BLOCKS") or BLOCKS)))


def _image() -> str:
    return os.getenv("WATTLINE_FLASH") or "flash.img"


def counters_flash(image: str) -> FileFlash:
    """The flash of the counters that belong to this flash image: two blocks, in a file beside it."""
    return FileFlash(image + ".counters", 2)


def _move_host_clock(path: str, unix_s: int) -> None:
    """Have libfaketime show another time: the file holds the seconds that it adds to the host's."""
    with open(path) as file:
        added_s = int(file.read())
    with open(path + ".new", "w") as file:
        file.write("%+d\n" % (added_s + unix_s - int(time.time())))
    os.rename(path + ".new", path)


def _make_image(path: str, blocks: int) -> None:
    erased = b"\xff" * BLOCK_BYTES
    with open(path, "wb") as file:
        for _ in range(blocks):
            file.write(erased)
