"""A terminal's RS-485 bus as a process: its meters on one pty (hil/meters.py)."""

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from hil.clock import ScaledClock
from hil.process import Process
from hil.scenario import Point, Scenario, Terminal

CAPTURE = "bus.jsonl"  # all that went over the bus: `wattline hil bus --explain`
# a scenario's faults in the words of hil.meter_slave.Fault
_AT_THE_METER = {
    "meter_silent": "silent",
    "meter_swapped": "silent",  # until the other one is in its place
    "meter_frozen": "frozen",
    "ct_removed": "ct_off",
    "ct_reversed": "ct_reversed",
}
SEEDS_OF_BUS = 1000  # more than a bus has Modbus addresses and circuits
SERIALS_APART = 1_000_000  # the numbers of meters that come later, from those of the first
FACTORY_WH = 1_300  # what a new meter has counted on the test bench
START_S = 20.0  # a busy machine imports slowly


class MeterBus:
    """A terminal's meters, with their loads and what goes wrong with them; `log` says every answer they gave."""

    def __init__(
        self,
        scenario: Scenario,
        terminal: Terminal,
        folder: Path,
        clock: ScaledClock,
        port: tuple[str, int] | None = None,
    ) -> None:
        """port: an RS-485 adapter's device and speed; None: a pty."""
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = clock
        self.log = folder / "served.jsonl"
        self._config = folder / "meters.json"
        bus = meters_json(scenario, terminal, self.log.name)
        if port is not None:
            bus |= {"port": port[0], "baud": port[1]}
        self._config.write_text(json.dumps(bus, indent=1), encoding="utf-8")
        command = [sys.executable, "-m", "hil.meters", "--config", str(self._config)]
        self.process = Process("meters", command, folder / "meters.log", clock.env())
        self._said = 0  # bytes of its log when it was started last: each start has another pty

    def change(self, settings: Mapping[int, Mapping[str, Any]]) -> None:
        """From their next start on these points' meters have these settings (hil.meter_slave.MeterConfig)."""
        bus = json.loads(self._config.read_bytes())
        for point, changed in settings.items():
            bus["meters"][point - 1] |= changed
        self._config.write_text(json.dumps(bus, indent=1), encoding="utf-8")

    def start(self) -> None:
        """Start them."""
        self._said = len(self.process.text().encode())
        self.process.start()

    def uart(self) -> Path:
        """The device that is the terminal's UART, once they are there. Raises BenchError."""
        found = self.process.wait_for_line(r'^\{"pty": "(/dev/[^"]+)"\}$', START_S, self._said)
        return Path(found[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()


def meters_json(scenario: Scenario, terminal: Terminal, log: str) -> dict[str, Any]:
    """A terminal's bus as hil.meters takes it."""
    register = random.Random(f"{scenario.seed}:{terminal.name}")
    meters = [
        {
            "address": point.address,
            "profile": point.profile,
            "circuit": point.circuit,
            "ct_ratio": point.ct_ratio,
            "serial": 10**11 + number if isinstance(point.address, str) else number,
            "load": _measured(scenario, point),
            "start_import_wh": _start_wh(point, register),
            "faults": _faults(scenario, point),
            "replaced": _replaced(scenario, point, number),
        }
        for number, point in enumerate(scenario.points_of(terminal), 1)
    ]
    return {"meters": meters, "log": log, "capture": CAPTURE}


def _replaced(scenario: Scenario, point: Point, number: int) -> list[dict[str, int]]:
    """The meters that come into a meter's place: each with a number of its own, as it left the factory."""
    swaps = [fault for fault in scenario.faults if fault.what == "meter_swapped" and fault.point == point.name]
    return [
        {"at_ms": scenario.span_ms(fault)[1], "serial": SERIALS_APART * at + number, "start_import_wh": FACTORY_WH * at}
        for at, fault in enumerate(swaps, 1)
    ]


def _start_wh(point: Point, register: random.Random) -> int:
    drawn = register.randrange(10**6, 10**9)  # no meter in the field begins at 0
    return drawn if point.energy_wh is None else point.energy_wh


def _measured(scenario: Scenario, point: Point) -> dict[str, Any]:
    """The load that the meter's transformers see."""
    own = _load(scenario, point)
    for fault in scenario.faults:
        pair = (fault.point, fault.other)
        if fault.what == "ct_swapped" and point.name in pair:
            name = pair[1 - pair.index(point.name)]
            other = next(one for one in scenario.points if one.name == name)
            own = {"kind": "swapped", "load": own, "other": _load(scenario, other), "spans": [scenario.span_ms(fault)]}
    return own


def _load(scenario: Scenario, point: Point) -> dict[str, Any]:
    if point.steps:
        return {"kind": "stand", "steps": msgspec.to_builtins(point.steps), "begin_ms": scenario.start_ms}
    if point.follows is not None:
        follows = next(other for other in scenario.points if other.name == point.follows)
        off = list(scenario.spans("treatment_off"))
        own = {"kind": "treatment", "rated_w": point.rated_w, "off": off, "seed": _seed(scenario, point)}
        return {**own, "follows": _load(scenario, follows)}
    if point.kind != "production":
        return {"kind": "constant", "rated_w": point.rated_w}
    if scenario.profile is not None:
        source = scenario.profile
        return {
            "kind": "csv",
            "file": str(Path(source.file).resolve()),
            "time_column": source.time_column,
            "energy_column": source.energy_column,
            "date_order": source.date_order,
            "start_ms": scenario.midnight_ms + source.first_s * 1000,
            "share_permille": share_permille(scenario, point),
        }
    offset_s = int(scenario.zone.utcoffset(None).total_seconds())
    shifts = {"kind": "shifts", "shifts": point.shifts, "utc_offset_s": offset_s}
    return {**shifts, "rated_w": point.rated_w, "seed": _seed(scenario, point)}


def _seed(scenario: Scenario, point: Point) -> int:
    bus = scenario.terminals.index(scenario.terminal_of(point))
    return scenario.seed + int(point.address) + point.circuit - 1 + SEEDS_OF_BUS * bus


def share_permille(scenario: Scenario, point: Point) -> int:
    """How much of a plant's recorded energy a production point has: the points share it by rated power."""
    rated_w = sum(other.rated_w for other in scenario.points if other.kind == "production")
    return max(1, 1000 * point.rated_w // rated_w)


def _faults(scenario: Scenario, point: Point) -> list[dict[str, Any]]:
    mine = [one for one in scenario.faults if one.what in _AT_THE_METER and one.point in {None, point.name}]
    found = []
    for fault in mine:
        from_ms, to_ms = scenario.span_ms(fault)
        # what begins with the scenario was never otherwise
        from_ms = 0 if from_ms == scenario.start_ms else from_ms
        found.append({"fault": _AT_THE_METER[fault.what], "from_ms": from_ms, "to_ms": to_ms})
    return found
