"""What goes wrong in a simulated run: drawn from its seed, done to the world at its time, and over before the end."""

import errno
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

import msgspec

from hil.meter_slave import Fault as MeterFault
from hil.meter_slave import Line
from hil.platform import Mode
from hil.scenario import TERMINAL, Point, Scenario, Uplink
from hil.scenario import Terminal as PlannedTerminal
from hil.sim.broker import PORT as BROKER_PORT
from hil.sim.broker import Manners
from hil.sim.terminal import Terminal
from hil.sim.world import PLATFORM_PORT, World
from hil.stranger import Deed

START = datetime(2026, 3, 2, 4, tzinfo=timezone(timedelta(hours=8)))  # the platform counts in this zone
MODELS = ("sdm630", "dtsu666")
# of so many factories one has a second terminal, from whose mailbox the gateway fetches each 10 s: no part costs more
MAILBOX_EVERY = 8
CLONE_EVERY = 16  # of so many factories one has a terminal that is a copy of the first, and reads other meters
HOURS = (1, 1, 1, 2, 2, 3)
SAMPLE_INTERVALS_S = (60, 180, 180, 300)  # a fault of a meter is one at any rate; that of life, 5 s, is the scenarios'
CLONE = "copy"
TROUBLES_MAX = 6
DAY_S = 86_400
RTC_JUMPS_EVERY = 3  # at so many power cuts one moves the clock chip
# such as a terminal can tell (firmware/device/terminal/rtc_memory.py): back behind when it was set, or two weeks ahead
RTC_JUMPS_S = (-18 * 365 * DAY_S, -DAY_S, 20 * DAY_S, 18 * 365 * DAY_S)
# the counters are all that a power cut tears (firmware/device/terminal/counters.py): of so many cuts one is at them
TORN_EVERY = 3
COUNTER_BYTES = 16
# of the gateway's clock, which terminals believe: less than what moves a window into another quarter of an hour
CLOCK_STEP_EVERY = 6  # runs
CLOCK_STEPS_MS = (-45_000, -5_000, 5_000, 45_000)
SPAN_MS_MIN = 5_000  # of a trouble that is made shorter
QUIET_MS = 1_800_000  # before the end everything is well again
CLIENTS = ((TERMINAL, BROKER_PORT), ("gateway", BROKER_PORT), ("gateway", PLATFORM_PORT))


class Trouble(msgspec.Struct, frozen=True):
    """Something that goes wrong, ms after the scenario's start; `number` chooses among its variants."""

    what: str
    from_ms: int
    to_ms: int
    number: int


CLONED, CLOCK_STEP = "terminal_cloned", "clock_step"
# Of a terminal's power. After its clock was stepped a start may name a window as one that the step has cut short: a
# known limit (docs/bench.md), and no seed draws both.
CUTS = {"terminal_cut", "flash_cut"}
OF_TERMINAL = {"terminal_cut", "flash_cut", "flash_full", "flash_refuses"}  # what flash has not, dies with the power
LINE_FAULTS: tuple[Line, ...] = ("silent", "garbled", "pieces", "delay", "exception")
Effect = Callable[[World, int], None]


def _part(world: World, number: int) -> tuple[str, int]:
    clients = [*CLIENTS, *(("gateway", port) for port in world.modbus_ports.values())]
    return clients[number % len(clients)]


def _terminal(world: World, number: int) -> Terminal:
    terminals = [world.terminals[one.name] for one in world.scenario.terminals if one.clone_of is None]
    return terminals[number % len(terminals)]


def _terminal_cut(world: World, number: int) -> None:
    terminal = _terminal(world, number)
    terminal.kill()
    if number % RTC_JUMPS_EVERY == 0:
        terminal.move_rtc(RTC_JUMPS_S[number // RTC_JUMPS_EVERY % len(RTC_JUMPS_S)])


def _cut_in_flash(world: World, number: int) -> None:
    flash = _terminal(world, number).flash
    if number % TORN_EVERY:
        flash.cut_in(1 + number % 40, after=number % 2 == 0)
    else:
        flash.cut_in(1 + number // TORN_EVERY % 8, after=False, torn_bytes=number // 8 % (COUNTER_BYTES + 1))


def _flash_well(world: World, number: int) -> None:
    _terminal(world, number).flash.disarm()
    _terminal(world, number).start()


def _gateway_killed(world: World, number: int) -> None:
    gateway = world.gateway
    (
        gateway.kill,
        lambda: gateway.kill(power=True),
        lambda: gateway.disk.kill_in(1 + number % 3, after=False),
        lambda: gateway.disk.kill_in(1 + number % 3, after=True),
        lambda: gateway.kill_at_point(1 + number % 4),
    )[number % 5]()


def _meters(world: World, number: int, *, well: bool) -> None:
    scenario = world.scenario
    point = scenario.points[number % len(scenario.points)]
    terminal = scenario.terminal_of(point)
    fault = None if well else MeterFault(LINE_FAULTS[number % len(LINE_FAULTS)], ms=20 + number % 400)
    world.terminals[terminal.name].wire.set_fault(point.address, fault)


def _broker_misbehaves(world: World, number: int) -> None:
    manners = world.broker.manners
    manners.lost_permille, manners.doubled_permille = 100 * (number % 5), 150 * (number // 5 % 4)
    manners.held_permille = 200 * (number // 20 % 4)
    manners.queued_max = (1000, 3)[number // 80 % 2]


def _broker_behaves(world: World, number: int) -> None:
    del number
    world.broker.manners = Manners(forgetful=world.broker.manners.forgetful)


def _platform(world: World, number: int) -> None:
    modes = (
        Mode("silent"),
        Mode("silent", keep=True),
        Mode("late", delay_ms=500 + number % 20_000),
        Mode("double"),
        Mode("drop", after_packets=1 + number % 3, keep=number % 2 == 0),
        Mode("refuse"),
        Mode("cut", after_packets=1 + number % 3, keep=number % 2 == 0),
        Mode("missing", after_packets=1 + number % 4, keep=number % 2 == 0),
    )
    world.set_platform(modes[number % len(modes)])


def _cloned(world: World, number: int) -> None:
    del number
    copy = world.terminals[CLONE]
    copy.copy_flash(world.terminals[TERMINAL])
    copy.start()


def _step_clock(world: World, number: int) -> None:
    world.gateway.clock.step(CLOCK_STEPS_MS[number % len(CLOCK_STEPS_MS)])


def _strange(deed: Deed) -> Effect:
    return lambda world, _number: world.stranger.act(deed)


# how each begins, and how it ends
EFFECTS: dict[str, tuple[Effect, Effect]] = {
    "terminal_cut": (_terminal_cut, lambda world, n: _terminal(world, n).start()),
    "flash_cut": (_cut_in_flash, _flash_well),
    "flash_full": (
        lambda world, n: setattr(_terminal(world, n).flash, "full", True),
        lambda world, n: setattr(_terminal(world, n).flash, "full", False),
    ),
    "flash_refuses": (
        lambda world, n: setattr(_terminal(world, n).flash, "refusing", True),
        lambda world, n: setattr(_terminal(world, n).flash, "refusing", False),
    ),
    "link_down": (
        lambda world, n: world.network.set_down(*_part(world, n), down=True),
        lambda world, n: world.network.set_down(*_part(world, n), down=False),
    ),
    "link_cut": (
        lambda world, n: world.network.cut(*_part(world, n), n // 3 % 2, n % 1500),
        lambda _world, _n: None,
    ),
    "broker_stop": (lambda world, _n: world.broker.stop(), lambda world, _n: world.broker.start()),
    "broker_kill": (lambda world, n: world.broker.kill(silent=n % 2 == 0), lambda world, _n: world.broker.start()),
    "broker_manners": (_broker_misbehaves, _broker_behaves),
    "gateway_kill": (_gateway_killed, lambda world, _n: world.gateway.start()),
    "disk_full": (
        lambda world, n: world.gateway.fail_disk((errno.ENOSPC, errno.EIO)[n % 2]),
        lambda world, _n: world.gateway.fail_disk(None),
    ),
    CLOCK_STEP: (_step_clock, lambda world, _n: world.gateway.clock.step(0)),
    "platform": (_platform, lambda world, _n: world.set_platform(Mode())),
    "stranger_alters": (_strange("alter"), _strange("alter")),
    "stranger_forges": (_strange("forge"), _strange("forge")),
    "stranger_replays": (_strange("replay"), _strange("replay")),
    "stranger_replays_acks": (_strange("replay_acks"), _strange("replay_acks")),
    CLONED: (_cloned, lambda _world, _n: None),
    "meter": (
        lambda world, n: _meters(world, n, well=False),
        lambda world, n: _meters(world, n, well=True),
    ),
}


DRAWN = sorted(EFFECTS.keys() - {CLONED, CLOCK_STEP})  # these are drawn by themselves


def scenario_of(seed: int) -> Scenario:
    """The factory of a seed."""
    draw = random.Random(f"{seed}:scenario")
    points = [
        Point(f"line_{number}", "production", draw.choice(MODELS), number, 50_000 * number, terminal=TERMINAL)
        for number in range(1, 1 + draw.randint(1, 2))
    ]
    plain = Scenario(
        name="fuzz",
        title="Drawn from a seed",
        title_zh="由随机种子生成",
        start=START,
        hours=draw.choice(HOURS),
        factor=1,
        points=points,
        seed=seed,
        sample_interval_s=draw.choice(SAMPLE_INTERVALS_S),
        rtc=draw.choice(("set", "set", "none", "wrong")),
        target="sim",
        uplink=Uplink(draw.choice((1, 4, 8)), draw.choice((2, 8))),
    )
    if draw.randrange(MAILBOX_EVERY):
        return plain if draw.randrange(CLONE_EVERY) else _with_clone(plain, draw)
    points.append(Point("mixer", "production", draw.choice(MODELS), 1, 90_000, terminal="T0002"))
    terminals = [*plain.terminals, PlannedTerminal("T0002", "modbus_tcp")]
    return msgspec.structs.replace(plain, points=points, terminals=terminals)


def _with_clone(plain: Scenario, draw: random.Random) -> Scenario:
    """The factory with a terminal that will have a copy of the first one's flash; its meters show other values. No
    clock hours ahead: with what the copied flash says of it no terminal could tell that it is wrong.
    """
    points = [msgspec.structs.replace(one, name=f"copy_{one.name}", terminal=CLONE) for one in plain.points]
    points = [msgspec.structs.replace(one, rated_w=one.rated_w + draw.randint(1, 9) * 1_000) for one in points]
    terminals = [*plain.terminals, PlannedTerminal(CLONE, clone_of=TERMINAL)]
    rtc = "set" if plain.rtc == "wrong" else plain.rtc
    return msgspec.structs.replace(plain, points=[*plain.points, *points], terminals=terminals, rtc=rtc)


def troubles_of(scenario: Scenario) -> list[Trouble]:
    """What goes wrong in it, in order of time; no two of one kind at once."""
    draw = random.Random(f"{scenario.seed}:troubles")
    last_ms = scenario.end_ms - scenario.start_ms - QUIET_MS
    found: list[Trouble] = []
    for _ in range(draw.randint(1, TROUBLES_MAX)):
        what = draw.choice(DRAWN)
        from_ms = draw.randrange(last_ms)
        to_ms = min(from_ms + draw.choice((10_000, 120_000, 1_200_000, 4_800_000)) + draw.randrange(10_000), last_ms)
        group = what.split("_", maxsplit=1)[0]
        apart = all(
            one.what.split("_", maxsplit=1)[0] != group or one.to_ms < from_ms or one.from_ms > to_ms for one in found
        )
        both = what in OF_TERMINAL and any(
            one.what in OF_TERMINAL and one.to_ms >= from_ms and one.from_ms <= to_ms for one in found
        )
        if apart and not both and from_ms < to_ms and not _too_full(what, found):
            found.append(Trouble(what, from_ms, to_ms, draw.randrange(1 << 20)))
    if has_clone(scenario):
        wakes_ms = draw.randrange(last_ms // 2)
        found.append(Trouble(CLONED, wakes_ms, last_ms, 0))
    if not draw.randrange(CLOCK_STEP_EVERY) and not {one.what for one in found} & CUTS:
        from_ms, to_ms = sorted((draw.randrange(last_ms), draw.randrange(last_ms)))
        found.append(Trouble(CLOCK_STEP, from_ms, to_ms, draw.randrange(1 << 20)))
    return sorted(found, key=lambda one: (one.from_ms, one.what))


def has_clone(scenario: Scenario) -> bool:
    """Whether a terminal of it is a copy, which has no power before it is made."""
    return any(one.clone_of for one in scenario.terminals)


def _too_full(what: str, found: list[Trouble]) -> bool:
    """Each trouble of the flash may leave a segment of the log behind; full with three, it lets the oldest go."""
    others = {one.what for one in found if one.what.startswith("flash")}
    return what.startswith("flash") and bool(others) and "flash_full" in {what, *others}


def refusals(troubles: Sequence[Trouble]) -> set[str] | None:
    """The reasons by which frames may be refused then; None: any, for somebody forges or alters."""
    forging = any(one.what.startswith("stranger") or one.what == CLONED for one in troubles)
    return None if forging else set()


def within(troubles: Sequence[Trouble], hours: int) -> list[Trouble]:
    """What of them lies in a run of so many hours."""
    last_ms = 3_600_000 * hours - QUIET_MS
    return [msgspec.structs.replace(one, to_ms=min(one.to_ms, last_ms)) for one in troubles if one.from_ms < last_ms]


def shortened(one: Trouble) -> Trouble | None:
    """The same for half as long; None: it is as short as can be."""
    span_ms = (one.to_ms - one.from_ms) // 2
    return msgspec.structs.replace(one, to_ms=one.from_ms + span_ms) if span_ms >= SPAN_MS_MIN else None


def arrange(world: World, troubles: list[Trouble]) -> None:
    """Have them happen."""
    begin_us = 1000 * (world.scenario.start_ms - world.now_ms())
    for one in troubles:
        begin, end = EFFECTS[one.what]
        world.loop.at_us(begin_us + 1000 * one.from_ms, begin, world, one.number)
        world.loop.at_us(begin_us + 1000 * one.to_ms, end, world, one.number)
