"""`wattline field check-wiring`: asks for a moment of load, says what to turn round, again until it passes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from firmware.field import cli_bus
from firmware.field.bus import opening
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import ReachError
from firmware.field.outcome import STATE_WORDS
from firmware.field.wiring import words
from firmware.field.wiring.facts import Told
from firmware.field.wiring.judge import LOAD_SHARE_MIN
from firmware.field.wiring.steps import Ask, Standing, run_check

_OFF = "off"
_MOST = 1e6  # kW, or A: no feeder has more
Running = Annotated[
    list[str] | None, typer.Option(help="What runs: POINT=kW, POINT=off, or POINT alone; several times. 运行情况")
]
Clamp = Annotated[list[str] | None, typer.Option(help="POINT=A, a clamp meter's phase current. 钳形表电流")]
Uneven = Annotated[list[int] | None, typer.Option(help="POINT with single-phase loads. 非三相平衡负荷")]
_EXIT = (
    "Exit status / 退出码: 0 every point passed, 1 a point is wired wrongly, or it is not known, 2 usage, "
    "3 port, cable or meters do not answer."
)


def check_wiring(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    port: cli_bus.Ports,
    plan: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Site plan, or terminal.json. 现场计划")],
    terminal: cli_bus.Terminal = None,
    running: Running = None,
    clamp: Clamp = None,
    rated: Annotated[list[str] | None, typer.Option(help="POINT=kW, where the plan lacks it. 额定功率")] = None,
    uneven: Uneven = None,
    capture: cli_bus.CaptureFile = None,
    dry_run: cli_bus.DryRun = False,
    as_json: cli_bus.AsJson = False,
) -> None:
    """Check how the meters are wired, by readings at a moment of load. 检查电表接线

    With --running it judges once; without, it asks point by point, and again until all pass.
    """
    at, planned = cli_bus.placed(port, list(_with_rated(cli_bus.planned_in(plan, terminal), rated or [])))
    ask = asker([one.number for one in planned], running or [], clamp or [], uneven or [], quiet=as_json)
    if dry_run:
        cli_bus.say_wanted(
            [_wanted(one) for one in planned], {"points": [_wanted_row(one) for one in planned]}, as_json=as_json
        )
    try:
        with opening.opened(at, capture) as reach:
            outcome = run_check(reach, planned, ask)
    except (ReachError, OSError) as error:
        raise cli_bus.refused(error) from error
    cli_bus.finish(outcome, as_json=as_json)


def asker(
    numbers: Sequence[int], running: Sequence[str], clamp: Sequence[str], uneven: Sequence[int], *, quiet: bool
) -> Ask:
    """Who says what runs: the options, once; else whoever sits at the keyboard. Raises typer.BadParameter."""
    clamps = dict(_number_of(one, "--clamp", numbers) for one in clamp)
    told = {
        number: _told(value, clamps.get(number), even=number not in uneven)
        for number, value in (_pair(one, "--running", numbers) for one in running)
    }
    return _Once(told) if told or quiet or not sys.stdin.isatty() else _Person(clamps, uneven)


class _Once:
    """Who was told by options: one round."""

    def __init__(self, told: Mapping[int, Told]) -> None:
        self._told: Mapping[int, Told] | None = told or None

    def __call__(self, _: Sequence[Standing]) -> Mapping[int, Told] | None:
        told, self._told = self._told, None
        return told


class _Person:
    """Who sits at the keyboard: as many rounds as they want."""

    def __init__(self, clamps: Mapping[int, float], uneven: Sequence[int]) -> None:
        self._clamps = clamps
        self._uneven = uneven

    def __call__(self, standings: Sequence[Standing]) -> Mapping[int, Told] | None:
        for one in standings:
            typer.echo("\n".join(_standing(one)))
        numbers = [one.planned.number for one in standings]
        while True:
            text: str = typer.prompt(
                "What runs? such as 1=12 2=off (kW); q ends / 现在运行什么？例如 1=12 2=off（kW），q 结束"
            )
            if text.strip().lower() == "q":
                return None
            try:
                pairs = [_pair(one, "", numbers) for one in text.split()]
                return {
                    number: _told(value, self._clamps.get(number), even=number not in self._uneven)
                    for number, value in pairs
                }
            except typer.BadParameter as error:
                typer.echo(str(error), err=True)


def _standing(one: Standing) -> Iterator[str]:
    if one.verdict is None:
        yield _wanted(one.planned)
        return
    yield f"{one.planned.title}: {one.verdict.state} / {STATE_WORDS[one.verdict.state]}"
    for mistake in one.verdict.mistakes:
        yield from (f"  {line}" for line in words.finding(mistake, one.planned.title).lines())


def _wanted_row(one: Planned) -> dict[str, Any]:
    least_w = None if one.rated_w is None else round(LOAD_SHARE_MIN * one.rated_w)
    return {"point": one.number, "name": one.name, "kind": one.kind, "load_w_min": least_w}


def _wanted(one: Planned) -> str:
    least = "" if one.rated_w is None else f", {LOAD_SHARE_MIN * one.rated_w / 1000:g} kW"
    return (
        f"{one.title} ({one.kind}): let it run at 10 % of its rated power at least{least}, and say how much it draws / "
        f"请使其在额定功率 10% 以上运行{least}，并给出大致功率"
    )


def _with_rated(planned: Sequence[Planned], rated: Sequence[str]) -> Iterator[Planned]:
    numbers = [one.number for one in planned]
    known = dict(_number_of(one, "--rated", numbers) for one in rated)
    for one in planned:
        yield replace(one, rated_w=round(1000 * known[one.number])) if one.number in known else one


def _told(value: str, current_a: float | None, *, even: bool) -> Told:
    if value == _OFF:
        return Told(running=False)
    return Told(running=True, power_w=round(1000 * float(value)) if value else None, current_a=current_a, even=even)


def _number_of(text: str, option: str, numbers: Sequence[int]) -> tuple[int, float]:
    number, value = _pair(text, option, numbers)
    if value in {"", _OFF}:
        raise typer.BadParameter(f"{text}: POINT=NUMBER / 测点=数值", param_hint=option)
    return number, float(value)


def _pair(text: str, option: str, numbers: Sequence[int]) -> tuple[int, str]:
    """`1=12.5`, `1=off` or `1`."""
    name, _, value = text.partition("=")
    try:
        number = int(name)
        right = value in {"", _OFF} or 0 < float(value) <= _MOST
    except ValueError:
        number, right = 0, False
    if not right or number not in numbers:
        known = ", ".join(map(str, numbers))
        raise typer.BadParameter(f"{text}: POINT=kW or POINT=off; points / 测点: {known}", param_hint=option)
    return number, value


def register(app: typer.Typer) -> None:
    """Add the command to `wattline field`."""
    app.command(
        name="check-wiring",
        epilog="Examples / 示例:\n\n"
        "  wattline field check-wiring --port COM3 --plan site.toml\n\n"
        "  wattline field check-wiring --port COM3 --plan site.toml --running 1=12 --running 2=off --json\n\n" + _EXIT,
    )(check_wiring)
