"""Everything of a scenario in one process and one virtual time, from one seed."""

import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec

from hil import meter_bus, wiring
from hil.meter_wire import Wire
from hil.meters import Config
from hil.platform import Mode, Platform, Server
from hil.scenario import Scenario
from hil.sim import micropython
from hil.sim.board import Hardware, Rtc
from hil.sim.broker import PORT as BROKER_PORT
from hil.sim.broker import Broker
from hil.sim.checks import Checks
from hil.sim.flash import Flash
from hil.sim.gateway import Gateway
from hil.sim.loop import Domain, VirtualLoop
from hil.sim.network import Network
from hil.sim.terminal import Terminal
from hil.sim.trace import Trace

PLATFORM_PORT = 9001
FLASH_BYTES = 8 << 20
LEAD_MS = 5_000  # everything is up so long before the scenario begins
FIELD = wiring.Times(10_000, 10_000, 1_000, 60_000, keepalive_s=120)


class World:
    """The parts, wired. A context manager, and the only one of its kind in the process at a time.

    write: takes the lines of the trace, if they are to be kept.
    """

    def __init__(self, scenario: Scenario, folder: Path, write: Callable[[str], object] | None = None) -> None:
        micropython.install()
        self.scenario = scenario
        self.loop = loop = VirtualLoop()
        self.trace = trace = Trace(lambda: loop.now_us, write)
        self.network = network = Network(loop, self.random("network"), trace)
        self.broker = Broker(loop, network, self.random("broker"), trace)
        self.served: list[dict[str, Any]] = []  # what the meters showed: rows of hil.meters' log
        meters = msgspec.convert(meter_bus.meters_json(scenario, ""), Config)
        self.wire = Wire(meters.meters, self.now_ms(), self.served.append)
        rtc = Rtc(0 if scenario.rtc == "set" else None)
        name, flash = wiring.TERMINAL, Flash(FLASH_BYTES)
        hardware = Hardware(loop, network, name, [self.wire], self.now_ms, self.random("terminal"), flash, rtc)
        self.terminal = Terminal(hardware, trace)
        self.terminal.provision(wiring.terminal_json(scenario, BROKER_PORT, FIELD), wiring.key_json(scenario.seed))
        config = wiring.write_gateway(scenario, folder / "gateway", BROKER_PORT, PLATFORM_PORT, FIELD)
        self.gateway = Gateway(loop, network, config, self.now_ms, self.random("gateway"), trace)
        self.uploads_file = folder / "received.jsonl"
        self._platform = Platform(self.uploads_file, self._listen, now_ms=self.now_ms)
        self._platform_domain = Domain("platform")
        self._stack = ExitStack()
        self._watch()

    def random(self, purpose: str) -> random.Random:
        """A generator of its own for each purpose, so that one more draw here changes nothing there."""
        return random.Random(f"{self.scenario.seed}:{purpose}")

    def now_ms(self) -> int:
        """Virtual Unix ms: the truth."""
        return self.scenario.start_ms - LEAD_MS + self.loop.now_us // 1000

    def start(self, absent: set[str]) -> None:
        """Start everything but `absent` (broker, gateway)."""
        self.loop.spawn(self._platform_domain, self._platform.start(PLATFORM_PORT))
        if "broker" not in absent:
            self.broker.start()
        if "gateway" not in absent:
            self.gateway.start()
        self.terminal.start()

    def run_until(self, t_ms: int) -> None:
        """Let virtual time come to this instant."""
        self.loop.run_until((t_ms - self.scenario.start_ms + LEAD_MS) * 1000)

    def set_platform(self, mode: Mode) -> None:
        """Change how the platform behaves."""
        self.trace.add("platform", f"is {mode}")
        self.loop.spawn(self._platform_domain, self._platform.set_mode(mode))

    def crashes(self) -> list[str]:
        """What no part should ever do, so far."""
        fallen = [f"{one.get('message')}: {one.get('exception')!r}" for one in self.loop.fallen]
        return [*self.terminal.crashes, *self.gateway.crashes, *fallen]

    def __enter__(self) -> Self:
        self._stack.enter_context(self.gateway.disk.installed())
        micropython.Hooks.say = lambda line: self.trace.add(self.terminal.name, line)
        micropython.Hooks.crashed = self.terminal.crashed
        return self

    def __exit__(self, *_: object) -> None:
        self.terminal.kill()
        self.gateway.kill()
        self.broker.kill()
        self.loop.spawn(self._platform_domain, self._platform.close())
        self.loop.run_until(self.loop.now_us)
        self._platform_domain.kill()
        self.loop.run_until(self.loop.now_us)
        self._stack.close()
        self.loop.close()

    def _watch(self) -> None:
        """Hand the checks to the parts."""
        name, terminal = self.terminal.name, self.terminal
        checks = Checks(self.loop, self.trace, self.now_ms, {name: wiring.keys(self.scenario.seed)}, {wiring.MN: name})
        checks.watch_starts(name, terminal.started_ms)
        terminal.flash.on_commit = partial(checks.flash_committed, name)
        terminal.hardware.on_clock_set = partial(checks.clock_set, name)
        self.broker.on_connect, self.broker.on_publish = checks.connected, checks.published
        self.gateway.on_ack = checks.acknowledged
        self.gateway.disk.on_commit = checks.committed
        self._platform.ledger = checks.ledger()

    async def _listen(self, serve: Any, _host: str, port: int) -> Server:
        return self.network.listen(serve, port, self._platform_domain)
