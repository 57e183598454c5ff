"""A scenario's factory in everybody's own words: the terminal's, the gateway's and the platform's configuration."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hil.oracle.evidence import Item
from hil.scenario import TERMINAL, Point, Scenario, Terminal
from protocol import mac

MN_FIRST = 0x10000A8900016F000169DC0  # of the first terminal's station; the next ones' follow it
SINK = "platform"
GENERATION = 1
UNIT = 7  # of each terminal on its own Modbus TCP endpoint
RUN_SHARE = 20  # a point runs above a twentieth of its rated power: above standby, below any work
# real time: a pty answers in a millisecond, so this is silence even on a machine that is busy with other things
METER_TIMEOUT_MS = 40
# what the platform wants of each point: code's end, quantity, attributes, exponent, decimals, fields (hil's own table:
# the oracle must not read the gateway's)
QUANTITIES: list[tuple[str, str, dict[str, str], int, int]] = [
    ("00", "p", {"Min": "p_min_w", "Avg": "p_mean_w", "Max": "p_max_w"}, 3, 2),
    ("01", "e_import", {"Cou": "e_import_wh"}, 3, 2),
    ("02", "r_import", {"Cou": "r_import_varh"}, 3, 2),
    ("03", "ua", {"Avg": "ua_dv"}, 1, 1),
    ("04", "ia", {"Avg": "ia_ma"}, 3, 2),
    ("05", "pf", {"Avg": "pf_milli"}, 3, 3),
    ("06", "run", {"Cou": "run_s"}, 0, 0),
]


class Times(NamedTuple):
    """How long the parts wait for each other, in real time; as given here on this machine: the gateway answers within
    its commit, some 10 ms, and everything is back within a second.
    """

    ack_timeout_ms: int = 1500
    answer_timeout_ms: int = 1000
    reconnect_min_ms: int = 500
    reconnect_max_ms: int = 500
    keepalive_s: int = 60
    poll_ms: int = 100  # of a mailbox
    poll_back_off_max_ms: int = 500


HERE = Times()


class Ports(NamedTuple):
    """Where everybody listens on the loopback interface. By terminals' names: modbus, of those that serve it; links, of
    what lies between a terminal and who fetches from it or is published to.
    """

    broker: int
    platform: int
    modbus: Mapping[str, int] = {}
    links: Mapping[str, int] = {}


def secret(seed: int, terminal: str = TERMINAL) -> bytes:
    """A terminal's key of a run, by its id; the bench's own, so it may follow from the seed."""
    return random.Random(f"{seed}:{terminal}").randbytes(32)


def mn(scenario: Scenario, terminal: Terminal) -> str:
    """The platform's number of a terminal's station."""
    return f"{MN_FIRST + [one.name for one in scenario.terminals].index(terminal.id):024X}"


def keys(seed: int, terminal: str = TERMINAL) -> dict[int, mac.Key]:
    """A terminal's key, by its id, as whoever checks its frames wants it."""
    return {GENERATION: mac.Key(secret(seed, terminal), GENERATION)}


def threshold_w(point: Point) -> int:
    """The power above which a point runs."""
    return point.rated_w // RUN_SHARE


def terminal_json(
    scenario: Scenario, terminal: Terminal, ports: Ports, times: Times = HERE, uplink: dict[str, int] | None = None
) -> dict[str, Any]:
    """A terminal's configuration: one bus, one meter a point."""
    measured = scenario.points_of(terminal)
    meters = [
        {
            "address": point.address,
            "profile": point.profile,
            "point": number,
            "ct_ratio": point.ct_ratio,
            "pt_ratio": 1,
            "timeout_ms": METER_TIMEOUT_MS,
            "circuit": point.circuit,
            "parity": "E" if isinstance(point.address, str) else "N",
        }
        for number, point in enumerate(measured, 1)
    ]
    points = [
        {"number": number, "name": point.name, "kind": point.kind, "run_threshold_w": threshold_w(point)}
        for number, point in enumerate(measured, 1)
    ]
    links: dict[str, Any] = {}
    if terminal.uplink == "mqtt":
        links["mqtt"] = {"host": "127.0.0.1", "port": ports.links.get(terminal.name, ports.broker)}
        links["mqtt"]["keepalive_s"] = times.keepalive_s
    if terminal.serves_modbus:
        links["modbus"] = {"unit": UNIT, "port": ports.modbus[terminal.name]}
    return {
        "terminal": terminal.id,
        "sample_interval_s": scenario.sample_interval_s,
        "buses": [{"uart": 0, "baud": 115200, "parity": "N", "stop": 1, "meters": meters}],
        "points": points,
        **links,
        "uplink": {"ack_timeout_ms": times.ack_timeout_ms, **msgspec.structs.asdict(scenario.uplink), **(uplink or {})},
    }


def key_json(seed: int, terminal: str = TERMINAL) -> dict[str, Any]:
    """A terminal's key file, by its id."""
    return {"generation": GENERATION, "secret": secret(seed, terminal).hex()}


def write_gateway(scenario: Scenario, folder: Path, ports: Ports, times: Times = HERE) -> Path:
    """The gateway's files in its folder; returns the path of gateway.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    admitted = [terminal for terminal in scenario.terminals if terminal.clone_of is None]
    for terminal in admitted:
        key = folder / f"{terminal.id}.key"
        key.touch(mode=0o600)
        key.write_text(secret(scenario.seed, terminal.id).hex() + "\n", encoding="ascii")
    terminals = "\n".join(_terminal(scenario, terminal) for terminal in admitted)
    (folder / "terminals.toml").write_text(terminals, encoding="utf-8")
    stations = "\n".join(_station(scenario, terminal) for terminal in admitted)
    (folder / "platform.toml").write_text(stations, encoding="utf-8")
    config = folder / "gateway.toml"
    config.write_text(_gateway(scenario, ports, times), encoding="utf-8")
    return config


def platform_items(points: Sequence[Point]) -> list[Item]:
    """The values that the platform is to get."""
    return [
        Item(number, _code(number, ending), attribute, field, exponent, decimals)
        for number in range(1, len(points) + 1)
        for ending, _quantity, fields, exponent, decimals in QUANTITIES
        for attribute, field in fields.items()
    ]


def _gateway(scenario: Scenario, ports: Ports, times: Times) -> str:
    uplinks = {terminal.uplink for terminal in scenario.terminals}
    parts = [
        'data_dir = "data"\nterminals = "terminals.toml"\n',
        *([_broker(ports, times)] if "mqtt" in uplinks else []),
        *(_mailbox(one, ports, times) for one in scenario.terminals if one.uplink == "modbus_tcp"),
        "[metrics]\nport = 0\n",
        _sink(ports, times),
    ]
    return "\n".join(parts)


def _broker(ports: Ports, times: Times) -> str:
    return f"""\
[mqtt]
host = "127.0.0.1"
port = {ports.broker}
keepalive_s = {times.keepalive_s}
reconnect_max_s = {max(1, times.reconnect_max_ms // 1000)} # real time, as everything that waits for I/O
"""


def _mailbox(terminal: Terminal, ports: Ports, times: Times) -> str:
    return f"""\
[[modbus]]
name = "{terminal.name}"
host = "127.0.0.1"
port = {ports.links.get(terminal.name, ports.modbus[terminal.name])}
timeout_ms = {times.answer_timeout_ms}
poll_ms = {times.poll_ms}
back_off_min_ms = {times.poll_ms}
back_off_max_ms = {times.poll_back_off_max_ms}
terminals = [{{ id = "{terminal.id}", unit = {UNIT} }}]
"""


def _sink(ports: Ports, times: Times) -> str:
    return f"""\
[[sink]]
name = "{SINK}"
kind = "hj212"
host = "127.0.0.1"
port = {ports.platform}
mapping = "platform.toml"
answer_timeout_ms = {times.answer_timeout_ms}
reconnect_min_ms = {times.reconnect_min_ms}
reconnect_max_ms = {times.reconnect_max_ms}
"""


def _terminal(scenario: Scenario, terminal: Terminal) -> str:
    rows = [
        f'    {{ number = {number}, name = "{point.name}", kind = "{point.kind}", rated_power_w = {point.rated_w} }},'
        for number, point in enumerate(scenario.points_of(terminal), 1)
    ]
    return "\n".join(
        [
            "[[terminal]]",
            f'id = "{terminal.id}"',
            f'keys = [{{ generation = {GENERATION}, file = "{terminal.id}.key" }}]',
            "points = [",
            *rows,
            "]",
            "",
        ]
    )


def _station(scenario: Scenario, terminal: Terminal) -> str:
    number_of_station = mn(scenario, terminal)
    lines = ["[[station]]", f'terminal = "{terminal.id}"', f'mn = "{number_of_station}"', 'st = "51"', 'pw = "831027"']
    for number in range(1, len(scenario.points_of(terminal)) + 1):
        for ending, quantity, fields, _exponent, decimals in QUANTITIES:
            lines += [
                "",
                "[[station.item]]",
                f"point = {number}",
                f'code = "{_code(number, ending)}"',
                f'quantity = "{quantity}"',
                f"attributes = {json.dumps(list(fields))}",
                f"decimals = {decimals}",
            ]
    return "\n".join([*lines, ""])


def _code(point: int, ending: str) -> str:
    """A code of the private kind that platforms give: process electricity has none in HJ 212-2017, appendix B."""
    return f"g9{point:02d}{ending}"
