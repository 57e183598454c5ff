"""Scenarios: what exists, what happens when. One small TOML file each, checked whole before anything is started."""

import difflib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hil import expectations, spans
from hil.clock import FACTOR_MAX
from hil.expectations import Expectation
from hil.fault_kinds import KINDS, ON
from hil.load_file import Order
from hil.meter import PROFILES, read_profile
from hil.meter_stand import Step
from hil.spans import Day, Duration, LocalTime, Spanned, duration_s
from hil.weather import PROFILES as NETWORKS
from protocol.host import strict

FOLDER = Path(__file__).parent / "scenarios"
WINDOW_S = 900
TERMINAL = "T0001"  # the terminal of a file that names none
TERMINALS_MAX = 16  # each is two processes on this machine

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
TerminalName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class Terminal(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A terminal, in a switchboard with a meters' bus of its own. `name` is the bench's; `id` what it says it is."""

    name: TerminalName
    uplink: Literal["mqtt", "modbus_tcp"] = "mqtt"
    live_map: bool = False  # over Modbus TCP, beside MQTT; where the uplink is Modbus TCP it is always there
    clone_of: TerminalName | None = None  # it has the id and the key of that terminal
    flash_kib: Annotated[int, msgspec.Meta(ge=224, le=8192)] = 8192  # the least is three segments of the log

    @property
    def id(self) -> str:
        """Under which the gateway knows it."""
        return self.clone_of or self.name

    @property
    def serves_modbus(self) -> bool:
        """Whether it takes Modbus TCP connections."""
        return self.live_map or self.uplink == "modbus_tcp"


class Point(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One measured feeder, with the meter that measures it and the load behind it."""

    name: Name
    kind: Literal["production", "treatment", "other"]
    profile: Name  # the meter's model: firmware/device/profiles/<profile>.json
    address: Annotated[int, msgspec.Meta(ge=1, le=247)] | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$")]
    rated_w: Annotated[int, msgspec.Meta(ge=100, le=100_000_000)]
    follows: Name | None = None  # treatment: the production point whose work it cleans
    shifts: Literal[2, 3] = 2  # production: from 06:00 to 22:00, or round the clock
    circuit: Annotated[int, msgspec.Meta(ge=1, le=32)] = 1  # of a meter with several
    ct_ratio: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1  # of a meter that shows secondary values
    terminal: TerminalName | None = None  # whose bus the meter is on; needed where there are several
    energy_wh: Annotated[int, msgspec.Meta(ge=0, le=10**12)] | None = None  # its register at the start; None: drawn
    steps: list[Step] = []  # known values in place of a load (hil/accuracy)


class Fault(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What goes wrong (hil/fault_kinds.py), from when, for how long. Which of the keys below `day` belong to which kind
    stands there, too.
    """

    what: Name
    at: LocalTime
    lasts: Duration
    day: Day = 1
    point: Name | None = None
    other: Name | None = None  # another point
    every: Duration | None = None  # of what comes and goes: from one beginning to the next
    profile: str | None = None  # of a network: hil/weather.py
    terminal: TerminalName | None = None
    bytes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    by: Annotated[str, msgspec.Meta(pattern=r"^[+-][1-9][0-9]{0,4} ?(h|min|s)$")] | None = None  # of a clock


class Profile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Interval data that drives the production: kWh per interval (hil/load_file.py).

    first_s: the local time of day, in s, at which its first interval begins; that day is the scenario's first.
    """

    file: str
    time_column: str
    energy_column: str
    first_s: Annotated[int, msgspec.Meta(ge=0, lt=86400)] = 0
    date_order: Order = "auto"


class Uplink(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the terminal sends, where a scenario wants that to be unusual."""

    records_per_frame: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    unacked_frames: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 8


class Update(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A release that the operator rolls out to all terminals (hil/updates.py).

    good: one that works; mute: one that hears no ack, so that it can't stay. canary: in percent of the terminals.
    """

    at: LocalTime
    day: Day = 1
    release: Literal["good", "mute"] = "good"
    canary: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100


class Scenario(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One run: a factory, a stretch of virtual time, and the faults in it."""

    name: Name
    title: str
    title_zh: str
    start: datetime  # local time with its offset
    hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 31)]
    factor: Annotated[int, msgspec.Meta(ge=1, le=FACTOR_MAX)]
    points: list[Point]
    terminals: list[Terminal] = msgspec.field(default_factory=lambda: [Terminal(TERMINAL)])
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 1
    sample_interval_s: Annotated[int, msgspec.Meta(ge=1, le=300)] = 60
    rtc: Literal["set", "none", "wrong"] = "set"  # none: it boots without the time; wrong: not set by it, hours ahead
    target: Literal["sim", "unix", "board"] = "unix"  # hil/target.py
    bench: str | None = None  # board: the file that says what is plugged in where (hil/board)
    profile: Profile | None = None
    uplink: Uplink = Uplink()
    faults: list[Fault] = []
    updates: list[Update] = []
    expect: list[Expectation] = []  # what must be seen besides the oracle's invariants

    @property
    def start_ms(self) -> int:
        """Virtual Unix ms of its beginning."""
        return int(self.start.timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """Virtual Unix ms of its end."""
        return self.start_ms + self.hours * 3_600_000

    @property
    def zone(self) -> timezone:
        """The factory's time zone."""
        return timezone(self.start.utcoffset() or timedelta())

    @property
    def midnight_ms(self) -> int:
        """Virtual Unix ms of the local midnight before its beginning."""
        return int(self.start.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1000

    @property
    def mailboxes(self) -> set[str]:
        """The terminals from which the gateway fetches."""
        return {one.name for one in self.terminals if one.uplink == "modbus_tcp"}

    def points_of(self, terminal: Terminal) -> list[Point]:
        """What a terminal measures, in the order of its points' numbers: 1, 2, 3 ..."""
        return [point for point in self.points if point.terminal in {None, terminal.name}]

    def terminal_of(self, point: Point) -> Terminal:
        """Whose point it is."""
        return next(one for one in self.terminals if point.terminal in {None, one.name})

    def span_ms(self, one: Spanned) -> tuple[int, int]:
        """(from, to) of a fault or an excuse, virtual Unix ms."""
        return spans.span_ms(one, self.midnight_ms)

    def instant_ms(self, one: Update) -> int:
        """When a release is rolled out, virtual Unix ms."""
        return spans.instant_ms(one.at, one.day, self.midnight_ms)

    def spans(self, what: str) -> Iterator[tuple[int, int]]:
        """(from, to) in virtual Unix ms of all faults of one kind."""
        return (self.span_ms(fault) for fault in self.faults if fault.what == what)


def names() -> list[str]:
    """The scenarios that come with the bench."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """The scenario of that name, or of the file at that path. Raises protocol.host.strict.ConfigError."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        guess = difflib.get_close_matches(name, names(), 1)
        hint = f"; did you mean / 是否想写: {guess[0]}" if guess else ""
        text = f'no scenario "{name}" / 没有这个场景; there are / 可用: {", ".join(names())}{hint}'
        raise strict.ConfigError([strict.Problem(path, "", text)])
    scenario = strict.read(path, Scenario)
    with strict.lines_named(path):
        check(scenario, path)
    return scenario


def check(scenario: Scenario, path: Path) -> None:
    """What a type can't say: raises protocol.host.strict.ConfigError with every problem."""
    found = (*_terminals(scenario), *_factory(scenario), *_faults(scenario), *_updates(scenario))
    expected = (*expectations.problems(scenario.expect, _unknown), *_excuses(scenario))
    problems = [strict.Problem(path, key, text) for key, text in (*found, *expected)]
    if scenario.start.utcoffset() is None or scenario.start.timestamp() % WINDOW_S:
        text = "a quarter of an hour, with its UTC offset / 需为整刻钟并带时区, e.g. 2026-03-02T00:00:00+08:00"
        problems.append(strict.Problem(path, "start", text))
    if WINDOW_S % scenario.sample_interval_s:
        problems.append(strict.Problem(path, "sample_interval_s", f"a divisor of {WINDOW_S} / 需整除 {WINDOW_S}"))
    if problems:
        raise strict.ConfigError(problems)


def profiles() -> list[str]:
    """The meters' models that the firmware knows."""
    return sorted(path.stem for path in PROFILES.glob("*.json"))


def _terminals(scenario: Scenario) -> Iterator[tuple[str, str]]:
    if not 1 <= len(scenario.terminals) <= TERMINALS_MAX:
        yield "terminals", f"1 to {TERMINALS_MAX} / 1 至 {TERMINALS_MAX} 个"
    originals = [terminal.name for terminal in scenario.terminals if terminal.clone_of is None]
    for number, terminal in enumerate(scenario.terminals):
        key = f"terminals[{number}]"
        if any(terminal.name == other.name for other in scenario.terminals[:number]):
            yield f"{key}.name", f'"{terminal.name}" is there twice / 重复'
        if terminal.clone_of is not None and terminal.clone_of not in originals:
            yield f"{key}.clone_of", _unknown(terminal.clone_of, originals)
        if not scenario.points_of(terminal):
            yield f"{key}.name", f'no point has terminal = "{terminal.name}" / 该终端没有测点'


def _factory(scenario: Scenario) -> Iterator[tuple[str, str]]:
    if not scenario.points:
        yield "points", "at least one / 至少一个"
    known = profiles()
    production = [point.name for point in scenario.points if point.kind == "production"]
    terminals = [terminal.name for terminal in scenario.terminals]
    for number, point in enumerate(scenario.points):
        key = f"points[{number}]"
        before = scenario.points[:number]
        if any(point.name == other.name for other in before):
            yield f"{key}.name", f'"{point.name}" is there twice / 重复'
        if any(_place(point) == _place(other) for other in before):
            yield f"{key}.address", f"{point.address} is there twice: one bus, one meter an address / 地址重复"
        if (point.terminal is None and len(terminals) > 1) or point.terminal not in {None, *terminals}:
            yield f"{key}.terminal", _unknown(point.terminal or "", terminals)
        if point.profile not in known:
            yield f"{key}.profile", _unknown(point.profile, known)
        elif (read_profile(point.profile)["protocol"] == "dlt645") != isinstance(point.address, str):
            yield f"{key}.address", "12 digits for DL/T 645, 1 to 247 for Modbus / DL/T 645 为12位表号，Modbus 为1至247"
        if point.follows is not None and point.follows not in production:
            yield f"{key}.follows", _unknown(point.follows, production)
        if (point.kind == "treatment") != (point.follows is not None):
            yield f"{key}.follows", "for every treatment point, and for no other / 治污测点必填，其他测点不填"


def _place(point: Point) -> tuple[str | None, int | str, int]:
    return point.terminal, point.address, point.circuit


def _faults(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for number, fault in enumerate(scenario.faults):
        key = f"faults[{number}]"
        from_ms, to_ms = scenario.span_ms(fault)
        if from_ms < scenario.start_ms or to_ms > scenario.end_ms:
            yield f"{key}.at", f"{fault.at} for {fault.lasts} is outside the scenario / 超出场景时间"
        if fault.what not in KINDS:
            yield f"{key}.what", _unknown(fault.what, list(KINDS))
            continue
        yield from ((f"{key}.{name}", text) for name, text in _fault_keys(scenario, fault))
        for before in scenario.faults[:number]:
            if _meet(scenario, before, fault):
                yield f"{key}.at", f"{before.what} is not over yet: both concern the same part / 与前一故障重叠"


def _excuses(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What is wrong with the stretches and terminals of excuses, which only the scenario can say."""
    terminals = [terminal.name for terminal in scenario.terminals]
    for number, one in enumerate(scenario.expect):
        if one.terminal is not None and one.terminal not in terminals:
            yield f"expect[{number}].terminal", _unknown(one.terminal, terminals)
        if one.at is not None and one.lasts is not None:
            from_ms, to_ms = scenario.span_ms(one)
            if from_ms < scenario.start_ms or to_ms > scenario.end_ms:
                yield f"expect[{number}].at", f"{one.at} for {one.lasts} is outside the scenario / 超出场景时间"


def _updates(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(scenario.updates):
        if not scenario.start_ms <= scenario.instant_ms(one) < scenario.end_ms:
            yield f"updates[{number}].at", f"{one.at} is outside the scenario / 超出场景时间"


def _fault_keys(scenario: Scenario, fault: Fault) -> Iterator[tuple[str, str]]:
    """What is wrong with the keys that belong to some kinds only."""
    kind = KINDS[fault.what]
    for name in ON:
        given = getattr(fault, name) is not None
        if given and name not in kind.needs | kind.takes:
            yield name, f"{fault.what} takes none / 此故障不用"
        if not given and name in kind.needs:
            yield name, f"missing: {fault.what} needs it / 缺少"
    points = [point.name for point in scenario.points]
    terminals = [terminal.name for terminal in scenario.terminals]
    names = (("point", points), ("other", points), ("terminal", terminals), ("profile", list(NETWORKS)))
    for name, known in names:
        value = getattr(fault, name)
        if value is not None and value not in known:
            yield name, _unknown(value, known)
    yield from _fault_senses(scenario, fault)


def _fault_senses(scenario: Scenario, fault: Fault) -> Iterator[tuple[str, str]]:
    """What makes no sense, though each key is one that there is."""
    clones = {one.name for one in scenario.terminals if one.clone_of}
    if fault.what == "terminal_cloned" and fault.terminal not in clones:
        yield "terminal", "one that is a `clone_of` another / 需为带 clone_of 的终端"
    if fault.what == "meter_swapped" and _has_circuits(scenario, fault.point):
        yield "point", "of a meter with one circuit / 需为单回路电表"
    if fault.other is not None and fault.other == fault.point:
        yield "other", "another point than `point` / 需为另一测点"
    if fault.every is not None and duration_s(fault.every) > duration_s(fault.lasts):
        yield "every", f"not above `lasts`, {fault.lasts} / 不大于 lasts"


def _has_circuits(scenario: Scenario, name: str | None) -> bool:
    """Whether that point's meter measures others, too."""
    at = [(point.terminal, point.address) for point in scenario.points]
    return any(at.count((point.terminal, point.address)) > 1 for point in scenario.points if point.name == name)


def _meet(scenario: Scenario, one: Fault, other: Fault) -> bool:
    """Whether two faults put the same part in and out at the same time."""
    part = KINDS[other.what].part
    if not part or one.what not in KINDS or KINDS[one.what].part != part:
        return False
    if one.terminal != other.terminal and None not in {one.terminal, other.terminal}:
        return False
    (from_ms, to_ms), (other_from_ms, other_to_ms) = scenario.span_ms(one), scenario.span_ms(other)
    return from_ms < other_to_ms and other_from_ms < to_ms


def _unknown(name: str, known: list[str]) -> str:
    guess = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean / 是否想写: {guess[0]}" if guess else ""
    return f'unknown / 未知 "{name}"; there are / 可用: {", ".join(known)}{hint}'
