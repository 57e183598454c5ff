"""`wattline field scan`, `find-meter`, `live`: who is on a bus, and what the planned points read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from terminal import profile
from terminal.bus import Line

from firmware.field.bus import opening, order, points, scan, snapshot, steps
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import ReachError, line_text
from firmware.field.outcome import NO_ANSWER, Outcome
from protocol.checked import ConfigError
from protocol.host import strict

Ports = Annotated[
    list[str],
    typer.Option(
        "--port",
        "--bus-port",
        help="The adapter's port; of several buses 0=COM3, again for each; board:PORT: the terminal asks. "
        "适配器串口；多条总线为 0=COM3，可重复；board:终端串口",
    ),
]
Plan = Annotated[
    Path | None,
    typer.Option("--plan", exists=True, dir_okay=False, help="The site plan, or a terminal.json. 现场计划或终端配置"),
]
Terminal = Annotated[str | None, typer.Option(help="Which terminal of the plan. 计划中的终端")]
CaptureFile = Annotated[
    Path | None, typer.Option("--capture", help="Keep all that goes over the bus: `wattline hil bus`. 总线抓包文件")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked. 只显示将要执行的内容")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")]
EXIT = "Exit status / 退出码: 0 done, 1 something found is wrong, 2 usage, 3 port, cable or meters do not answer."


def scan_(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    port: Ports,
    plan: Plan = None,
    terminal: Terminal = None,
    baud: Annotated[list[int] | None, typer.Option(help="Only this speed; several times. 只搜索该波特率")] = None,
    parity: Annotated[list[str] | None, typer.Option(help="N, E, O; several times. 只搜索该校验位")] = None,
    units: Annotated[str, typer.Option(help="Modbus addresses. Modbus 地址范围")] = "1-247",
    answer_ms: Annotated[
        int, typer.Option(min=20, max=5000, help="That a meter may think; more finds slow ones. 应答等待时间")
    ] = order.ANSWER_MS,
    capture: CaptureFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Search a bus for meters, the likely settings first; Ctrl-C gives what was found. 搜索总线上的电表"""
    planned = planned_in(plan, terminal)
    bauds, parities = baud or order.BAUDS, [one.upper() for one in parity or order.PARITIES]
    _refuse("--baud", [str(one) for one in bauds if one not in order.BAUDS], order.BAUDS)
    _refuse("--parity", [one for one in parities if one not in order.PARITIES], order.PARITIES)
    at, planned = placed(port, planned)
    span = _units(units)

    def search_of(here: Sequence[Planned]) -> list[order.Step]:
        return order.steps(steps.expected(here), bauds, parities, span, answer_ms)

    search = search_of(planned)
    lines = list(dict.fromkeys(line_text(step.line) for step in search))
    if dry_run:
        say_wanted([_plan_text(search)], {"lines": lines, "longest_s": order.longest_s(search)}, as_json=as_json)
    typer.echo(_plan_text(search), err=True)
    try:
        with opening.opened(at, capture) as reach:
            outcome = steps.run_scan(reach, planned, search_of, _Teller().tell)
    except (ReachError, OSError) as error:
        raise refused(error) from error
    finish(outcome, as_json=as_json)


def find_meter(
    port: Ports,
    parity: Annotated[Literal["E", "N", "O"], typer.Option(help="E is the standard's. 校验位")] = "E",
    capture: CaptureFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask the DL/T 645 meters on a bus for their numbers, at each usual speed. 读取总线上 DL/T 645 电表的表号

    Several are told apart by the last digits of their numbers, which takes minutes; Ctrl-C gives what was found.
    """
    at, _ = placed(port, [])
    try:
        with opening.opened(at, capture) as reach:
            outcome = steps.run_find(reach, order.who_steps(parity), _Teller().tell)
    except (ReachError, OSError) as error:
        raise refused(error) from error
    finish(outcome, as_json=as_json)


def live(
    port: Ports,
    plan: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Site plan, or terminal.json. 现场计划")],
    terminal: Terminal = None,
    every: Annotated[float, typer.Option(min=0, help="Again each so many seconds; 0: once. 间隔秒数")] = 0,
    capture: CaptureFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Read every planned point, once or until Ctrl-C. 读取各测点实时值"""
    at, planned = placed(port, planned_in(plan, terminal))
    if dry_run:
        say_wanted([_asked(one) for one in planned], {"points": [_asked_row(one) for one in planned]}, as_json=as_json)
    try:
        with opening.opened(at, capture) as reach:
            outcome = steps.run_live(reach, planned, _quiet if as_json else _say, every_s=every)
    except (ReachError, OSError) as error:
        raise refused(error) from error
    finish(outcome, as_json=as_json)


def planned_in(plan: Path | None, terminal: str | None) -> list[Planned]:
    """What is planned; ends the command with 2 where that can't be used."""
    try:
        return points.load(plan, terminal) if plan is not None else []
    except (ConfigError, strict.ConfigError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def placed(ports: Sequence[str], planned: Sequence[Planned]) -> tuple[dict[int, str], list[Planned]]:
    """Which bus is at which port, and what is planned on those; ends the command with 2 where that is not clear."""
    try:
        found = opening.places(ports, {one.uart for one in planned})
    except opening.PlaceError as error:
        raise typer.BadParameter(str(error), param_hint="--bus-port") from error
    if len(found) > 1 and not planned:
        raise typer.BadParameter(
            "without a --plan one bus is asked: name one port / 没有 --plan 时一次只搜索一条总线，请只指定一个串口",
            param_hint="--bus-port",
        )
    return found, [one for one in planned if one.uart in found]


def refused(error: Exception) -> typer.Exit:
    """A port or a cable that does not work, as the command's end."""
    typer.echo(str(error), err=True)
    return typer.Exit(NO_ANSWER)


def say_wanted(lines: Sequence[str], data: Mapping[str, Any], *, as_json: bool) -> NoReturn:
    """What would be done, and the command's end."""
    typer.echo(json.dumps(data, ensure_ascii=False) if as_json else "\n".join(lines))
    raise typer.Exit(0)


def finish(outcome: Outcome, *, as_json: bool) -> None:
    """Tell a step's outcome, and end the command with its status."""
    if as_json:
        typer.echo(json.dumps(outcome.as_json(), ensure_ascii=False))
    else:
        typer.echo("\n".join(outcome.lines()))
    raise typer.Exit(outcome.exit_status)


def _units(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise typer.BadParameter(f"{text}: such as 1-32 / 例如 1-32", param_hint="--units") from error
    if not found or found[0] not in order.UNITS or found[-1] not in order.UNITS:
        raise typer.BadParameter(f"{text}: 1 to 247, the lower first / 1 至 247", param_hint="--units")
    return found


def _refuse(option: str, unknown: Sequence[str], known: Sequence[object]) -> None:
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: {', '.join(map(str, known))}", param_hint=option)


def _plan_text(search: Sequence[order.Step]) -> str:
    lines: list[Line] = list(dict.fromkeys(step.line for step in search))
    minutes, seconds = divmod(order.longest_s(search), 60)
    return (
        f"{', '.join(map(line_text, lines))}\n"
        f"at most {minutes} min {seconds} s, and {order.FOUND_MS // 1000} s for each meter found; "
        f"Ctrl-C ends it with what was found / 最长 {minutes} 分 {seconds} 秒，"
        f"每发现一块表另加 {order.FOUND_MS // 1000} 秒；按 Ctrl-C 可随时结束"
    )


class _Teller:
    """A line a step, on stderr."""

    def tell(self, progress: scan.Progress) -> None:
        percent = 100 * progress.done_ms // max(1, progress.whole_ms)
        typer.echo(f"{percent:3d} %  {line_text(progress.line)}  {progress.found} found / 已发现", err=True)


def _asked(one: Planned) -> str:
    row = _asked_row(one)
    return f"{one.title}: {row['line']} {row['address']} {row['profile']}: {' '.join(row['reads'])}"


def _asked_row(one: Planned) -> dict[str, Any]:
    return {
        "point": one.number,
        "line": line_text(one.meter.line),
        "address": one.meter.address,
        "profile": one.meter.profile.name,
        "reads": [f"{read.first:04X}+{read.count}" for read in one.meter.plan(profile.MEASURED).reads],
    }


def _quiet(one: Planned, taken: snapshot.Snapshot) -> None:
    """JSON alone."""


def _say(one: Planned, taken: snapshot.Snapshot) -> None:
    if taken.said:
        typer.echo(f"{one.title}: {snapshot.SILENT_WORDS[taken.said]}")
        return
    shown = {**taken.values, **taken.phases}
    typer.echo(f"{one.title}: " + "  ".join(f"{name} {value}" for name, value in shown.items() if value is not None))


def register(app: typer.Typer) -> None:
    """Add the commands to `wattline field`."""
    app.command(
        name="scan",
        epilog="Examples / 示例:\n\n"
        "  wattline field scan --port /dev/ttyUSB0\n\n"
        "  wattline field scan --port COM3 --plan site.toml --terminal T001 --json\n\n"
        "  wattline field scan --port COM3 --baud 9600 --parity N --units 1-32\n\n" + EXIT,
    )(scan_)
    app.command(epilog="Examples / 示例:\n\n  wattline field find-meter --port COM3 --json\n\n" + EXIT)(find_meter)
    app.command(epilog="Examples / 示例:\n\n  wattline field live --port COM3 --plan site.toml --every 5\n\n" + EXIT)(
        live
    )
