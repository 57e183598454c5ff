"""Each phase's power, of the meters that have it: what the wiring check wants and a terminal never reads.

So a terminal carries no such profile: `phase_maps/NAME.json` beside this file has `quantities` in the form of
firmware/device/profiles/README.md, with the names below, and `readable`. Ratios and sign are those of `p_w`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from terminal import profile, quantity
from terminal.bus import Meter

from protocol import limits

FOLDER = Path(__file__).parent / "phase_maps"
LETTERS = "abc"
_POWER = (-limits.POWER_W_MAX, limits.POWER_W_MAX, True, True)
_KINDS = {
    "p{}_w": _POWER,
    "q{}_var": _POWER,
    "pf{}_milli": (-limits.PF_MILLI_MAX, limits.PF_MILLI_MAX, False, False),
    "angle{}_ddeg": (0, 3600, False, False),  # by which the current lags the voltage, 0.1 degree
}
NAMES = {kind.format(letter): bounds for kind, bounds in _KINDS.items() for letter in LETTERS}
_ORDERS = {"high_first": quantity.HIGH_FIRST, "low_first": quantity.LOW_WORD_FIRST}


def of_meter(meter: Meter) -> Meter:
    """The same meter, asked for its phases; its plan has no reads where its model has none."""
    return Meter(
        meter.address,
        meter.point,
        _of_profile(meter.profile),
        meter.ratios,
        meter.timeout_ms,
        meter.line,
        meter.circuit,
    )


def content(name: str) -> dict[str, Any]:
    """The file of a model; empty where there is none."""
    file = FOLDER / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


@lru_cache(64)
def _of_profile(model: profile.Profile) -> profile.Profile:
    found = profile.Profile(model.name, model.model, model.protocol_name, model.power_max_w)
    told = content(model.name)
    found.circuits = model.circuits
    found.registers_per_read = model.registers_per_read
    found.readable = [(int(first, 16), int(last, 16) + 1) for first, last in told.get("readable", [])]
    power = model.measured("p_w")
    assert power is not None  # every profile has it
    quantities = [_quantity(name, entry, power) for name, entry in told.get("quantities", {}).items()]
    found.quantities[profile.MEASURED] = sorted(quantities, key=lambda one: (one.place, one.at))
    return found


def _quantity(name: str, entry: dict[str, Any], power: quantity.Quantity) -> quantity.Quantity:
    lowest, highest, by_ct, by_pt = NAMES[name]
    is_item = "item" in entry
    kind, size = (quantity.ITEM_TYPES if is_item else quantity.REGISTER_TYPES)[entry["type"]]
    return power._replace(
        name=name,
        place=int(entry["item"] if is_item else entry["register"], 16),
        at=entry.get("at", 0),
        stride=int(entry.get("stride", "0"), 16),
        kind=kind,
        size=size,
        order=_ORDERS[entry["word_order"]] if "word_order" in entry else power.order,
        numerator=entry["scale"][0],
        denominator=entry["scale"][1],
        invalid=(),
        lowest=lowest,
        highest=highest,
        by_ct=by_ct and power.by_ct,
        by_pt=by_pt and power.by_pt,
    )
