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
from hil.scenario import Update
from hil.sim import fuzz, plan
from hil.sim.target import Sim
from hil.sim.world import World
from hil.target import open_target

OPERATIONS = 70  # as many as it takes to write a release of four files in chunks, and to have it run
CUTS = 3


@pytest.mark.parametrize("seed", range(6))
def test_power_that_fails_while_a_release_is_written_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """P-276: at any operation of the flash, before its effect or after; the terminal ends with the release."""
    chance = random.Random(seed)
    base = scenario.load("firmware_update")
    chosen = msgspec.structs.replace(
        base,
        seed=seed,
        target="sim",
        hours=3,
        terminals=base.terminals[:1],
        points=[point for point in base.points if point.terminal == "T0001"],
        faults=[],
        expect=[],
        updates=[msgspec.structs.replace(base.updates[0], at="08:20", canary=100)],
    )
    cuts: list[int] = []  # operations of the flash from one to the next
    ended: list[bool] = []  # whether a part of the release was there when the power failed

    @contextmanager
    def cut(*args: Any) -> Iterator[Any]:
        with open_target(*args) as target:
            assert isinstance(target, Sim)
            watch(target)
            yield target

    def watch(target: Sim) -> None:
        terminal, loop = target.terminals["T0001"], target.world.loop
        write, end = terminal.flash.operate, terminal.kill

        def operate(*args: Any) -> None:
            if "a" in terminal.flash.folders and len(cuts) < CUTS and len(ended) == len(cuts):
                cuts.append(chance.randint(1, OPERATIONS))
                terminal.flash.cut_in(cuts[-1], after=chance.random() < 0.5)
            write(*args)

        def kill() -> None:
            if terminal.running:
                ended.append("a/index" in terminal.flash.files)
            end()
            loop.at_us(loop.now_us + 60_000_000, terminal.start)

        monkeypatch.setattr(terminal.flash, "operate", operate)
        monkeypatch.setattr(terminal, "kill", kill)

    monkeypatch.setattr(runner, "open_target", cut)
    report = runner.run(chosen, tmp_path / "run", lambda _share, _text: None).report
    assert [(one.code, one.text) for one in report.findings] == [], (seed, cuts)
    assert any(ended[:CUTS]), "none came while a release was on its way"
    assert report.terminals[0].firmware[-1] == "2.0.0", (seed, cuts)


@pytest.mark.parametrize("seed", range(8))
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
