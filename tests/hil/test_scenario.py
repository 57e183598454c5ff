"""Scenarios are checked whole before anything is started."""

from pathlib import Path

import msgspec
import pytest
from terminal import config as terminal_config

from gateway import config as gateway_config
from gateway import registry
from gateway.forward.hj212.mapping import load_mapping
from hil import faults, scenario, wiring
from hil.fault_kinds import KINDS, ON
from hil.meter import read_profile
from hil.meter_bus import meters_json
from hil.meters import Config
from hil.process import BenchError
from hil.spans import duration_s
from hil.targets import open_target
from protocol.host.strict import ConfigError

DAY = scenario.FOLDER / "day.toml"
BENCH_DOC = Path(__file__).parents[2] / "docs" / "bench.md"


def refused(tmp_path: Path, before: str, after: str) -> str:
    """What is said to the day with one thing changed."""
    text = DAY.read_text(encoding="utf-8")
    assert before in text
    file = tmp_path / "changed.toml"
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        scenario.load(str(file))
    assert str(file) in str(error.value)
    return str(error.value)


def _most_w(point: scenario.Point) -> int:
    """The most power that its meter can measure."""
    most_w: int = read_profile(point.profile)["power_max_w"]
    return most_w * point.ct_ratio


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_is_understood_by_everyone_who_is_told_of_it(name: str, tmp_path: Path) -> None:
    """P-511"""
    one = scenario.load(name)
    assert one.name == name
    ports = wiring.Ports(1883, 2, {terminal.name: 5020 + at for at, terminal in enumerate(one.terminals)})
    config = gateway_config.load(wiring.write_gateway(one, tmp_path, ports))
    admitted = registry.load(Path(config.terminals))
    (sink,) = config.sink
    assert isinstance(sink, gateway_config.Hj212Config)
    stations = load_mapping(Path(sink.mapping)).stations
    for terminal in one.terminals:
        terminal_config.check(wiring.terminal_json(one, terminal, ports))
        points = one.points_of(terminal)
        assert len(stations[terminal.id].items) == len(points) * len(wiring.QUANTITIES)
        assert admitted.get(terminal.id) is not None
        msgspec.convert(meters_json(one, terminal, "log"), Config)
    over = [point.name for point in one.points if point.rated_w > _most_w(point)]
    assert over == []  # no terminal believes energies above it (FLAG_ENERGY_STEP)
    assert [action.at_ms for action in faults.actions(one)] == sorted(action.at_ms for action in faults.actions(one))


def test_the_day_is_the_day_that_the_demo_promises() -> None:
    day = scenario.load("day")
    assert day.hours == 24
    kinds = {(point.kind, point.profile) for point in day.points}
    assert len(day.points) >= 4
    assert {"production", "treatment"} <= {kind for kind, _ in kinds}
    assert {"dtsu666", "sdm630"} <= {profile for _, profile in kinds}
    spans = {fault.what: duration_s(fault.lasts) for fault in day.faults}
    assert spans["broker_outage"] == 2 * 3600
    assert spans["treatment_off"] == 3600
    assert "meter_silent" in spans


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("broker_outage", "broker_outtage", "did you mean / 是否想写: broker_outage"),
        ("broker_outage", "mains_flapping", "missing: mains_flapping needs it"),
        ('at = "09:00"', 'every = "5 min", at = "09:00"', "broker_outage takes none"),
        ('what = "broker_outage"', 'what = "slow_link", profile = "3g"', "2g"),
        ('what = "broker_outage"', 'what = "terminal_cloned", terminal = "T0001"', "clone_of"),
        ('what = "broker_outage"', 'what = "rtc_moved", by = "2 h"', "by: '2 h'"),
        ('what = "broker_outage"', 'what = "link_flapping", every = "3 h"', "not above"),
        ('what = "broker_outage"', 'what = "ct_swapped", point = "office", other = "office"', "another point"),
        ("faults = [", 'faults = [\n{ what = "broker_kill", at = "10:59", lasts = "2 min" },', "not over yet"),
        ("hours = 24", "hourz = 24", "hours"),
        ("factor = 600", "factor = 6000", "1 to 3600"),
        ("factor = 600", 'factor = "600"', "1 to 3600"),
        ("sample_interval_s = 150", "sample_interval_s = 120", "a divisor of 900"),
        ('profile = "dtsu666"', 'profile = "dtsu66"', "dtsu666"),
        ("address = 2", "address = 1", "there twice"),
        ('name = "paint_line"', 'name = "furnace"', "there twice"),
        ('point = "paint_line"', 'point = "paint_lane"', "paint_line"),
        ('follows = "furnace"', 'follows = "furnase"', "furnace"),
        (', follows = "furnace"', "", "follows"),
        ('at = "09:00"', 'at = "25:00"', "allowed"),
        ('at = "09:00"', 'at = "23:00"', "outside the scenario"),
        ('lasts = "2 h"', 'lasts = "2 hours"', "allowed"),
        ("2026-03-02T00:00:00+08:00", "2026-03-02T00:07:00+08:00", "quarter"),
        ("2026-03-02T00:00:00+08:00", "2026-03-02T00:00:00", "offset"),
    ],
)
def test_what_cannot_be_played_is_refused_with_what_is_allowed(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    """P-53"""
    assert said in refused(tmp_path, before, after)


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('what = "broker_outage"', 'what = "broker_outtage"', "faults[1].what"),
        ('at = "09:00"', 'at = "9:00"', "faults[1].at"),
        ('lasts = "1 h"', 'lasts = "20 h"', "faults[2].at"),
        ('profile = "dtsu666", address = 2', 'profile = "dtsu6666", address = 2', "points[1].profile"),
        ("hours = 24", "hours = 0", "hours"),
        ("hours = 24", "hourz = 24", "hourz"),
    ],
)
def test_what_is_refused_is_named_with_its_line(tmp_path: Path, before: str, after: str, key: str) -> None:
    """P-200"""
    line = DAY.read_text(encoding="utf-8").split(before)[0].count("\n") + 1
    assert f"changed.toml:{line}: {key}: " in refused(tmp_path, before, after)


def test_the_documentation_names_every_fault_with_its_keys() -> None:
    rows = [line for line in BENCH_DOC.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = {row.split("|")[1].strip(" `"): [one.strip() for one in row.split("|")[2:5]] for row in rows}
    for name, kind in KINDS.items():
        text, keys, targets = cells[name]
        assert text == kind.text
        assert {one for one in ON if f"`{one}`" in keys} == kind.needs | kind.takes
        assert targets == ", ".join(sorted(kind.targets))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_fault_that_a_target_cannot_play_is_refused_before_the_run(kind: str, tmp_path: Path) -> None:
    given = {
        "terminal": "T0001",
        "by": "+2 h",
        "point": "furnace",
        "other": "office",
        "every": "2 min",
        "profile": "2g",
        "bytes": 300,
    }
    keys = {name: value for name, value in given.items() if name in KINDS[kind].needs}
    fault = msgspec.convert({"what": kind, "at": "09:00", "lasts": "1 h", **keys}, scenario.Fault)
    day = msgspec.structs.replace(scenario.load("day"), faults=[fault])
    if kind == "terminal_cloned":
        day = msgspec.structs.replace(
            day, terminals=[scenario.Terminal("T0001"), scenario.Terminal("copy", clone_of="T0001")]
        )
    else:
        scenario.check(day, DAY)
    for target in {"sim", "unix"} - KINDS[kind].targets:
        with pytest.raises(BenchError, match=f"{kind} can't be played on {target}"):
            open_target(msgspec.structs.replace(day, target=target), tmp_path)


def test_what_comes_and_goes_is_away_in_the_first_half_of_each_period() -> None:
    fault = scenario.Fault("mains_flapping", "09:00", "50 min", every="20 min")
    day = msgspec.structs.replace(scenario.load("day"), faults=[fault])
    done = [((one.at_ms - day.start_ms) // 60_000 - 540, one.text) for one in faults.actions(day)]
    begins, ends = "mains flapping begins", "mains flapping ends"
    assert done == [(0, begins), (10, ends), (20, begins), (30, ends), (40, begins), (50, ends)]


def test_an_unknown_name_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="broker_outage"):
        scenario.load("broker_outrage")


def test_what_begins_with_the_scenario_is_a_part_that_comes_up_late() -> None:
    cold = scenario.load("cold_start")
    assert faults.absent(cold) == {"broker", "gateway"}
    texts = [action.text for action in faults.actions(cold)]
    assert "broker outage begins" not in texts
    assert "broker outage ends" in texts


TWO = """
[[terminals]]
name = "T0001"

[[terminals]]
name = "T0002"
uplink = "modbus_tcp"
"""


@pytest.mark.parametrize(
    ("owner", "more", "said"),
    [
        ("T0001", "", 'no point has terminal = "T0002"'),
        ("T0003", "", "T0001, T0002"),
        ("T0002", '[[terminals]]\nname = "T0001"', "there twice"),
        ("T0002", '[[terminals]]\nname = "T0009"\nclone_of = "T0007"', "T0001, T0002"),
        ("T0002", '[[terminals]]\nname = "T0009"\nuplink = "modbus"', "modbus_tcp"),
        ("T0002", '[[faults]]\nwhat = "terminal_kill"\nat = "09:00"\nlasts = "1 min"\nterminal = "T2"', "T0002"),
        ("T0002", '[[faults]]\nwhat = "gateway_kill"\nat = "09:00"\nlasts = "1 min"\nterminal = "T0002"', "takes none"),
    ],
)
def test_terminals_that_cannot_be_are_refused(tmp_path: Path, owner: str, more: str, said: str) -> None:
    """P-53"""
    head, points = "name = 'x'\ntitle = 'x'\ntitle_zh = 'x'\nstart = 2026-03-02T08:00:00+08:00\n", ""
    for name, terminal in (("fan", owner), ("pump", "T0001")):
        about = f'kind = "other"\nprofile = "sdm630"\naddress = 1\nrated_w = 9000\nterminal = "{terminal}"'
        points += f'[[points]]\nname = "{name}"\n{about if name == "fan" else about.replace("= 1", "= 2")}\n'
    file = tmp_path / "x.toml"
    file.write_text(f"{head}hours = 4\nfactor = 900\n{points}{TWO}{more}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        scenario.load(str(file))
    assert said in str(error.value)


def test_meters_of_two_terminals_may_have_one_address_and_a_clone_has_the_others_key() -> None:
    one = scenario.load("two_terminals")
    first, second = one.terminals
    assert [point.address for point in one.points_of(first)] == [point.address for point in one.points_of(second)]
    assert wiring.key_json(1, first.id) != wiring.key_json(1, second.id)
    clone = scenario.Terminal("clone", clone_of="T0002")
    assert wiring.key_json(1, clone.id) == wiring.key_json(1, second.id)
    assert wiring.mn(one, clone) == wiring.mn(one, second) != wiring.mn(one, first)
