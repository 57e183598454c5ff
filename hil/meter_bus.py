"""The RS-485 bus of the bench as a process: every meter of the scenario on one pty (hil/meters.py)."""

import json
import random
import sys
from pathlib import Path
from typing import Any, Self

from hil.clock import ScaledClock
from hil.process import Process
from hil.scenario import Point, Scenario

CAPTURE = "bus.jsonl"  # all that went over the bus: `wattline hil bus --explain`
# a scenario's faults in the words of hil.meter_slave.Fault
_AT_THE_METER = {
    "meter_silent": "silent",
    "meter_frozen": "frozen",
    "ct_removed": "ct_off",
    "ct_reversed": "ct_reversed",
}
START_S = 20.0  # a busy machine imports slowly


class MeterBus:
    """The meters of a scenario, with their loads and what goes wrong with them; `log` says every answer they gave."""

    def __init__(self, scenario: Scenario, folder: Path, clock: ScaledClock) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "served.jsonl"
        config = folder / "meters.json"
        config.write_text(json.dumps(meters_json(scenario, self.log.name), indent=1), encoding="utf-8")
        command = [sys.executable, "-m", "hil.meters", "--config", str(config)]
        self.process = Process("meters", command, folder / "meters.log", clock.env())

    def start(self) -> Path:
        """Start them; returns the device that is the terminal's UART."""
        self.process.start()
        found = self.process.wait_for_line(r'^\{"pty": "(/dev/[^"]+)"\}$', START_S)
        return Path(found[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()


def meters_json(scenario: Scenario, log: str) -> dict[str, Any]:
    """The bus as hil.meters takes it."""
    register = random.Random(scenario.seed)
    meters = [
        {
            "address": point.address,
            "profile": point.profile,
            "circuit": point.circuit,
            "ct_ratio": point.ct_ratio,
            "serial": 10**11 + number if isinstance(point.address, str) else number,
            "load": _measured(scenario, point),
            "start_import_wh": register.randrange(10**6, 10**9),  # no meter in the field begins at 0
            "faults": _faults(scenario, point),
        }
        for number, point in enumerate(scenario.points, 1)
    ]
    return {"meters": meters, "log": log, "capture": CAPTURE}


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
    return scenario.seed + int(point.address) + point.circuit - 1


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
