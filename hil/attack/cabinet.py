"""A factory's hand on what the terminal reads by its field port: another meter, another ratio, other wiring.

What a meter says of itself is read at each start, so those moves are played in the house. What transformers and
registers show takes windows: that is played at a cabinet of its own, in scaled time, by real processes too.
"""

from pathlib import Path
from typing import Any

import msgspec

from gateway import config as configuration
from gateway.watch import honesty, service
from gateway.watch.store import Row
from hil import shown
from hil.attack.house import OWN, House
from hil.attack.move import Move, Observed
from hil.bench import Bench
from hil.clock import ScaledClock
from hil.meter_bus import MeterBus
from hil.oracle.sources import read_rows
from hil.scenario import WINDOW_S, Point, Scenario, load
from hil.scenario import Terminal as Plan
from protocol import record

WHO = "a factory with a motive"
ANOTHER = 987_654  # a meter's number: not the one that was there
SLOW_W = 2_000  # of the load that a simulator makes up
RATIO = 4  # set in the meter: the readings of one that counts behind it are four times as high
POLLS = 2  # behind its first round of samples a meter is asked what it is, before the second

FACTOR = 450  # a window of the cabinet takes two seconds
HONEST_S = 2 * WINDOW_S  # of the cabinet, in which nobody is at it: the rules need two windows
RATED_W, RATED_STEP_W = 50_000, 4_000  # two feeders alike would be a deed, too
WINDOWS = (5, 7, 10, 16, 24)  # in the journal, when it is looked again: a busy machine may spoil some
CURRENT_OFF, TURNED, PUT_BACK, ALL_OFF, UNTOUCHED = range(1, 6)  # the cabinet's points
TOLD = {
    (CURRENT_OFF, honesty.PHASE_LOST),
    (TURNED, honesty.REVERSED),
    (TURNED, honesty.FACTOR_LOW),  # two thirds less power of the same current
    (PUT_BACK, service.REGISTER),
}


def swaps_the_meter(house: House) -> Observed:
    """While the power is off: by a simulator with the true number, and by a meter with a number of its own."""
    before = len(house.numbers(record.METER_SWAPPED))
    _at_the_meter(house, load={"kind": "constant", "rated_w": SLOW_W}, start_import_wh=0)
    simulated = house.wait(lambda: len(_polls(house)) >= POLLS)
    _at_the_meter(house, serial=ANOTHER)
    house.wait(lambda: len(house.numbers(record.METER_SWAPPED)) > before)
    read_on = house.wait(lambda: len(_polls(house)) >= POLLS)
    told = len(house.numbers(record.METER_SWAPPED)) - before
    alarms = _kinds(house).count(service.METER_SWAPPED)
    seen = f"with the true number: read {simulated}, and nothing is said"
    return Observed(
        simulated and read_on and told == alarms == 1,
        f"{seen}; with another one: read on {read_on}, told {told} times, {alarms} alarm",
    )


def sets_a_ratio_and_erases(house: House) -> Observed:
    """Another ratio in the meter, and the terminal's flash made anew, so that it knows of no other one before."""
    learnt = len(house.numbers(record.METER_LEARNT))
    _at_the_meter(house, is_erased=True)
    again = house.wait(lambda: len(house.numbers(record.METER_LEARNT)) > learnt)
    honest = _kinds(house).count(service.RATIO_CHANGED)
    _at_the_meter(house, is_erased=True, ct_ratio=RATIO)
    blind = house.wait(lambda: len(house.numbers(record.METER_LEARNT)) > learnt + 1)
    by_terminal = len(house.numbers(record.RATIO_CHANGED))
    alarms = _kinds(house).count(service.RATIO_CHANGED) - honest
    held = again and blind and (honest, by_terminal, alarms) == (0, 0, 1)
    seen = f"an erased terminal alone: {honest} alarms; with the ratio {RATIO} times as high: it learns {blind}"
    return Observed(held, f"{seen}, itself tells of {by_terminal} changes; {alarms} alarm by what was told before")


def _at_the_meter(house: House, *, is_erased: bool = False, **settings: Any) -> None:
    """With the power off, the meter on the terminal's bus becomes one with these settings (hil.meter_slave)."""
    house.terminal.kill()
    house.meters.process.kill()
    if is_erased:
        house.lay_flash()
    house.meters.change({1: settings})
    house.meters.start()
    house.terminal.process.env["WATTLINE_UART0"] = str(house.meters.uart())
    house.terminal.start()


def _polls(house: House) -> list[dict[str, Any]]:
    """What the meters showed in whole, since they were started last."""
    return [row for row in read_rows(house.meters.log) if "values" in row]


def _kinds(house: House) -> list[str]:
    """Of the alarms about the true terminal's meter."""
    return [one.kind for one in _alarms(house.config, house.clock) if one.subject == f"{OWN}/1"]


def _alarms(config: Path, clock: ScaledClock) -> list[Row]:
    """Alarms about meters, once all that came is old enough to be looked at."""
    found = shown.look(configuration.load(config), shown.Ended(clock.now_ms() + shown.SETTLED_MS))
    return [one for one in found if "/" in one.subject]


class Cabinet(Bench):
    """A switchboard with five feeders; in the middle of the third window somebody is at four of them."""

    def _bus(self, terminal: Plan) -> MeterBus:
        bus, at_ms = super()._bus(terminal), self.scenario.start_ms + (HONEST_S + WINDOW_S // 2) * 1000
        off, turned = {"fault": "ct_off", "from_ms": at_ms}, {"fault": "ct_reversed", "from_ms": at_ms}
        bus.change(
            {
                CURRENT_OFF: {"faults": [{**off, "phase": "a"}]},
                TURNED: {"faults": [{**turned, "phase": "b"}]},
                PUT_BACK: {"replaced": [{"at_ms": at_ms, "serial": PUT_BACK, "start_import_wh": 1}]},
                ALL_OFF: {"faults": [off]},
            }
        )
        return bus


def rewires(house: House) -> Observed:
    """A deed at each feeder: a transformer off (shorted shows the same), one turned round, all off; a register back."""
    with Cabinet(_scenario(house.scenario.seed), house.folder / "cabinet") as cabinet:
        cabinet.bring_up(set())
        found = _alarms_in_time(house, cabinet)
        windows = cabinet.gateway.windows()
    early = [one for one in found if one.from_s < cabinet.scenario.start_ms // 1000 + HONEST_S]
    words = ", ".join(sorted(f"{one.subject} {one.kind}" for one in found))
    told = _points_and_kinds(found)
    accused = {point for point, _ in told}
    held = told >= TOLD and not accused & {ALL_OFF, UNTOUCHED} and not early
    return Observed(held, f"after {windows} windows: {words}; {len(early)} before anybody was there")


def _alarms_in_time(house: House, cabinet: Cabinet) -> list[Row]:
    """At the first look that finds all of TOLD, or at the last one."""
    found: list[Row] = []
    for number in WINDOWS:
        house.wait(lambda number=number: cabinet.gateway.windows() >= number)  # type: ignore[misc]
        found = _alarms(cabinet.gateway.data.parent / "gateway.toml", cabinet.clock)
        if _points_and_kinds(found) >= TOLD:
            break
    return found


def _points_and_kinds(found: list[Row]) -> set[tuple[int, str]]:
    return {(int(one.subject.partition("/")[2]), one.kind) for one in found}


def _scenario(seed: int) -> Scenario:
    """Loads that do not change, so that no sample that a busy machine misses looks like a deed."""
    numbers = range(1, UNTOUCHED + 1)
    points = [Point(f"feeder_{one}", "other", "sdm630", one, RATED_W + RATED_STEP_W * one) for one in numbers]
    points[TURNED - 1] = msgspec.structs.replace(points[TURNED - 1], profile="dlt645_3p", address="202611260002")
    changes = {"points": points, "faults": [], "expect": [], "factor": FACTOR, "seed": seed}
    return msgspec.structs.replace(load("transformers"), **changes)


MOVES = [
    Move(WHO, "puts another meter in, or a simulator", "S-16", "told by its number alone", swaps_the_meter),
    Move(
        WHO,
        "sets a meter's ratio, and erases the terminal",
        "S-16, P-340",
        "an alarm by what was told before",
        sets_a_ratio_and_erases,
    ),
    Move(
        WHO,
        "takes off and turns transformers, puts a register back",
        "S-15, S-17",
        "an alarm each; none where all of a feeder's are off",
        rewires,
    ),
]
