"""platform.toml: which terminal is which station of a platform, and which code of it each quantity of a point has.

One file a platform, because editions, codes, units and decimals differ from province to province. Checked in full when
read. Every key, with what it means, is declared here.

    edition = 2025
    [[station]]
    terminal = "T0001"
    mn = "010000A8900016F000169DC0"
    st = "44"
    pw = "831027"
    [[station.item]]
    point = 1
    code = "d20105"
    quantity = "ua"
    attributes = ["Rtd"]
    decimals = 1
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from cext.verify import NAMES as CHECKS
from gateway.files import read_password, read_secret
from gateway.hj212.packet import EDITION_2017, EDITION_2025, PW_PATTERN
from gateway.hj212.sm4 import KEY_BYTES, Form
from gateway.registry import Registry
from protocol import limits
from protocol.host.strict import ConfigError, Problem, read
from protocol.host.tables import Name, Section, Text, duplicates

PERIOD, INSTANT, STATE = "2051", "2011", "2021"  # CN: a period's data, an instant's, run states
INSTANT_ATTRIBUTES = ("Rtd", "SampleTime")
SAMPLE_TIME = "SampleTime"
ELECTRICITY, CONDITIONS = "44", "45"  # ST of HJ 212-2025: everything of theirs is an instant's (2011)
PASSWORDS_BYTES_MAX = 4 << 20  # a line of 32 bytes for each of 100,000 stations, and more
WEAK_PASSWORDS = ("123456", "000000")
LETTERS = "NFMSDCTB"
# what a letter may be told for besides the checks: slots without a reading, a point that did not run in the window
NONE_SILENT, NONE_GARBLED, NONE_OTHER, STOPPED = "none_silent", "none_garbled", "none_other", "stopped"
FEW_SAMPLES = "few_samples"  # of the checks the one that the terminal itself makes: its flag 0x01
# The meter's silence and a garbled line are faults of the communication (B); an answer that is a refusal, or another
# meter's, is a fault of the equipment (D), and so is what the terminal did not get to. HJ 212-2017 table 6.
FLAGS = {NONE_SILENT: "B", NONE_GARBLED: "B", NONE_OTHER: "D", STOPPED: "N", **dict.fromkeys(CHECKS[1:], "D")}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a reading offers under one name: a field (protocol.record.Reading) per attribute.

    One `unit` is 10**exponent of the field's own (kW of W, V of 0.1 V).
    """

    fields: dict[str, str]
    exponent: int
    unit: str


def _of(field: str, exponent: int, unit: str, attributes: tuple[str, ...] = ("Avg", "Rtd")) -> Quantity:
    return Quantity({**dict.fromkeys(attributes, field), SAMPLE_TIME: "last_s"}, exponent, unit)


def _counter(field: str, unit: str) -> Quantity:
    return _of(field, 3, unit, ("Cou", "Rtd"))


_POWER = {"Min": "p_min_w", "Avg": "p_mean_w", "Max": "p_max_w", "Rtd": "p_mean_w", SAMPLE_TIME: "last_s"}
QUANTITIES = {
    "p": Quantity(_POWER, 3, "kW"),
    "q": _of("q_mean_var", 3, "kvar"),
    "e_import": _counter("e_import_wh", "kWh"),
    "e_export": _counter("e_export_wh", "kWh"),
    "r_import": _counter("r_import_varh", "kvarh"),
    "r_export": _counter("r_export_varh", "kvarh"),
    "ua": _of("ua_dv", 1, "V"),
    "ub": _of("ub_dv", 1, "V"),
    "uc": _of("uc_dv", 1, "V"),
    "ia": _of("ia_ma", 3, "A"),
    "ib": _of("ib_ma", 3, "A"),
    "ic": _of("ic_ma", 3, "A"),
    "pf": _of("pf_milli", 3, "1"),
    "run": _of("run_s", 0, "s", ("Cou",)),
}

PointNumber = Annotated[int, msgspec.Meta(ge=1, le=limits.POINTS_MAX)]
St = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}$")]
InfoId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{5}$")]


class ItemConfig(Section, frozen=True):
    """[[station.item]]: one code of the platform. Rtd and SampleTime go by CN 2011, the others by 2051."""

    point: PointNumber
    code: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{2,15}$")]
    quantity: str
    attributes: list[Literal["Rtd", "SampleTime", "Min", "Avg", "Max", "Cou"]]
    decimals: Annotated[int, msgspec.Meta(ge=0, le=3)] = 2  # N14.2: two is the rule of HJ 212
    # where the platform wants another unit than the quantity's: 10**exponent of the reading's own (W, 0.1 V, mA) is one
    exponent: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    st: St | None = None  # where it is not the station's


class StateConfig(Section, frozen=True):
    """[[station.state]]: a point whose running or not goes by CN 2021 (SBn-RS): 1 if it ran at all in the window."""

    point: PointNumber
    code: Annotated[str, msgspec.Meta(pattern=r"^SB[0-9]{1,4}$")]


class StationConfig(Section, frozen=True):
    """[[station]]: a terminal as the platform knows it."""

    terminal: Name
    mn: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{24}$")]
    st: St
    item: list[ItemConfig]
    pw: str | int | None = None  # checked below: a refusal must not show it; left out: the password_file has it
    state: list[StateConfig] = msgspec.field(default_factory=list)
    key_file: Text | None = None  # SM4: 16 characters, as the registration gave them
    hardware: dict[str, str] = msgspec.field(default_factory=dict)  # CN 1001: i23005 ... i23008


class MappingFile(Section, frozen=True):
    """The whole file."""

    station: list[StationConfig]
    edition: Literal[2017, 2025] = 2017
    password_file: Text | None = None  # stations' passwords, a line each: MN PASSWORD; mode 600 or 640
    rounding: Literal["half_even", "half_up"] = "half_even"  # GB/T 8170; some platforms compute with the other
    flags: dict[str, str] = msgspec.field(default_factory=dict)  # other letters than FLAGS has
    log_id: InfoId | None = None  # events go as log text (CN 3020) under this InfoId, such as i21001
    restarts: bool = True  # CN 2081 at each start of a terminal
    heartbeat_s: Annotated[int, msgspec.Meta(ge=10, le=3600)] | None = None  # CN 9015; the standard names no period
    sm4: Literal["raw", "printed"] | None = None  # 2025: CP encrypted, with each station's key


@dataclass(frozen=True, slots=True)
class Station:
    """A terminal as the platform knows it: MN, system code, password, and its items in the order they are sent."""

    terminal: str
    mn: str
    st: str
    pw: str = field(repr=False)
    items: tuple[ItemConfig, ...]
    states: tuple[StateConfig, ...] = ()
    key: bytes | None = field(default=None, repr=False)
    hardware: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """One platform: its edition (EDITION_2017, EDITION_2025) and rules, its stations by terminal."""

    stations: dict[str, Station]
    edition: int = EDITION_2017
    half_up: bool = False
    flags: dict[str, str] = field(default_factory=lambda: dict(FLAGS))
    log_id: str | None = None
    restarts: bool = False
    heartbeat_s: int | None = None
    sm4: Form | None = None
    has_passwords: bool = False  # in the file itself


def load_mapping(path: Path) -> Mapping:
    """The file and the keys that it names. Raises ConfigError with every problem: file, key, what is allowed."""
    file = read(path, MappingFile)
    problems = duplicates(path, "station", "terminal", file.station, lambda station: station.terminal)
    problems += duplicates(path, "station", "mn", file.station, lambda station: station.mn)
    problems += _check_file(path, file)
    passwords = _read_passwords(path, file, problems)
    stations = [_station(path, file, number, passwords, problems) for number in range(len(file.station))]
    if problems:
        raise ConfigError(problems)
    return Mapping(
        {one.terminal: one for one in stations},
        EDITION_2025 if file.edition == 2025 else EDITION_2017,
        file.rounding == "half_up",
        {**FLAGS, **file.flags},
        file.log_id,
        file.restarts,
        file.heartbeat_s,
        file.sm4,
        any(station.pw is not None for station in file.station),
    )


def check_points(path: Path, mapping: Mapping, registry: Registry) -> None:
    """Raises ConfigError where an item is of no point of its terminal."""
    problems = []
    for number, station in enumerate(mapping.stations.values()):
        terminal = registry.get(station.terminal)
        named = [(f"item[{index}]", item.point) for index, item in enumerate(station.items)]
        named += [(f"state[{index}]", state.point) for index, state in enumerate(station.states)]
        for at, point in named:
            if terminal is not None and point not in terminal.points:
                known = ", ".join(map(str, sorted(terminal.points))) or "none / 无"
                text = f"{point}: no point of {station.terminal} / 该终端无此测点; allowed / 允许: {known}"
                problems.append(Problem(path, f"station[{number}].{at}.point", text))
    if problems:
        raise ConfigError(problems)


def weak_passwords(path: Path, mapping: Mapping) -> list[Problem]:
    """Passwords that are none (S-28)."""
    text = (
        "a password that everybody tries first / 弱口令; ask the platform for another / 请向平台申请更换; "
        "if it gives none / 如平台不予更换: weak_passwords = true in the [[sink]]"
    )
    return [
        Problem(path, f"station[{number}].pw", text)
        for number, station in enumerate(mapping.stations.values())
        if station.pw in WEAK_PASSWORDS or len(set(station.pw)) == 1
    ]


def warnings(path: Path, mapping: Mapping, registry: Registry) -> list[Problem]:
    """What can be used and should not be: passwords that others read; terminals that are in one file only."""
    found = []
    if mapping.has_passwords and path.stat().st_mode & 0o007:
        text = (
            f"others can read the passwords in it / 其他用户可读其中口令; do / 执行: chmod 640 {path}, or password_file"
        )
        found.append(Problem(path, "station", text))
    for number, station in enumerate(mapping.stations.values()):
        if registry.get(station.terminal) is None and registry.revoked(station.terminal) is None:
            text = f"{station.terminal}: not in terminals.toml / 未登记的终端"
            found.append(Problem(path, f"station[{number}].terminal", text))
    missing = [one.id for one in registry.all() if one.revoked_s is None and one.id not in mapping.stations]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        text = f"{len(missing)} terminals have no station here, their windows become dead letters / 未映射: {shown}"
        found.append(Problem(path, "station", text))
    return found


def _check_file(path: Path, file: MappingFile) -> list[Problem]:
    problems = []
    for name, letter in file.flags.items():
        if name not in FLAGS:
            problems.append(Problem(path, f"flags.{name}", f"unknown / 未知; allowed / 允许: {', '.join(FLAGS)}"))
        if len(letter) != 1 or letter not in LETTERS:
            problems.append(Problem(path, f"flags.{name}", f"{letter!r}; allowed / 允许: {', '.join(LETTERS)}"))
    if file.edition != 2025:
        for key in ("sm4", "heartbeat_s"):
            if getattr(file, key) is not None:
                text = f"edition {file.edition} has none / 此版本没有; allowed / 允许: edition = 2025"
                problems.append(Problem(path, key, text))
    return problems


def _read_passwords(path: Path, file: MappingFile, problems: list[Problem]) -> dict[str, str]:
    """By MN, of the file that the mapping names, if it names one."""
    if file.password_file is None:
        return {}
    try:
        return _by_mn(read_password(str(path.resolve().parent / file.password_file), PASSWORDS_BYTES_MAX) or "")
    except OSError as error:
        problems.append(
            Problem(path, "password_file", f"{file.password_file}: can't be read / 无法读取: {error.strerror}")
        )
    except ValueError:
        allowed = "allowed / 允许: MN PASSWORD a line, an MN once / 每行 MN 与口令，不得重复"
        problems.append(Problem(path, "password_file", f"{file.password_file}: not shown / 不显示; {allowed}"))
    return {}


def _by_mn(text: str) -> dict[str, str]:
    """Raises ValueError where a line has not two words, or an MN two lines."""
    lines = text.splitlines()
    found = dict(line.split() for line in lines)
    if len(found) < len(lines):
        raise ValueError("an MN has two lines")
    return found


def _station(path: Path, file: MappingFile, number: int, passwords: dict[str, str], problems: list[Problem]) -> Station:
    station = file.station[number]
    pw = passwords.get(station.mn) if station.pw is None else station.pw
    at = f"station[{number}]"
    problems += duplicates(path, f"{at}.item", "code", station.item, lambda item: item.code)
    problems += duplicates(path, f"{at}.state", "code", station.state, lambda state: state.code)
    if pw is None:
        text = "missing / 缺少; allowed / 允许: pw, or a line of its MN in the password_file / 或在 password_file 中"
        problems.append(Problem(path, f"{at}.pw", text))
    elif not isinstance(pw, str) or not PW_PATTERN.fullmatch(pw):
        text = "not shown / 不显示; allowed / 允许: 6 printable characters without & , ; = (6 个可见字符的文字)"
        problems.append(Problem(path, f"{at}.pw", text))
    for index, item in enumerate(station.item):
        problems += _check_item(path, f"{at}.item[{index}]", item, item.st or station.st, file)
    wrong = [name for name in station.hardware if not re.fullmatch(r"i2300[5-8]", name)]
    if wrong:
        text = f"{', '.join(wrong)}; allowed / 允许: i23005, i23006, i23007, i23008"
        problems.append(Problem(path, f"{at}.hardware", text))
    key = _read_key(path, f"{at}.key_file", station, file, problems)
    hardware = tuple(station.hardware.items())
    items, states = tuple(station.item), tuple(station.state)
    return Station(station.terminal, station.mn, station.st, str(pw), items, states, key, hardware)


def _check_item(path: Path, key: str, item: ItemConfig, st: str, file: MappingFile) -> list[Problem]:
    quantity = QUANTITIES.get(item.quantity)
    if quantity is None:
        text = f'"{item.quantity}"; allowed / 允许: {", ".join(QUANTITIES)}'
        return [Problem(path, f"{key}.quantity", text)]
    problems = []
    offered = [name for name in quantity.fields if _may(name, st, file)]
    wrong = [name for name in item.attributes if name not in offered]
    if wrong or not item.attributes or len(set(item.attributes)) != len(item.attributes):
        text = f"{item.attributes} of {item.quantity}; allowed / 允许: each once of {', '.join(offered)}"
        problems.append(Problem(path, f"{key}.attributes", text))
    most = quantity.exponent if item.exponent is None else item.exponent
    if item.decimals > most:  # more digits than were measured would be invented
        text = f"{item.decimals} of {item.quantity} ({quantity.unit}); allowed / 允许: 0 to {most}"
        problems.append(Problem(path, f"{key}.decimals", text))
    return problems


def _may(attribute: str, st: str, file: MappingFile) -> bool:
    """Electricity and conditions of the 2025 edition have no period data."""
    return attribute in INSTANT_ATTRIBUTES or file.edition == 2017 or st not in {ELECTRICITY, CONDITIONS}


def _read_key(path: Path, at: str, station: StationConfig, file: MappingFile, problems: list[Problem]) -> bytes | None:
    if file.sm4 is None:
        return None
    wanted = "a file of 16 characters, mode 600 or 640 / 16 个字符的文件，权限 600 或 640"
    if station.key_file is None:
        problems.append(Problem(path, at, f"missing / 缺少; allowed / 允许: {wanted}"))
        return None
    file_path = path.resolve().parent / station.key_file
    try:
        key = read_secret(file_path)
    except OSError as error:
        problems.append(Problem(path, at, f"{station.key_file}: {error.strerror}; allowed / 允许: {wanted}"))
        return None
    if len(key) != KEY_BYTES:
        problems.append(Problem(path, at, f"{station.key_file}: not shown / 不显示; allowed / 允许: {wanted}"))
        return None
    return key
