"""Everything of a scenario in one process and one virtual time, from one seed."""

import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec

from hil import meter_bus, updates, wiring
from hil.meters import Config
from hil.platform import Mode, Platform, Server
from hil.scenario import Scenario
from hil.scenario import Terminal as Plan
from hil.sim import micropython
from hil.sim.board import Hardware, Rtc
from hil.sim.broker import PORT as BROKER_PORT
from hil.sim.broker import Broker
from hil.sim.checks import Checks
from hil.sim.flash import Flash
from hil.sim.gateway import Gateway
from hil.sim.link import Link
from hil.sim.loop import Domain, VirtualLoop
from hil.sim.network import Network
from hil.sim.stranger import Stranger
from hil.sim.terminal import Terminal
from hil.sim.trace import Trace
from hil.terminal import RTC_WRONG_S
from protocol import limits
from protocol.update import KEYS_NAME

PLATFORM_PORT = 9001
MODBUS_PORT = 5020  # of the first terminal; the next ones' follow it
LEAD_MS = 5_000  # everything is up so long before the scenario begins
FIELD = wiring.Times(10_000, 10_000, 1_000, 60_000, keepalive_s=120, poll_ms=10_000, poll_back_off_max_ms=60_000)


class World:
    """The parts, wired. A context manager, and the only one of its kind in the process at a time.

    write: takes the lines of the trace, if they are to be kept.
    """

    def __init__(self, scenario: Scenario, folder: Path, write: Callable[[str], object] | None = None) -> None:
        micropython.install()
        self.scenario = scenario
        self._begin_ms = (
            scenario.start_ms - LEAD_MS
        )  # a property that works out a date, asked for at each answer of a meter
        self.loop = loop = VirtualLoop()
        self.trace = trace = Trace(lambda: loop.now_us, write)
        self.network = network = Network(loop, self.random("network"), trace)
        self.broker = Broker(loop, network, self.random("broker"), trace)
        self.stranger = Stranger(self.broker, scenario.seed, scenario.terminals[0].id)
        self.modbus_ports = {
            one.name: MODBUS_PORT + at for at, one in enumerate(scenario.terminals) if one.serves_modbus
        }
        ports = wiring.Ports(BROKER_PORT, PLATFORM_PORT, self.modbus_ports)
        self.terminals = {one.name: self._terminal(one, ports) for one in scenario.terminals}
        config = wiring.write_gateway(scenario, folder / "gateway", ports, FIELD)
        self.gateway = Gateway(loop, network, config, self.now_ms, self.random("gateway"), trace)
        self.uploads_file = folder / "received.jsonl"
        self._platform = Platform(self.uploads_file, self._listen, now_ms=self.now_ms)
        self._platform_domain = Domain("platform")
        self._stack = ExitStack()
        if not any(one.clone_of for one in scenario.terminals):  # the checks follow one maker of each name
            self._watch()

    def _terminal(self, plan: Plan, ports: wiring.Ports) -> Terminal:
        """A terminal with its meters and its flash."""
        scenario = self.scenario
        meters = msgspec.convert(meter_bus.meters_json(scenario, plan, ""), Config).meters
        rtc = Rtc({"set": 0, "none": None, "wrong": RTC_WRONG_S}[scenario.rtc])
        draw = self.random(f"terminal {plan.name}")
        hardware = Hardware(self.loop, self.network, plan.name, self.now_ms, draw, Flash(plan.flash_kib << 10), rtc)
        by_mqtt = plan.uplink == "mqtt"
        way = (plan.name, BROKER_PORT) if by_mqtt else ("gateway", ports.modbus[plan.name])
        terminal = Terminal(hardware, meters, Link(self.network, *way), self.trace)
        config = wiring.terminal_json(scenario, plan, ports, FIELD)
        terminal.provision(config, wiring.key_json(scenario.seed, plan.id), rtc_is_told=scenario.rtc == "set")
        if scenario.updates:
            terminal.flash.files[KEYS_NAME] = updates.keys_json(scenario)
        return terminal

    def random(self, purpose: str) -> random.Random:
        """A generator of its own for each purpose, so that one more draw here changes nothing there."""
        return random.Random(f"{self.scenario.seed}:{purpose}")

    def now_ms(self) -> int:
        """Virtual Unix ms: the truth."""
        return self._begin_ms + self.loop.now_us // 1000

    def start(self, absent: set[str]) -> None:
        """Start everything but `absent` (broker, gateway, names of terminals)."""
        self.loop.spawn(self._platform_domain, self._platform.start(PLATFORM_PORT))
        if "broker" not in absent:
            self.broker.start()
        if "gateway" not in absent:
            self.gateway.start()
        for name, terminal in self.terminals.items():
            if name not in absent:
                terminal.start()

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
        terminals = [crash for one in self.terminals.values() for crash in one.crashes]
        return [*terminals, *self.gateway.crashes, *fallen]

    def __enter__(self) -> Self:
        self._stack.enter_context(self.gateway.disk.installed())
        micropython.Hooks.say = lambda line: self.trace.add(self._running().name, line)
        micropython.Hooks.firmware = lambda: self._running().firmware
        micropython.Hooks.crashed = lambda error: self._running().crashed(error)
        return self

    def _running(self) -> Terminal:
        """The terminal whose code runs now."""
        domain = self.loop.domain()
        assert domain is not None  # a terminal's code runs in its tasks alone
        return self.terminals[domain.name]

    def __exit__(self, *_: object) -> None:
        for terminal in self.terminals.values():
            terminal.kill()
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
        scenario = self.scenario
        keys = {one.id: wiring.keys(scenario.seed, one.id) for one in scenario.terminals}
        stations = {wiring.mn(scenario, one): one.id for one in scenario.terminals}
        gateway_off_ms = partial(self.gateway.clock.lately_ms, limits.ECHO_MS_MAX)
        checks = Checks(self.loop, self.trace, self.now_ms, keys, stations, gateway_off_ms)
        for one in scenario.terminals:
            terminal = self.terminals[one.name]
            checks.watch_starts(one.id, terminal.started_ms)
            terminal.flash.on_commit = partial(checks.flash_committed, one.id)
            terminal.hardware.on_clock_set = partial(checks.clock_set, one.id)
        self.broker.on_connect, self.broker.on_publish = checks.connected, checks.published
        self.gateway.on_ack, self.gateway.on_release = checks.acknowledged, checks.released
        self.gateway.disk.on_commit = checks.committed
        self._platform.ledger = checks.ledger()

    async def _listen(self, serve: Any, _host: str, port: int) -> Server:
        return self.network.listen(serve, port, self._platform_domain)
