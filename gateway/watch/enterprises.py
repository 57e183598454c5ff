"""enterprises.toml: which treatment belongs to which production, and what was ordered. Checked against the registry.

[[enterprise]]
id = "E0001"
name = "First steelworks"
latitude = 28.2282                           # left out: it is on no map
longitude = 112.9388

[[enterprise.linkage]]
name = "furnace 1"
production = ["T0001/1", "T0001/2"]          # TERMINAL/POINT: production runs if one of these does
treatment = ["T0001/3"]
production_on_w = 5000                       # from here on it runs; below is standby
treatment_on_w = 800

[[enterprise.order]]                         # a heavy-pollution response: stop, or no more than so much
from = 2026-03-01T00:00:00+08:00
to = 2026-03-03T00:00:00+08:00
production_max_w = 0

[tariff]: tariff.py has its keys.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from gateway.registry import Instant, Registry
from gateway.watch import tariff
from gateway.watch.tariff import Tariff, TariffEntry
from protocol import limits
from protocol.host.strict import ConfigError, Problem, lines_named, read
from protocol.host.tables import Name, Section, Text, duplicates

SLOT_MIN = 15
Watt = Annotated[int, msgspec.Meta(ge=1, le=limits.POWER_W_MAX)]
DelayMin = Annotated[int, msgspec.Meta(ge=0, le=24 * 60)]
PointText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{1,32}/[0-9]{1,2}$",
        description="TERMINAL/POINT, as T0001/3 / 终端/测点，如 T0001/3",
    ),
]


_LATITUDE = "degrees north, -90 to 90 / 北纬度数，-90 到 90"
_LONGITUDE = "degrees east, -180 to 180 / 东经度数，-180 到 180"


class PointId(NamedTuple):
    """A measured feeder, by its terminal and its number there."""

    terminal: str
    number: int

    def __str__(self) -> str:
        return f"{self.terminal}/{self.number}"


class LinkageEntry(Section, frozen=True):
    """[[enterprise.linkage]]: production, and the treatment that has to run with it."""

    name: Text
    production: list[PointText]
    treatment: list[PointText]
    production_on_w: Watt
    treatment_on_w: Watt
    treatment_idle_w: Watt | None = None  # below it treatment is on, and does nothing
    needs: Literal["all", "any"] = "all"  # of the treatment: lines after each other, or one in reserve
    start_delay_min: DelayMin = 15  # so long may treatment take to start: rounded up to quarters of an hour
    run_on_min: DelayMin = 0  # so long has it to go on after production


class OrderEntry(Section, frozen=True, rename={"from_": "from"}):
    """[[enterprise.order]]: for a time, each linkage's production draws no more than this; 0: standby only."""

    from_: Instant
    to: Instant
    production_max_w: Annotated[int, msgspec.Meta(ge=0, le=limits.POWER_W_MAX)] = 0


class EnterpriseEntry(Section, frozen=True):
    """[[enterprise]]: one table of the file."""

    id: Name
    name: Text
    linkage: list[LinkageEntry]
    order: list[OrderEntry] = msgspec.field(default_factory=list)
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90, description=_LATITUDE)] | None = None
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180, description=_LONGITUDE)] | None = None


class EnterprisesFile(Section, frozen=True):
    """The whole file."""

    enterprise: list[EnterpriseEntry] = msgspec.field(default_factory=list)
    tariff: TariffEntry = TariffEntry()


class Linkage(NamedTuple):
    """As LinkageEntry; delays in quarters of an hour."""

    name: str
    production: tuple[PointId, ...]
    treatment: tuple[PointId, ...]
    production_on_w: int
    treatment_on_w: int
    treatment_idle_w: int
    needs_all: bool
    start_slots: int
    run_on_slots: int


class Order(NamedTuple):
    """As OrderEntry; [from_s, to_s) in Unix seconds."""

    from_s: int
    to_s: int
    production_max_w: int


class Position(NamedTuple):
    """Degrees north and east."""

    latitude: float
    longitude: float


class Enterprise(NamedTuple):
    """What one enterprise is watched by. position: None where it is not known."""

    id: str
    name: str
    linkages: tuple[Linkage, ...]
    orders: tuple[Order, ...]
    position: Position | None = None

    @property
    def points(self) -> set[PointId]:
        """All that are watched."""
        return {point for one in self.linkages for point in (*one.production, *one.treatment)}


def load(path: Path, registry: Registry) -> list[Enterprise]:
    """The file. Raises ConfigError with all problems: points that are not admitted, thresholds that contradict."""
    file = read(path, EnterprisesFile)
    entries = file.enterprise
    problems = list(tariff.problems(path, file.tariff))
    problems += duplicates(path, "enterprise", "id", entries, lambda entry: entry.id)
    for number, entry in enumerate(entries):
        key = f"enterprise[{number}]"
        if (entry.latitude is None) != (entry.longitude is None):
            problems.append(Problem(path, f"{key}.latitude", "latitude and longitude go together / 经纬度须同时填写"))
        problems += duplicates(path, f"{key}.linkage", "name", entry.linkage, lambda one: one.name)
        for at, one in enumerate(entry.linkage):
            problems += [Problem(path, f"{key}.linkage[{at}].{name}", text) for name, text in _wrong(one, registry)]
        for at, order in enumerate(entry.order):
            if order.from_ >= order.to:
                problems.append(Problem(path, f"{key}.order[{at}].to", "not after `from` / 须晚于 from"))
    if problems:
        with lines_named(path):
            raise ConfigError(problems)
    return [_enterprise(entry) for entry in entries]


def load_tariff(path: Path) -> Tariff:
    """The file's tariff; `load` has checked it. Raises ConfigError."""
    return tariff.of_entry(read(path, EnterprisesFile).tariff)


def _wrong(one: LinkageEntry, registry: Registry) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of a linkage."""
    for name, kind in (("production", "production"), ("treatment", "treatment")):
        points = getattr(one, name)
        if not points:
            yield name, "none / 无; allowed / 允许: at least one point / 至少一个测点"
        for text in points:
            yield from ((name, wrong) for wrong in _wrong_point(text, kind, registry))
    if one.treatment_idle_w is not None and one.treatment_idle_w <= one.treatment_on_w:
        yield "treatment_idle_w", "not above treatment_on_w / 须大于 treatment_on_w"


def _wrong_point(text: str, kind: str, registry: Registry) -> Iterator[str]:
    point = _point(text)
    terminal = registry.get(point.terminal) or registry.revoked(point.terminal)
    if terminal is None:
        yield f"{text}: terminal not admitted / 终端未接入"
    elif point.number not in terminal.points:
        yield f"{text}: the terminal has no such point / 该终端没有此测点: {sorted(terminal.points)}"
    elif terminal.points[point.number].kind != kind:
        yield f"{text}: is {terminal.points[point.number].kind}, not {kind} / 测点类别不符"


def _point(text: str) -> PointId:
    terminal, _, number = text.partition("/")
    return PointId(terminal, int(number))


def _enterprise(entry: EnterpriseEntry) -> Enterprise:
    orders = [Order(_unix_s(one.from_), _unix_s(one.to), one.production_max_w) for one in entry.order]
    position = None
    if entry.latitude is not None and entry.longitude is not None:
        position = Position(entry.latitude, entry.longitude)
    return Enterprise(entry.id, entry.name, tuple(map(_linkage, entry.linkage)), tuple(orders), position)


def _linkage(one: LinkageEntry) -> Linkage:
    return Linkage(
        one.name,
        tuple(map(_point, one.production)),
        tuple(map(_point, one.treatment)),
        one.production_on_w,
        one.treatment_on_w,
        one.treatment_idle_w or one.treatment_on_w,
        one.needs == "all",
        -(-one.start_delay_min // SLOT_MIN),
        -(-one.run_on_min // SLOT_MIN),
    )


def _unix_s(instant: datetime) -> int:
    return int(instant.timestamp())
