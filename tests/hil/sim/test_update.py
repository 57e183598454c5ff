"""A release in the simulation, whose terminal's power fails at some flash operation on its way."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.database import StoreUnavailableError
from hil import runner, scenario
from hil.scenario import Scenario, Update
from hil.sim import fuzz, plan
from hil.sim.target import Sim
from hil.sim.world import World
from hil.targets import open_target

OPERATIONS = 70  # as many as it takes to write a release of four files in chunks, and to have it run
CUTS = 3


def quiet(seed: int) -> Scenario:
    """One terminal that gets a release, and nothing goes wrong."""
    base = scenario.load("firmware_update")
    points = [point for point in base.points if point.terminal == "T0001"]
    update = msgspec.structs.replace(base.updates[0], at="08:20", canary=100)
    changed = {"terminals": base.terminals[:1], "points": points, "updates": [update], "faults": [], "expect": []}
    return msgspec.structs.replace(base, seed=seed, target="sim", hours=3, **changed)


class Cuts:
    """The power fails while a release is on its way, and comes back a minute later; again and again."""

    def __init__(self, target: Sim, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: list[int] = []  # operations of the flash from one to the next
        self.halves: list[bool] = []  # whether a part of the release was there when the power failed
        self._terminal, self._loop, self._chance = target.terminals["T0001"], target.world.loop, chance
        self._write, self._end = self._terminal.flash.operate, self._terminal.kill
        monkeypatch.setattr(self._terminal.flash, "operate", self._operate)
        monkeypatch.setattr(self._terminal, "kill", self._kill)

    def _operate(self, *args: Any) -> None:
        flash = self._terminal.flash
        if "a" in flash.folders and len(self.counts) < CUTS and len(self.halves) == len(self.counts):
            self.counts.append(self._chance.randint(1, OPERATIONS))
            flash.cut_in(self.counts[-1], after=self._chance.random() < 0.5)
        self._write(*args)

    def _kill(self) -> None:
        if self._terminal.running:
            self.halves.append("a/index" in self._terminal.flash.files)
        self._end()
        self._loop.at_us(self._loop.now_us + 60_000_000, self._terminal.start)


@pytest.mark.parametrize("seed", range(4))
def test_power_that_fails_while_a_release_is_written_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """P-276: at any operation of the flash, before its effect or after; the terminal ends with the release."""
    made: list[Cuts] = []

    @contextmanager
    def opened(*args: Any) -> Iterator[Any]:
        with open_target(*args) as target:
            assert isinstance(target, Sim)
            made.append(Cuts(target, random.Random(seed), monkeypatch))
            yield target

    monkeypatch.setattr(runner, "open_target", opened)
    report = runner.run(quiet(seed), tmp_path / "run", lambda _share, _text: None).report
    assert [(one.code, one.text) for one in report.findings] == [], (seed, made[0].counts)
    assert len(made[0].counts) == CUTS
    assert any(made[0].halves[:CUTS]), "none came while a release was on its way"
    assert report.terminals[0].firmware[-1] == "2.0.0", (seed, made[0].counts)


@pytest.mark.parametrize("seed", range(5))
def test_no_reading_is_lost_whatever_goes_wrong_while_a_release_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """P-276: the troubles of the seed, and a release at an instant of its own, which works or hears no ack."""
    draw = random.Random(seed)
    one = Update(at="04:00", release=draw.choice(("good", "mute")))
    plain, arrange = plan.scenario_of(seed), plan.arrange
    ended: list[dict[str, int]] = []

    def arranged(world: World, troubles: list[plan.Trouble]) -> None:
        arrange(world, troubles)
        world.loop.at_us(draw.randrange(60, 3_000) * 1_000_000, roll_out, world)

    def roll_out(world: World) -> None:
        try:
            Sim(world).roll_out(one)
        except (StoreUnavailableError, OSError):  # the disk refuses: an operator tries again
            world.loop.at_us(world.loop.now_us + 60_000_000, roll_out, world)

    monkeypatch.setattr(plan, "arrange", arranged)
    longer = msgspec.structs.replace(plain, hours=max(2, plain.hours), updates=[one])
    monkeypatch.setattr(plan, "scenario_of", lambda _seed: longer)
    found = fuzz.run(seed, seen=lambda target, _troubles, _findings: ended.append(target.gateway.rollouts()))
    assert found.findings == [], (seed, one, found.troubles)
    assert ended[0], (seed, "nothing was rolled out")
