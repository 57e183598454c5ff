"""A scenario's factory in everybody's own words: the terminal's, the gateway's and the platform's configuration."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hil.oracle.evidence import Item
from hil.scenario import Point, Scenario
from protocol import mac

TERMINAL = "T0001"
MN = "010000A8900016F000169DC0"
SINK = "platform"
GENERATION = 1
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


HERE = Times()


def secret(seed: int) -> bytes:
    """The terminal's key of a run; the bench's own, so it may follow from the seed."""
    return random.Random(seed).randbytes(32)


def keys(seed: int) -> dict[int, mac.Key]:
    """The terminal's key, as whoever checks its frames wants it."""
    return {GENERATION: mac.Key(secret(seed), GENERATION)}


def threshold_w(point: Point) -> int:
    """The power above which a point runs."""
    return point.rated_w // RUN_SHARE


def terminal_json(
    scenario: Scenario, broker_port: int, times: Times = HERE, uplink: dict[str, int] | None = None
) -> dict[str, Any]:
    """The terminal's configuration: one bus, one meter a point."""
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
        for number, point in enumerate(scenario.points, 1)
    ]
    points = [
        {"number": number, "name": point.name, "kind": point.kind, "run_threshold_w": threshold_w(point)}
        for number, point in enumerate(scenario.points, 1)
    ]
    return {
        "terminal": TERMINAL,
        "sample_interval_s": scenario.sample_interval_s,
        "buses": [{"uart": 0, "baud": 115200, "parity": "N", "stop": 1, "meters": meters}],
        "points": points,
        "mqtt": {"host": "127.0.0.1", "port": broker_port, "keepalive_s": times.keepalive_s},
        "uplink": {"ack_timeout_ms": times.ack_timeout_ms, **msgspec.structs.asdict(scenario.uplink), **(uplink or {})},
    }


def key_json(seed: int) -> dict[str, Any]:
    """The terminal's key file."""
    return {"generation": GENERATION, "secret": secret(seed).hex()}


def write_gateway(scenario: Scenario, folder: Path, broker_port: int, platform_port: int, times: Times = HERE) -> Path:
    """The gateway's files in its folder; returns the path of gateway.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "T0001.key"
    key.touch(mode=0o600)
    key.write_text(secret(scenario.seed).hex() + "\n", encoding="ascii")
    (folder / "terminals.toml").write_text(_terminals(scenario.points), encoding="utf-8")
    (folder / "platform.toml").write_text(_platform(scenario.points), encoding="utf-8")
    config = folder / "gateway.toml"
    config.write_text(_gateway(broker_port, platform_port, times), encoding="utf-8")
    return config


def platform_items(points: Sequence[Point]) -> list[Item]:
    """The values that the platform is to get."""
    return [
        Item(number, _code(number, ending), attribute, field, exponent, decimals)
        for number in range(1, len(points) + 1)
        for ending, _quantity, fields, exponent, decimals in QUANTITIES
        for attribute, field in fields.items()
    ]


def _gateway(broker_port: int, platform_port: int, times: Times) -> str:
    return f"""\
data_dir = "data"
terminals = "terminals.toml"

[mqtt]
host = "127.0.0.1"
port = {broker_port}
keepalive_s = {times.keepalive_s}
reconnect_max_s = {max(1, times.reconnect_max_ms // 1000)} # real time, as everything that waits for I/O

[metrics]
port = 0

[[sink]]
name = "{SINK}"
kind = "hj212"
host = "127.0.0.1"
port = {platform_port}
mapping = "platform.toml"
answer_timeout_ms = {times.answer_timeout_ms}
reconnect_min_ms = {times.reconnect_min_ms}
reconnect_max_ms = {times.reconnect_max_ms}
"""


def _terminals(points: Sequence[Point]) -> str:
    rows = [
        f'    {{ number = {number}, name = "{point.name}", kind = "{point.kind}", rated_power_w = {point.rated_w} }},'
        for number, point in enumerate(points, 1)
    ]
    return "\n".join(
        [
            "[[terminal]]",
            f'id = "{TERMINAL}"',
            f'keys = [{{ generation = {GENERATION}, file = "T0001.key" }}]',
            "points = [",
            *rows,
            "]",
            "",
        ]
    )


def _platform(points: Sequence[Point]) -> str:
    lines = ["[[station]]", f'terminal = "{TERMINAL}"', f'mn = "{MN}"', 'st = "51"', 'pw = "831027"', ""]
    for number in range(1, len(points) + 1):
        for ending, quantity, fields, _exponent, decimals in QUANTITIES:
            lines += [
                "[[station.item]]",
                f"point = {number}",
                f'code = "{_code(number, ending)}"',
                f'quantity = "{quantity}"',
                f"attributes = {json.dumps(list(fields))}",
                f"decimals = {decimals}",
                "",
            ]
    return "\n".join(lines)


def _code(point: int, ending: str) -> str:
    """A code of the private kind that platforms give: process electricity has none in HJ 212-2017, appendix B."""
    return f"g9{point:02d}{ending}"
