"""A terminal of the simulation: its own code on a virtual board, whose power may fail at any instant."""

import json
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from loader.slots import Slots
from terminal.app import App
from terminal.image import BUILT_S, VERSION

from hil import updates
from hil.meter_slave import MeterConfig
from hil.meter_wire import Wire
from hil.oracle.evidence import Life
from hil.sim import micropython
from hil.sim.board import POWER_ON, WATCHDOG, Board, Hardware
from hil.sim.flash import Mount
from hil.sim.link import Link
from hil.sim.loop import Domain, PowerCutError
from hil.sim.trace import Trace
from hil.terminal import rtc_set
from protocol.record import CLOCK_NONE
from protocol.update import KEYS_NAME

RESET_US = 2_000_000  # from a reset to the program's start
CRASHES_MAX = 20  # a program that can't start would be started for ever: it then stays off, and the oracle sees that
WATCH_US = 10_000_000  # how often the watchdog's hardware is looked at


class Terminal:
    """One terminal with the meters on its bus, and the flash that outlives its power. `crashes` says what its program
    should never do.
    """

    def __init__(self, hardware: Hardware, meters: Sequence[MeterConfig], link: Link, trace: Trace) -> None:
        self._served: list[dict[str, Any]] = []  # what the meters showed: rows of hil.meters' log
        self.wire = Wire(meters, hardware.unix_ms(), self._served.append)
        hardware.wires.append(self.wire)
        hardware.on_reset = self._reset
        self.hardware = hardware
        self.link = link
        self.name = hardware.name
        self.flash = hardware.flash
        self.has_battery = True  # the clock chip's: without one it forgets the time with the power
        self.crashes: list[str] = []
        self.crash_count = 0
        self.resets = 0
        self.firmware = 0  # the version that it says it is
        self._is_mute = False
        self.app: App | None = None
        self._loop = hardware.loop
        self._unix_ms = hardware.unix_ms
        self._trace = trace
        self._domain = Domain(self.name)
        self._mount = Mount(self.flash)
        self._board: Board | None = None
        self._lives: list[
            list[Any]
        ] = []  # [from ms, to ms or None, knows time, boot, boot_id, how far its clock was off]
        self._started_ms: dict[int, int] = {}  # by boot_id

    def provision(self, config: Mapping[str, Any], key: Mapping[str, Any], *, rtc_is_told: bool) -> None:
        """Put these files on the flash. rtc_is_told: it remembers that it has set its RTC, and believes it."""
        self.flash.files["terminal.json"] = json.dumps(config).encode()
        self.flash.files["key"] = json.dumps(key).encode()
        if rtc_is_told:
            self.flash.files["rtc_set"] = rtc_set(self._unix_ms() // 1000)

    @property
    def running(self) -> bool:
        """Whether it has power."""
        return self._board is not None

    @property
    def lives(self) -> list[Life]:
        """Its starts, each to its end or to now; those in which it did not come to count its start are left out."""
        now_ms, off_now_ms = self._unix_ms(), self.hardware.clock_off_ms
        return [
            Life(from_ms, to_ms or now_ms, knows_time, boot, boot_id, off_now_ms if to_ms is None else off_ms)
            for from_ms, to_ms, knows_time, boot, boot_id, off_ms in self._lives
            if boot is not None
        ]

    def started_ms(self, boot_id: int) -> int | None:
        """When the start was that has this name in its frames, virtual Unix ms."""
        return self._started_ms.get(boot_id)

    def served(self) -> list[dict[str, Any]]:
        """The rows of its meters' log."""
        return self._served

    def copy_flash(self, other: "Terminal") -> None:
        """Have all that another terminal has on its flash now."""
        self.flash.files = dict(other.flash.files)
        self.flash.folders = set(other.flash.folders)
        self.flash.counters[:] = other.flash.counters

    def move_rtc(self, seconds: int) -> None:
        """Move the clock chip's time, if it has one."""
        rtc = self.hardware.rtc
        rtc.step_s = None if rtc.step_s is None else rtc.step_s + seconds

    def start(self, cause: int = POWER_ON, detail: int = 0) -> None:
        """Power on."""
        if self.running:
            return
        self._trace.add(self.name, f"starts, cause {cause}")
        self._domain = domain = Domain(self.name)
        self._mount = micropython.mounts[self.name] = Mount(self.flash)
        self.flash.on_cut = self.kill
        self._board = board = Board(self.hardware, self._mount, micropython.ROOT + self.name, cause, detail)
        self._lives.append([self._unix_ms(), None, self.hardware.rtc.is_right, None, None, 0])
        self.hardware.clock_off_ms = 0
        self._loop.spawn(domain, self._run(board))
        self._loop.at_us(self._loop.now_us + WATCH_US, self._watch, board)

    def kill(self) -> None:
        """Power cut."""
        self._end()
        if not self.has_battery:
            self.hardware.rtc.step_s = None

    async def _run(self, board: Board) -> None:
        """The program, as main.py has it."""
        try:
            slots = Slots(board.data_dir + "/", BUILT_S)
            self.app = App(board, self._begun(slots))
            clock = self.app._clock  # noqa: SLF001  what it calls this start
            believes = clock.source != CLOCK_NONE
            self._lives[-1][2:5] = self._lives[-1][2] and believes, clock.boot, clock.boot_id
            self.hardware.clock_off_ms = 1000 * abs(self.hardware.rtc.step_s or 0) if believes else 0
            self._started_ms[clock.boot_id] = self._lives[-1][0]
            if self._is_mute:  # whatever comes down, nothing is heard of it
                vars(self.app._answers)["take"] = lambda *_: True  # noqa: SLF001
            await self.app.run()
        except PowerCutError:
            raise
        except Exception as error:  # noqa: BLE001  it ended by itself: that is for the oracle
            self.crashed(error)
            if self.crash_count < CRASHES_MAX:
                self._reset(0)
            else:
                self._end()

    def _begun(self, slots: Slots) -> Slots:
        """What runs in this start, as loader/start.py chooses it: the code is this process's own, a slot says how it
        behaves.
        """
        folder = slots.begin().rpartition("/")[2]
        conduct = self.flash.files.get(f"{folder}/{updates.SIMULATED}") if slots.active else None
        root = updates.BEFORE if KEYS_NAME in self.flash.files else VERSION
        self.firmware = updates.firmware_of(root if conduct is None else updates.AFTER)
        self._is_mute = conduct == b"mute"
        return slots

    def crashed(self, error: BaseException) -> None:
        """Its program has a fault."""
        text = "".join(traceback.format_exception(error)[-3:]).strip()
        self.crash_count += 1
        self._trace.add(self.name, f"crashed: {text}")
        told = f"{self.name}: {text}"
        if told not in self.crashes:  # once is enough: it may happen every second
            self.crashes.append(told)

    def _reset(self, cause: int, detail: int = 0) -> None:
        self.resets += 1
        self._end()
        self._loop.at_us(self._loop.now_us + RESET_US, self.start, cause, detail)

    def _end(self) -> None:
        if not self.running:
            return
        self._trace.add(self.name, "ends")
        self._mount.cut()
        self._domain.kill()
        network = self.hardware.network
        network.end_client(self.name, silent=True)
        for port in list(network.servers):
            if network.servers[port].domain is self._domain:
                network.end_server(port, silent=True)
        self._board = None
        self.app = None
        self._lives[-1][1], self._lives[-1][5] = self._unix_ms(), self.hardware.clock_off_ms

    def _watch(self, board: Board) -> None:
        """The watchdog's hardware: resets a board whose program has not fed it."""
        if self._board is not board:
            return
        if board.watchdog_us and self._loop.now_us - board.fed_us > board.watchdog_us:
            self.crashes.append(f"{self.name}: the watchdog was not fed for {board.watchdog_us // 1_000_000} s")
            self._reset(WATCHDOG)
            return
        self._loop.at_us(self._loop.now_us + WATCH_US, self._watch, board)
