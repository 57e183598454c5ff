"""What of a plan the gateway keeps: a terminal of terminals.toml, and the enterprise of enterprises.toml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from terminal import profile, quantity

from firmware.field.site.plan import Plan, Point, Terminal


def points_of(terminal: Terminal, profiles: Path) -> list[dict[str, Any]]:
    """The `points` of the terminal's entry in terminals.toml."""
    return [_point(one, profile.load(one.profile, str(profiles))) for one in terminal.points]


def _point(point: Point, model: profile.Profile) -> dict[str, Any]:
    made = {
        "number": point.number,
        "name": point.name,
        "kind": point.role,
        "rated_power_w": point.rated_power_w,
        "ct_ratio": point.ct_ratio,
        "pt_ratio": point.pt_ratio,
    }
    energy = model.measured("e_import_wh")
    if energy is not None and energy.kind != "f":  # a float's step grows with the register
        made["register_step_wh"] = _step_wh(energy, point)
    return made


def _step_wh(energy: quantity.Quantity, point: Point) -> int:
    """What the register's last digit is worth on the primary side, rounded up."""
    ratios = (point.ct_ratio if energy.by_ct else 1) * (point.pt_ratio if energy.by_pt else 1)
    step_wh: int = -(-energy.numerator * ratios // energy.denominator)
    return step_wh


def enterprises_toml(plan: Plan) -> str:
    """The enterprise with its linkages, as a file for the gateway or a part of one."""
    lines = ["[[enterprise]]", f"id = {_quoted(plan.enterprise.id)}", f"name = {_quoted(plan.enterprise.name)}"]
    if not plan.linkage:
        lines.append("linkage = []")
    for one in plan.linkage:
        lines += [
            "",
            "[[enterprise.linkage]]",
            f"name = {_quoted(one.name)}",
            f"production = {json.dumps(one.production)}",
            f"treatment = {json.dumps(one.treatment)}",
            f"production_on_w = {one.production_on_w}",
            f"treatment_on_w = {one.treatment_on_w}",
        ]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON's escapes are a subset of those of a TOML basic string
