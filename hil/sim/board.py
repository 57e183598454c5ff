"""A board whose hardware is all virtual. The contract is firmware/device/boards/README.md."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from hil.meter_wire import Wire
from hil.sim.flash import Blocks, Flash, Mount
from hil.sim.loop import PowerCutError, VirtualLoop
from hil.sim.network import Network, Serve
from hil.sim.streams import Reader, Writer

T = TypeVar("T")
POWER_ON, WATCHDOG = 1, 2
RTC_SLACK_S = 2


class Rtc:
    """The clock chip: what it shows is off by `step_s` from the truth; None: it was never set since it had power."""

    def __init__(self, step_s: int | None) -> None:
        self.step_s = step_s

    @property
    def is_right(self) -> bool:
        """Whether it shows the time, to what whole seconds lose."""
        return self.step_s is not None and abs(self.step_s) <= RTC_SLACK_S


class Uart:
    """A port with meters on its wire. What they send is there when its time has come."""

    def __init__(self, board: "Board", wire: Wire, baud: int, unix_ms: Callable[[], int]) -> None:
        self._board = board
        self._wire = wire
        self._baud = baud
        self._unix_ms = unix_ms
        self._coming: list[tuple[int, int, bytes]] = []  # (due in us, number, bytes)
        self._number = 0

    def read(self, count: int = 256) -> bytes | None:
        """What has come; None: nothing."""
        if not self._coming:
            return None
        now_us = self._board.now_us()
        found = b""
        while self._coming and self._coming[0][0] <= now_us and len(found) < count:
            found += self._coming.pop(0)[2]
        return found or None

    def readinto(self, buffer: bytearray) -> int | None:
        """Likewise, into a buffer."""
        found = self.read(len(buffer))
        if found is None:
            return None
        buffer[: len(found)] = found
        return len(found)

    def set_line(self, baud: int, parity: str, stop: int) -> None:
        """Another speed from now on."""
        del parity, stop  # bytes have neither here
        self._baud = baud

    def write(self, data: bytes) -> int:
        """A request: whoever is meant hears it at once."""
        now_us = self._board.now_us()
        self._wire.forget()
        for delay_s, piece in self._wire.hear(data, self._unix_ms(), self._baud):
            self._number += 1
            self._coming.append((now_us + round(delay_s * 1_000_000), self._number, piece))
        self._coming.sort()
        return len(data)


@dataclass
class Hardware:
    """A terminal's machine, which outlives its programs. unix_ms: the truth, virtual."""

    loop: VirtualLoop
    network: Network
    name: str  # on the network
    unix_ms: Callable[[], int]
    random: random.Random
    flash: Flash
    rtc: Rtc
    wires: list[Wire] = field(default_factory=list)  # RS-485 ports
    drift_ppm: int = 0  # of its crystal
    clock_off_ms: int = 0  # the most by which what this life's program took for the time was off from the truth
    on_clock_set: Callable[[int], None] = lambda _unix_s: None  # what its program takes for the time
    on_reset: Callable[[int, int], None] = lambda _cause, _detail: None


class Board:
    """One life of a terminal's hardware: from power on to the next cut or reset."""

    name = "sim"
    feels = False
    has_led = False
    has_modem = False

    def __init__(self, hardware: Hardware, mount: Mount, data_dir: str, cause: int, detail: int) -> None:
        self.data_dir = data_dir
        self.fed_us = 0
        self.watchdog_us = 0  # 0: not started
        self._hardware = hardware
        self._loop = hardware.loop
        self._mount = mount
        self._per_million = 1_000_000 + hardware.drift_ppm
        self._cause, self._detail = cause, detail
        self._start_us = hardware.loop.now_us

    def now_us(self) -> int:
        """Of the simulation. Raises PowerCutError once the power is gone."""
        if self._mount.dead:
            raise PowerCutError("without power")
        return self._loop.now_us

    def uptime_ms(self) -> int:
        """By this board's crystal."""
        if self._mount.dead:
            raise PowerCutError("without power")
        return (self._loop.now_us - self._start_us) * self._per_million // 1_000_000_000

    real_ms = uptime_ms

    def rtc_s(self) -> int | None:
        """What the clock chip shows."""
        rtc, unix_ms = self._hardware.rtc, self._hardware.unix_ms
        return None if rtc.step_s is None else unix_ms() // 1000 + rtc.step_s

    def set_rtc_s(self, unix_s: int) -> None:
        """Set the clock chip."""
        now_ms = self._hardware.unix_ms()
        self._hardware.rtc.step_s = unix_s - now_ms // 1000
        self._hardware.clock_off_ms = max(self._hardware.clock_off_ms, abs(1000 * unix_s - now_ms))
        self._hardware.on_clock_set(unix_s)

    def hold_rtc_s(self, unix_s: int) -> None:
        """What certificates are checked by; there are none here, and the clock chip still tells no time."""
        del unix_s
        self._hardware.rtc.step_s = None

    def sleep_ms(self, ms: int) -> asyncio.Future[None]:
        """Process time; to be awaited."""
        if self._mount.dead:
            raise PowerCutError("without power")
        return self._loop.pause_us(ms * 1_000_000_000 // self._per_million + 1)

    pause_ms = sleep_ms

    async def wait_for_ms(self, awaitable: Coroutine[Any, Any, T], ms: int) -> T:
        """The coroutine's result. Raises asyncio.TimeoutError."""
        if self._mount.dead:
            awaitable.close()  # it will not run, and nobody should wonder why
        self.now_us()
        return await asyncio.wait_for(awaitable, ms / 1000)

    async def connect(self, host: str, port: int, timeout_ms: int, secure: object = None) -> tuple[Reader, Writer]:
        """A connection over the network. Raises OSError."""
        del host, secure  # ports are enough to tell servers apart; nothing is encrypted here
        self.now_us()
        return await self._hardware.network.connect(self._hardware.name, port, timeout_ms / 1000)

    async def serve(self, port: int, handler: Serve) -> None:
        """Take connections, each served by a task of this program. Raises OSError where the port is taken."""
        self.now_us()
        domain = self._loop.domain()
        assert domain is not None  # a terminal's code runs in its tasks alone
        server = self._hardware.network.listen(handler, port, domain)
        try:
            await self._loop.create_future()  # for ever
        finally:
            server.close()

    def uart(self, number: int, baud: int, parity: str, stop: int) -> Uart:
        """A port. Raises OSError where there is none."""
        del parity, stop  # bytes have neither here
        wires = self._hardware.wires
        if number >= len(wires):
            raise OSError(f"this board has {len(wires)} RS-485 ports")
        return Uart(self, wires[number], baud, self._hardware.unix_ms)

    def cycle_link(self) -> None:
        """There is no modem."""

    def random_bytes(self, count: int) -> bytes:
        """Of the run's own generator."""
        return self._hardware.random.randbytes(count)

    def counters_flash(self) -> Blocks:
        """Two blocks outside the file system."""
        return Blocks(self._mount)

    def unique_id(self) -> bytes:
        """The chip's identity."""
        return self._hardware.name.encode()

    def watchdog(self, timeout_ms: int) -> Callable[[], None]:
        """Start it; the function feeds it."""
        self.watchdog_us = 1000 * timeout_ms

        def feed() -> None:
            self.fed_us = self._loop.now_us

        feed()
        return feed

    def reset(self, cause: int, detail: int = 0) -> NoReturn:
        """End this life; the next one is told why."""
        self._hardware.on_reset(cause, detail)
        raise PowerCutError(f"reset, cause {cause}")

    def reset_cause(self) -> int:
        """Why this life began."""
        return self._cause

    def reset_detail(self) -> int:
        """What the reset was given beside the cause."""
        return self._detail

    def image_partitions(self) -> None:
        """It has one."""

    def flash_bytes(self) -> int:
        """Of the whole partition."""
        return self._mount.alive().size
