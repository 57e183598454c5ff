"""The target `unix`: real meters' bus, broker, terminal, gateway and platform as processes, in scaled real time.

Brought up in order, and always ended.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from hil import wiring
from hil.broker import Broker, free_port
from hil.clock import ScaledClock
from hil.control import order
from hil.fault_kinds import DISK, LINK, STRANGER
from hil.gateway import Gateway
from hil.link import Link
from hil.meter_bus import MeterBus
from hil.oracle.sources import read_rows
from hil.process import BenchError, Process
from hil.scenario import Scenario
from hil.stranger import Stranger
from hil.terminal import ROOT, Terminal
from hil.versions import versions

VM = ROOT / "build" / "vm64" / "micropython"
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
BOOT_S = 0.7  # from a terminal's start to its first sample, on the same machine


class Bench:
    """The parts of one run, in a folder of their own; as a context manager it ends them whatever happens."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        for tool in (VM, MOSQUITTO):
            if not tool.exists():
                raise BenchError(f"{tool} is not there: run `make setup` / 缺少工具，请先运行 make setup")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.scenario = scenario
        self.factor = scenario.factor
        self.tick_ms, self.look_ms, self.drain_ms, self.tolerance_ms, self.boot_ms = (
            round(1000 * real_s * scenario.factor) for real_s in (TICK_S, LOOK_S, DRAIN_S, TOLERANCE_S, BOOT_S)
        )
        self.folder = folder = folder.resolve()  # what is started names its files
        self._stack = ExitStack()
        self.broker = self._stack.enter_context(Broker(MOSQUITTO, folder / "broker"))
        self.platform = self._stack.enter_context(Platform(folder / "platform"))
        self.link = self._stack.enter_context(Link(folder / "link", self.broker.port))
        self.stranger = self._stack.enter_context(
            Stranger(folder / "stranger", self.broker.port, scenario.seed, wiring.TERMINAL)
        )
        self.clock = ScaledClock(0, 0, 1)
        self.meters: MeterBus
        self.gateway: Gateway
        self.terminal: Terminal

    def bring_up(self, absent: set[str]) -> None:
        """Start everything but `absent` (broker, gateway); virtual time then is shortly before the scenario's start."""
        self.platform.start()
        if "broker" not in absent:
            self.broker.start()
        if self._has(LINK):
            self.link.start()
        if self._has(STRANGER):
            self.stranger.start(wait="broker" not in absent)
        config = wiring.write_gateway(self.scenario, self.folder / "gateway", self.broker.port, self.platform.port)
        for lead_s in LEADS_S:
            if self._try(config, absent, lead_s):
                return
        raise BenchError(
            f"not everything was up within {LEADS_S[-1]:g} s: is the machine busy? / 启动过慢，机器是否繁忙？"
        )

    def _has(self, kinds: Iterable[str]) -> bool:
        """Whether the scenario has faults of these kinds."""
        return not {fault.what for fault in self.scenario.faults}.isdisjoint(kinds)

    def _try(self, gateway_config: Path, absent: set[str], lead_s: float) -> bool:
        """Start what knows the time, so that it begins in lead_s; False, and all of it ended, if that was too short."""
        scenario = self.scenario
        self.clock = ScaledClock.starting_in(lead_s, scenario.start_ms, scenario.factor)
        with ExitStack() as started:
            self.meters = started.enter_context(MeterBus(scenario, self.folder / "meters", self.clock))
            self.gateway = started.enter_context(Gateway(gateway_config, self.clock, frail=self._has(DISK)))
            uart = self.meters.start()
            self.terminal = started.enter_context(
                Terminal(VM, self.folder / "terminal", self.clock, uart, scenario.rtc)
            )
            port = self.link.port or self.broker.port
            self.terminal.provision(wiring.terminal_json(scenario, port), wiring.key_json(scenario.seed))
            if "gateway" not in absent:
                self.gateway.start()
                if "broker" not in absent:
                    self.gateway.wait_until_ready()
            at_ms = scenario.start_ms - int(TERMINAL_LEAD_S * 1000 * scenario.factor)
            if self.clock.now_ms() > at_ms:
                return False
            self.clock.sleep_until(at_ms)
            self.terminal.start()
            self._stack.push(started.pop_all())
        return True

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
        """Sleep until the virtual instant; a terminal that has ended by itself is started again."""
        crash = self.terminal.keep_alive()
        self.clock.sleep_until(to_ms)
        return [crash] if crash else []

    def uploaded_ms(self, t_ms: int) -> int:
        """The platform counts real time."""
        return self.clock.virtual_ms(t_ms * 1_000_000)

    def served(self) -> Iterable[Mapping[str, Any]]:
        """The rows of the meters' log."""
        return read_rows(self.meters.log)

    def versions(self) -> dict[str, str]:
        """Of what takes part."""
        return versions(VM, MOSQUITTO)

    def digest(self) -> str:
        """No two runs are the same here."""
        return ""

    def end(self) -> None:
        """End everything in the order in which nothing is lost that was about to be written."""
        self.terminal.kill()
        self.gateway.scrape()
        self.gateway.stop()
        self.platform.process.stop()
        self.meters.process.stop()
        self.broker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


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
