"""platform.toml: which terminal is which station of a platform, and which code of it each quantity of a point has.

One file a platform, because codes, units and decimals differ from province to province. Checked in full when read.

    [[station]]
    terminal = "T0001"
    mn = "010000A8900016F000169DC0"
    st = "32"
    pw = "831027"

    [[station.item]]
    point = 1
    code = "i33200"
    quantity = "p"
    attributes = ["Min", "Avg", "Max"]
    decimals = 2
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.config import Name, Section, duplicates
from gateway.hj212.packet import PW_PATTERN
from gateway.registry import Registry
from gateway.strict import ConfigError, Problem, read
from protocol import limits


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a reading offers under one name: a field (protocol.record.Reading) per attribute.

    One `unit` is 10**exponent of the field's own (kW of W, V of 0.1 V).
    """

    fields: dict[str, str]
    exponent: int
    unit: str


def _counter(field: str, unit: str) -> Quantity:
    return Quantity({"Cou": field}, 3, unit)


def _level(field: str, exponent: int, unit: str) -> Quantity:
    return Quantity({"Avg": field, "Rtd": field}, exponent, unit)


QUANTITIES = {
    "p": Quantity({"Min": "p_min_w", "Avg": "p_mean_w", "Max": "p_max_w"}, 3, "kW"),
    "q": Quantity({"Avg": "q_mean_var"}, 3, "kvar"),
    "e_import": _counter("e_import_wh", "kWh"),
    "e_export": _counter("e_export_wh", "kWh"),
    "r_import": _counter("r_import_varh", "kvarh"),
    "r_export": _counter("r_export_varh", "kvarh"),
    "ua": _level("ua_dv", 1, "V"),
    "ub": _level("ub_dv", 1, "V"),
    "uc": _level("uc_dv", 1, "V"),
    "ia": _level("ia_ma", 3, "A"),
    "ib": _level("ib_ma", 3, "A"),
    "ic": _level("ic_ma", 3, "A"),
    "pf": _level("pf_milli", 3, "1"),
    "run": Quantity({"Cou": "run_s"}, 0, "s"),
}


class ItemConfig(Section, frozen=True):
    """[[station.item]]: one code of the platform."""

    point: Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)]
    code: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{2,15}$")]
    quantity: str
    attributes: list[Literal["Rtd", "Min", "Avg", "Max", "Cou"]]
    decimals: Annotated[int, msgspec.Meta(ge=0, le=3)] = 2  # N14.2: two is the rule of HJ 212


class StationConfig(Section, frozen=True):
    """[[station]]: a terminal as the platform knows it."""

    terminal: Name
    mn: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{24}$")]
    st: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}$")]
    pw: str | int  # checked below: a refusal must not show it
    item: list[ItemConfig]


class MappingFile(Section, frozen=True):
    """The whole file."""

    station: list[StationConfig]


@dataclass(frozen=True, slots=True)
class Station:
    """A terminal as the platform knows it: MN, system code, password, and its items in the order they are sent."""

    terminal: str
    mn: str
    st: str
    pw: str = field(repr=False)
    items: tuple[ItemConfig, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """The stations of one platform by terminal."""

    stations: dict[str, Station]


def load_mapping(path: Path) -> Mapping:
    """The file, checked. Raises ConfigError with every problem: file, key, what is allowed."""
    file = read(path, MappingFile)
    problems = duplicates(path, "station", "terminal", file.station, lambda station: station.terminal)
    problems += duplicates(path, "station", "mn", file.station, lambda station: station.mn)
    for number, station in enumerate(file.station):
        table = f"station[{number}].item"
        problems += duplicates(path, table, "code", station.item, lambda item: item.code)
        if not isinstance(station.pw, str) or not PW_PATTERN.fullmatch(station.pw):
            text = "not shown / 不显示; allowed / 允许: 6 printable characters without & , ; = (6 个可见字符的文字)"
            problems.append(Problem(path, f"station[{number}].pw", text))
        for index, item in enumerate(station.item):
            problems += _check_item(path, f"{table}[{index}]", item)
    if problems:
        raise ConfigError(problems)
    return Mapping(
        {one.terminal: Station(one.terminal, one.mn, one.st, str(one.pw), tuple(one.item)) for one in file.station}
    )


def _check_item(path: Path, key: str, item: ItemConfig) -> list[Problem]:
    quantity = QUANTITIES.get(item.quantity)
    if quantity is None:
        text = f'"{item.quantity}"; allowed / 允许: {", ".join(QUANTITIES)}'
        return [Problem(path, f"{key}.quantity", text)]
    problems = []
    wrong = [name for name in item.attributes if name not in quantity.fields]
    if wrong or not item.attributes or len(set(item.attributes)) != len(item.attributes):
        text = f"{item.attributes} of {item.quantity}; allowed / 允许: each once of {', '.join(quantity.fields)}"
        problems.append(Problem(path, f"{key}.attributes", text))
    if item.decimals > quantity.exponent:  # more digits than were measured would be invented
        text = f"{item.decimals} of {item.quantity} ({quantity.unit}); allowed / 允许: 0 to {quantity.exponent}"
        problems.append(Problem(path, f"{key}.decimals", text))
    return problems


def check_points(path: Path, mapping: Mapping, registry: Registry) -> None:
    """Raises ConfigError where an item is of no point of its terminal."""
    problems = []
    for number, station in enumerate(mapping.stations.values()):
        terminal = registry.get(station.terminal)
        for index, item in enumerate(station.items):
            if terminal is not None and item.point not in terminal.points:
                known = ", ".join(map(str, sorted(terminal.points))) or "none / 无"
                text = f"{item.point}: no point of {station.terminal} / 该终端无此测点; allowed / 允许: {known}"
                problems.append(Problem(path, f"station[{number}].item[{index}].point", text))
    if problems:
        raise ConfigError(problems)
