"""Which model a meter is: the profiles whose registers it has, and whose readings make sense on a mains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from terminal import profile
from terminal.bus import Line, Meter

from firmware import DEVICE
from firmware.field.bus import order, plans
from firmware.field.bus.reach import Address, Reach

PROFILES = DEVICE / "profiles"
_VOLTAGES_DV = ((1760, 2880), (460, 700), (830, 1200))  # 220 to 240 V; behind a transformer 57.7 V, or 100 V
_CURRENT_MA_MAX = 10_000_000
_SURPLUS = 1.15  # of U times I that a power may be, for readings that are not of one instant
_SMALL_W = 50


@dataclass(frozen=True)
class Fit:
    """A profile that fits. score: how much of it is there and makes sense, less what is missing."""

    name: str
    model: str
    score: int
    values: dict[str, int | None]
    identity: dict[str, int | None]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"profile": self.name, "score": self.score, "values": self.values, "identity": self.identity}


@lru_cache(1)
def models() -> tuple[profile.Profile, ...]:
    """All profiles that a terminal carries."""
    found = tuple(profile.load(path.stem, str(PROFILES)) for path in sorted(PROFILES.glob("*.json")))
    profile.forget_checks()
    return found


def fits(reach: Reach, line: Line, protocol: str, address: Address) -> list[Fit]:
    """The profiles that fit a meter, the best first. Raises ReachError."""
    found = []
    for model in models():
        if model.protocol_name != protocol:
            continue
        fit = _fit(reach, Meter(address, 0, model, (1, 1), order.SLOW_ANSWER_MS, line))
        if fit is not None:
            found.append(fit)
    return sorted(found, key=lambda fit: -fit.score)


def _fit(reach: Reach, meter: Meter) -> Fit | None:
    measured = plans.values(reach, meter, meter.plan())
    if isinstance(measured, str):
        return None
    good = score(measured)
    if not good:
        return None
    identity = plans.values(reach, meter, meter.plan(profile.IDENTITY))
    known = identity if isinstance(identity, dict) else {}
    names = [one.name for one in meter.profile.quantities[profile.IDENTITY]]
    told = sum(1 if known.get(name) is not None else -1 for name in names)
    return Fit(meter.profile.name, meter.profile.model, good + told, measured, known)


def score(values: dict[str, int | None]) -> int:
    """How well readings make sense; 0: they do not."""
    voltages = [value for name, value in values.items() if name[0] == "u" and value is not None]
    currents = [value for name, value in values.items() if name[0] == "i" and value is not None]
    if values.get("p_w") is None or values.get("e_import_wh") is None:
        return 0
    live = [value for value in voltages if any(low <= value <= high for low, high in _VOLTAGES_DV)]
    if not live or any(value not in live and value > _VOLTAGES_DV[1][0] for value in voltages):
        return 0  # a phase may be dead; one that is neither dead nor alive is another register
    if any(abs(value) > _CURRENT_MA_MAX for value in currents):
        return 0
    apparent_w = sum(voltages) / 10 * max(map(abs, currents), default=0) / 1000
    if abs(values["p_w"] or 0) > _SURPLUS * apparent_w + _SMALL_W:
        return 0
    return sum(1 if value is not None else -1 for value in values.values()) or 1
