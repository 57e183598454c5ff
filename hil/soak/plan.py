"""What is played in a soak: a few factories, and what goes wrong in them, drawn from a seed."""

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from hil.scenario import Fault, Point, Scenario, Terminal, check
from hil.weather import PROFILES as NETWORKS
from protocol.host.strict import ConfigError

START = datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=8)))
MODELS = ("sdm630", "dtsu666")
TERMINALS = 4  # the last one is fetched from over Modbus TCP
FACTOR = 60  # an hour is two days and a half; at more the machine's own delays become a meter's
QUIET_MINUTES = 30  # virtual: at the end all is well again
TRIES_A_FAULT = 20  # for a time at which nothing of its part is under way
APART_MINUTES = 60  # virtual: so often something begins
LASTS_MINUTES = (2, 5, 10, 20, 45, 90)
# Drawn in the first third: after these the gateway is another process (it ends where its disk keeps it from running),
# or its buffers have been as full as they may become, and Python keeps that memory. What grows in the rest shows.
EARLY = (
    "gateway_kill", "gateway_outage", "disk_full", "disk_failing", "replayed_frames", "forged_frames",
)  # fmt: skip
DRAWN = (
    "broker_outage", "broker_kill", "terminal_kill", "mains_flapping", "link_down",
    "link_flapping", "link_cut", "slow_link", "replayed_acks", "platform_silent",
    "meter_silent", "treatment_off",
)  # fmt: skip


def scenario_of(seed: int, minutes: int, factor: int = FACTOR) -> Scenario:
    """minutes: real ones. The same seed and length give the same scenario."""
    draw = random.Random(f"{seed}:soak")
    terminals = [Terminal(f"T{number:04}", "mqtt") for number in range(1, TERMINALS)]
    terminals.append(Terminal(f"T{TERMINALS:04}", "modbus_tcp"))
    points = [point for number, one in enumerate(terminals, 1) for point in _factory(draw, number, one.name)]
    plain = Scenario(
        name="soak",
        title="A small fleet for a long time, with faults drawn from a seed",
        title_zh="小型终端群长时间运行，故障随机抽取",
        start=START,
        hours=max(1, minutes * factor // 60),
        factor=factor,
        points=points,
        terminals=terminals,
        seed=seed,
        target="unix",
    )
    return _with_faults(plain, draw)


def _factory(draw: random.Random, number: int, terminal: str) -> list[Point]:
    line, rated_w = f"line_{number}", 50_000 + 10_000 * draw.randrange(20)
    return [
        Point(line, "production", draw.choice(MODELS), 1, rated_w, shifts=3, terminal=terminal),
        Point(f"filter_{number}", "treatment", draw.choice(MODELS), 2, rated_w // 4, follows=line, terminal=terminal),
    ]


def _with_faults(plain: Scenario, draw: random.Random) -> Scenario:
    """The scenario with something beginning each hour or so; what the scenario's own check refuses is drawn again."""
    minutes = plain.hours * 60 - QUIET_MINUTES
    found = plain
    for begin in range(APART_MINUTES // 2, minutes, APART_MINUTES):
        for _ in range(TRIES_A_FAULT):
            one = _drawn(draw, plain, begin + draw.randrange(APART_MINUTES // 2), minutes)
            candidate = msgspec.structs.replace(found, faults=[*found.faults, one])
            try:
                check(candidate, Path("soak"))
            except ConfigError:
                continue
            found = candidate
            break
    return found


def _drawn(draw: random.Random, plain: Scenario, at: int, minutes: int) -> Fault:
    """A fault that begins `at` minutes after the start, and is over after `minutes` of them."""
    kinds = DRAWN if 3 * at > minutes else (*DRAWN, *EARLY)
    what = draw.choice(kinds)
    lasts = min(draw.choice(LASTS_MINUTES), minutes - at)
    terminal = draw.choice(plain.terminals).name
    more: dict[str, object] = {}
    if what in {"terminal_kill", "mains_flapping", "link_down", "link_flapping", "link_cut", "slow_link"}:
        more["terminal"] = terminal
    if what in {"mains_flapping", "link_flapping", "link_cut", "replayed_frames", "replayed_acks", "forged_frames"}:
        more["every"] = f"{max(1, min(10, lasts))} min"
    if what == "link_cut":
        more["bytes"] = draw.randrange(3_000)
    if what == "slow_link":
        more["profile"] = draw.choice(sorted(NETWORKS))
    if what == "meter_silent":
        more["point"] = draw.choice(plain.points).name
    clock = f"{at // 60 % 24:02}:{at % 60:02}"
    return msgspec.convert({"what": what, "at": clock, "day": 1 + at // 1440, "lasts": f"{lasts} min", **more}, Fault)
