"""All that one read of a point's meter says: what the terminal reads too, and each phase's power."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from terminal import profile

from firmware.field.bus import phases, plans
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Reach
from protocol import meter_state

SILENT_WORDS = {
    "silent": "no answer / 无应答",
    "garbled": "answers came, none intact / 应答校验错误",
    "refused": "it has not the registers of this model / 电表无此型号的寄存器",
    "no_line": "the port has not this speed or parity / 串口不支持该波特率或校验位",
}


@dataclass(frozen=True)
class Snapshot:
    """values: quantities in the terminal's units, ratios applied, None: absent. said: why there are none, else "".

    phases: pa_w, qa_var, pfa_milli, angle ... as phases.NAMES has them. identity: serial, ct_milli, pt_milli.
    """

    point: int
    unix_s: float
    said: str = ""
    values: dict[str, int | None] = field(default_factory=dict)
    phases: dict[str, int | None] = field(default_factory=dict)
    identity: dict[str, int | None] = field(default_factory=dict)
    states: frozenset[str] = frozenset()
    knows_states: bool = False  # whether its meter has state words, and told them

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "states": sorted(self.states)}


def take(reach: Reach, planned: Planned, *, whole: bool = True) -> Snapshot:
    """Read a point's meter once; whole: with what only the wiring check wants. Raises ReachError."""
    meter, reach = planned.meter, reach.at(planned.uart)
    unix_s = time.time()
    measured = plans.values(reach, meter, meter.plan())
    if isinstance(measured, str):
        return Snapshot(planned.number, unix_s, measured)
    if not whole:
        return Snapshot(planned.number, unix_s, "", measured)
    more = phases.of_meter(meter)
    states = _states(reach, planned)
    return Snapshot(
        planned.number,
        unix_s,
        "",
        measured,
        _there(plans.values(reach, more, more.plan())),
        _there(plans.values(reach, meter, meter.plan(profile.IDENTITY))),
        frozenset() if states is None else states,
        states is not None,
    )


def _there(found: dict[str, int | None] | str) -> dict[str, int | None]:
    return {} if isinstance(found, str) else found


def _states(reach: Reach, planned: Planned) -> frozenset[str] | None:
    """What the meter says is wrong; None: it tells nothing."""
    plan = planned.meter.plan(profile.STATE)
    answers = plans.read(reach, planned.meter, plan) if plan.reads else ""
    if isinstance(answers, str):
        return None
    return frozenset(meter_state.words(planned.meter.profile.state(plan.words(answers))))
