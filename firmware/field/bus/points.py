"""The points that are planned, each with its meter, as the terminal's configuration has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from terminal import config, profile, sampler
from terminal.bus import Meter

from firmware import DEVICE
from firmware.field.site import plan, terminal_files

if TYPE_CHECKING:
    from firmware.field import site

PROFILES = DEVICE / "profiles"


@dataclass(frozen=True)
class Planned:
    """One point. rated_w: what it draws at most, None where nobody said; phases: of the feeder."""

    number: int
    name: str
    kind: str  # production, treatment, other
    uart: int  # the terminal's
    meter: Meter
    rated_w: int | None = None
    phases: int = 3

    @property
    def title(self) -> str:
        """For a person."""
        return f"{self.number} {self.name}"


def load(file: Path, terminal: str | None = None) -> list[Planned]:
    """The points of a site plan's terminal (site.toml), or of a terminal.json.

    Raises protocol.checked.ConfigError, protocol.host.strict.ConfigError; each names file, key and what is allowed.
    """
    if file.suffix == ".json":
        return of_config(config.load(str(file)), file.name)
    from firmware.field import site  # noqa: PLC0415  it checks certificates, and a terminal.json has none

    found = site.load(file)
    return of_terminal(found, found.terminal(terminal))


def of_terminal(found: site.Site, terminal: plan.Terminal) -> list[Planned]:
    """The points of a terminal of a checked site plan, with what only the plan knows: rated power and phases."""
    made = config.check(terminal_files.configuration_of(terminal, found.broker(terminal), found.plan.sntp))
    known = {point.number: point for point in terminal.points}
    return [
        replace(one, rated_w=known[one.number].rated_power_w, phases=known[one.number].phases)
        for one in of_config(made, found.path.name)
    ]


def of_config(found: config.Config, file: str = "terminal.json") -> list[Planned]:
    """The points of a checked configuration, in its buses' order. Raises protocol.checked.ConfigError."""
    points = {point.number: point for point in found.points}
    planned = []
    for one, meters in zip(found.buses, sampler.check_buses(found.buses, str(PROFILES), file), strict=True):
        for meter in meters:
            point = points[meter.point]
            planned.append(Planned(point.number, point.name, point.kind, one.uart, meter))
    profile.forget_checks()
    return planned
