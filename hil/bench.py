"""The target `unix`: real meters' bus, broker, terminal, gateway and platform as processes, in scaled real time.

Brought up in order, and always ended.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, Self

from hil import updates, wiring
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.control import order
from hil.fault_kinds import DISK, LINK, STRANGER
from hil.gateway import Gateway
from hil.link import Link
from hil.meter_bus import MeterBus
from hil.oracle.sources import read_rows
from hil.ports import free_port
from hil.powercut.machine import copy_image
from hil.process import BenchError, Process
from hil.scenario import Scenario, Update
from hil.scenario import Terminal as Plan
from hil.stranger import Stranger
from hil.target import TerminalPart
from hil.terminal import DEVICE, ROOT, Terminal
from hil.versions import versions
from protocol.update import KEYS_NAME

VM = ROOT / "build" / "vm64" / "micropython"
BLOCK_BYTES = 4096  # of a flash
MOSQUITTO = ROOT / "build" / "mosquitto" / "mosquitto"
# real seconds in which everything must be up before the scenario's time begins; a machine that is busy gets more
LEADS_S = (3.0, 8.0, 20.0)
TERMINAL_LEAD_S = 1.0  # the VM starts in some 0.2 s
# real seconds
TICK_S = 0.1
DRAIN_S = 30.0  # what was stored in two hours comes in one or two seconds
LOOK_S = 0.5
# by how much the instants of two processes may differ: scheduling and a request's way on a machine with two busy cores
TOLERANCE_S = 0.06
LAG_S = 0.5  # a VM on a machine with six programs a core was seen to wait for 0.28 s between an answer and its stamp
BOOT_S = 0.7  # from a terminal's start to its first sample, on the same machine


class TerminalProcess(TerminalPart, Protocol):
    """A terminal that this bench starts, sees to, and ends."""

    def keep_alive(self) -> str | None:
        """Start it again if it has ended by itself; returns what to find in that."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Bench:
    """The parts of one run, in a folder of their own; as a context manager it ends them whatever happens."""

    leads_s: Sequence[float] = LEADS_S
    is_misled = False  # there is one clock

    def __init__(self, scenario: Scenario, folder: Path, also: str | None = None) -> None:
        """also: see Broker. Raises BenchError."""
        for tool in (VM, MOSQUITTO):
            if not tool.exists():
                raise BenchError(f"{tool} is not there: run `make setup` / 缺少工具，请先运行 make setup")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.scenario = scenario
        self.factor = scenario.factor
        self.tick_ms, self.look_ms, self.drain_ms, self.tolerance_ms, self.lag_ms, self.boot_ms = (
            round(1000 * real_s * scenario.factor) for real_s in (TICK_S, LOOK_S, DRAIN_S, TOLERANCE_S, LAG_S, BOOT_S)
        )
        self.folder = folder = folder.resolve()  # what is started names its files
        self._stack = ExitStack()
        self.broker = self._stack.enter_context(Broker(MOSQUITTO, folder / "broker", also=also))
        self.platform = self._stack.enter_context(Platform(folder / "platform"))
        self.links: dict[str, Link] = {}
        self.stranger = self._stack.enter_context(
            Stranger(folder / "stranger", self.broker.port, scenario.seed, scenario.terminals[0].id)
        )
        self.clock = ScaledClock(0, 0, 1)
        self.ports: wiring.Ports
        self.gateway: Gateway
        self.meters: list[MeterBus] = []
        self.terminals: Mapping[str, TerminalProcess] = {}

    def bring_up(self, absent: set[str]) -> None:
        """Start everything but `absent` (see Target); virtual time then is shortly before the scenario's start."""
        self.platform.start()
        if "broker" not in absent:
            self.broker.start()
        if self._has(STRANGER):
            self.stranger.start(wait="broker" not in absent)
        self.ports = self._ports()
        for lead_s in self.leads_s:
            if self._try(absent, lead_s):
                return
        raise BenchError(
            f"not everything was up within {self.leads_s[-1]:g} s: is the machine busy? / 启动过慢，机器是否繁忙？"
        )

    def _has(self, kinds: Iterable[str]) -> bool:
        """Whether the scenario has faults of these kinds."""
        return not {fault.what for fault in self.scenario.faults}.isdisjoint(kinds)

    def _try(self, absent: set[str], lead_s: float) -> bool:
        """Start what knows the time, so that it begins in lead_s; False, and all of it ended, if that was too short."""
        scenario = self.scenario
        self.clock = ScaledClock.starting_in(lead_s, scenario.start_ms, scenario.factor)
        config = wiring.write_gateway(scenario, self.folder / "gateway", self.ports)
        with ExitStack() as started:
            self.gateway = started.enter_context(Gateway(config, self.clock, frail=self._has(DISK)))
            self.meters = [started.enter_context(self._bus(one)) for one in scenario.terminals]
            for bus in self.meters:
                bus.start()
            if "gateway" not in absent:
                self.gateway.start()
            self.terminals = {
                one.name: started.enter_context(self._switchboard(one, bus))
                for one, bus in zip(scenario.terminals, self.meters, strict=True)
            }
            if absent.isdisjoint({"broker", "gateway"}):
                self.gateway.wait_until_ready()
            at_ms = scenario.start_ms - int(TERMINAL_LEAD_S * 1000 * scenario.factor)
            if self.clock.now_ms() > at_ms:
                return False
            self.clock.sleep_until(at_ms)
            for name, terminal in self.terminals.items():
                if name not in absent:
                    terminal.start()
            self._stack.push(started.pop_all())
        return True

    def _ports(self) -> wiring.Ports:
        """Who listens where; the links of terminals are made here, and started if something is to happen to one."""
        terminals = self.scenario.terminals
        modbus = {one.name: free_port() for one in terminals if one.serves_modbus}
        for one in terminals:
            target = self.broker.port if one.uplink == "mqtt" else modbus[one.name]
            self.links[one.name] = self._stack.enter_context(Link(self._place(one) / "link", target))
        links = {name: link.start() for name, link in self.links.items() if self._has(LINK)}
        return wiring.Ports(self.broker.port, self.platform.port, modbus, links)

    def _bus(self, terminal: Plan) -> MeterBus:
        return MeterBus(self.scenario, terminal, self._place(terminal) / "meters", self.clock)

    def _switchboard(self, terminal: Plan, bus: MeterBus) -> TerminalProcess:
        board = Switchboard(self.scenario, terminal, bus, self.links[terminal.name], self._place(terminal))
        config = wiring.terminal_json(self.scenario, terminal, self.ports)
        files = {KEYS_NAME: updates.keys_json(self.scenario)} if self.scenario.updates else {}
        board.provision(config, wiring.key_json(self.scenario.seed, terminal.id), files)
        return board

    def roll_out(self, update: Update) -> None:
        """The image that terminals began with, under another version, goes to all of them."""
        folder = self.folder / "releases" / str(self.scenario.updates.index(update))
        files = updates.real_files(self.scenario, update.release, folder)
        updates.roll_out(self.scenario, update, "unix", files, self.gateway.data, self.now_ms())

    def _place(self, terminal: Plan) -> Path:
        return self.folder / "terminals" / terminal.name

    @property
    def journal_file(self) -> Path:
        """The gateway's journal."""
        return self.gateway.data / "journal.sqlite3"

    @property
    def uploads_file(self) -> Path:
        """What the platform took in."""
        return self.platform.journal

    def now_ms(self) -> int:
        """Virtual Unix ms."""
        return self.clock.now_ms()

    def advance(self, to_ms: int) -> list[str]:
        """Sleep until the virtual instant; a terminal or gateway that has ended by itself is started again."""
        for helper in (self.platform.process, *(bus.process for bus in self.meters)):
            if not helper.running:  # what it does not answer would pass for a silence of the scenario's
                raise BenchError(f"{helper.name} ended by itself / 进程自行退出: {helper.tail()}")
        crashes = [self.gateway.keep_alive(), *(one.keep_alive() for one in self.terminals.values())]
        self.clock.sleep_until(to_ms)
        return [crash for crash in crashes if crash]

    def uploaded_ms(self, t_ms: int) -> int:
        """The platform counts real time."""
        return self.clock.virtual_ms(t_ms * 1_000_000)

    def versions(self) -> dict[str, str]:
        """Of what takes part."""
        return versions(VM, MOSQUITTO)

    def digest(self) -> str:
        """No two runs are the same here."""
        return ""

    def end(self) -> None:
        """End everything in the order in which nothing is lost that was about to be written."""
        for one in self.terminals.values():
            one.kill()
        self.gateway.scrape()
        self.gateway.stop()
        self.platform.process.stop()
        for bus in self.meters:
            bus.process.stop()
        self.broker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Switchboard(Terminal):
    """A terminal with the meters on its bus, and the link by which its records go."""

    def __init__(self, scenario: Scenario, plan: Plan, bus: MeterBus, link: Link, folder: Path) -> None:
        """Waits for the meters. Raises BenchError."""
        super().__init__(VM, folder, bus.clock, bus.uart(), scenario.rtc, root=_root(scenario, folder))
        self.process.env["WATTLINE_FLASH_BLOCKS"] = str((plan.flash_kib << 10) // BLOCK_BYTES)
        self.link = link
        self._bus = bus

    def copy_flash(self, other: Terminal) -> None:
        """Have all that another terminal has on its flash now."""
        copy_image(other.image, self.image)

    def move_rtc(self, seconds: int) -> None:
        """Raises BenchError: a VM's clock chip is the bench's clock."""
        raise BenchError(f"the clock chip can't be moved by {seconds} s on unix / unix 上无法篡改时钟")

    def served(self) -> list[dict[str, Any]]:
        """The rows of its meters' log."""
        return read_rows(self._bus.log)


def _root(scenario: Scenario, folder: Path) -> Path:
    """The terminal's file system: the sources, or an image of its own where releases come to it."""
    if not scenario.updates:
        return DEVICE
    if not (folder / "root").exists():
        updates.build_root(scenario, folder / "root")
    return folder / "root"


class Platform:
    """The HJ 212 platform's process (hil/platform.py)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = folder / "received.jsonl"
        self._control = folder / "control.jsonl"
        self.port = free_port()
        command = [sys.executable, "-m", "hil.platform", "--port", str(self.port)]
        command += ["--journal", str(self.journal), "--control", str(self._control)]
        self.process = Process("platform", command, folder / "platform.log")

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process.start()
        self.process.wait_for_line(r'^\{"port":', 20)

    def obey(self, mode: str, **more: object) -> None:
        """Change how it behaves (hil.platform.Mode)."""
        order(self._control, {"mode": mode, **more})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
