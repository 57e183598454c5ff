"""The target `board`: the parts of `unix`, with a board on a serial port in the VM's place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hil import wiring
from hil.bench import Bench, TerminalProcess
from hil.board import lock, ports
from hil.board.bench_file import BenchFile, read
from hil.board.power import NO_RELAY
from hil.board.terminal import BoardTerminal
from hil.fault_kinds import LINK
from hil.meter_bus import MeterBus
from hil.process import BenchError
from hil.scenario import Scenario
from hil.scenario import Terminal as Plan

LOOPBACK = "127.0.0.1"
HANDS = frozenset({"terminal_cloned", "rtc_moved"})  # they need hands on the board's flash and clock
POWER = frozenset({"terminal_kill", "mains_flapping"})
LEADS_S = (30.0,)  # a board takes seconds to be given its files, and a few to start
STAND_IN_LEADS_S = (8.0, 20.0)


class BoardBench(Bench):
    """One run on a bench with one board."""

    def __init__(self, scenario: Scenario, bench: BenchFile, folder: Path) -> None:
        self._bench = bench
        self.leads_s = LEADS_S if bench.clock is None else STAND_IN_LEADS_S
        also = bench.network.address
        super().__init__(scenario, folder, None if also == LOOPBACK else also)

    def _bus(self, terminal: Plan) -> MeterBus:
        if self._bench.clock is not None:
            Path(self._bench.clock).write_text(msgspec.json.encode(self.clock.env()).decode(), encoding="utf-8")
        port = (self._bench.meters.port, self._bench.meters.baud)
        return MeterBus(self.scenario, terminal, self._place(terminal) / "meters", self.clock, port)

    def _switchboard(self, terminal: Plan, bus: MeterBus) -> TerminalProcess:
        bus.uart()
        link, folder = self.links[terminal.name], self._place(terminal)
        board = BoardTerminal(self._bench, bus, link, folder, knows_time=self.scenario.rtc == "set")
        board.provision(self._config(terminal), wiring.key_json(self.scenario.seed, terminal.id))
        return board

    def _config(self, terminal: Plan) -> dict[str, Any]:
        """The terminal's configuration, as this board's wiring wants it."""
        config = wiring.terminal_json(self.scenario, terminal, self.ports)
        meters = self._bench.meters
        for one in config["buses"]:
            one |= {"uart": meters.uart, "baud": meters.baud}
            for meter in one["meters"]:
                meter["timeout_ms"] = meters.timeout_ms
        config["mqtt"]["host"] = self._bench.network.address
        return config | self._bench.terminal

    def versions(self) -> dict[str, str]:
        """Of what takes part; what the board runs it says itself, in its log."""
        return {**super().versions(), "board": self._bench.board}


@contextmanager
def open_board(scenario: Scenario, folder: Path) -> Iterator[BoardBench]:
    """The scenario's bench, held while it runs. Raises BenchError, ConfigError."""
    if scenario.bench is None:
        raise BenchError("--target board needs --bench FILE, the bench's file: docs/bench.md / 需要 --bench 指定文件")
    file = Path(scenario.bench)
    bench = read(file)
    _playable(scenario, bench)
    if bench.clock is None:  # a board's time runs as life does, and nobody has set it
        scenario = msgspec.structs.replace(scenario, factor=1, rtc="none")
    with lock.held(file, f"wattline hil run {scenario.name}"):
        ports.check(bench.ports())
        with BoardBench(scenario, bench, folder) as target:
            yield target


def _playable(scenario: Scenario, bench: BenchFile) -> None:
    """Raise BenchError for what this bench can't do."""
    if len(scenario.terminals) != 1 or scenario.terminals[0].uplink != "mqtt":
        raise BenchError("the bench has one board, whose uplink is MQTT / 测试台只有一块板，上行为 MQTT")
    faults = {fault.what for fault in scenario.faults}
    refused = faults & (HANDS | (LINK if bench.network.address != LOOPBACK else frozenset()))
    if refused:
        raise BenchError(f"{', '.join(sorted(refused))} can't be played on this board / 无法在此板上运行")
    if bench.power.kind == "none" and faults & POWER:
        raise BenchError(NO_RELAY)
