"""`wattline field screen`: points, phases, bus and log, live, in a terminal of 80 x 24 and up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firmware.field import cli_bus
from firmware.field.bus import opening
from firmware.field.bus.reach import ReachError
from firmware.field.screen.words import Language

_MISSING = "textual is missing: install wattline[field] / 缺少 textual，请安装 wattline[field]"


def screen(
    port: cli_bus.Ports,
    plan: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Site plan, or terminal.json. 现场计划")],
    terminal: cli_bus.Terminal = None,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds from one round to the next. 间隔秒数")] = 2,
    language: Annotated[Language, typer.Option(help="en or zh; key z changes it. 语言")] = "zh",
    capture: cli_bus.CaptureFile = None,
) -> None:
    """Show all points live: values, phases as arrows, the bus in words. 实时画面"""
    try:
        from firmware.field.screen.app import LiveScreen  # noqa: PLC0415  an extra has Textual, and only this needs it
    except ImportError as error:
        typer.echo(_MISSING, err=True)
        raise typer.Exit(2) from error
    at, planned = cli_bus.placed(port, cli_bus.planned_in(plan, terminal))
    try:
        with opening.opened(at, capture) as reach:
            LiveScreen(reach, planned, every_s=every, language=language).run(mouse=False)
    except (ReachError, OSError) as error:
        raise cli_bus.refused(error) from error


def register(app: typer.Typer) -> None:
    """Add the command to `wattline field`."""
    app.command(
        epilog="Examples / 示例:\n\n  wattline field screen --port COM3 --plan site.toml\n\n"
        "Keys / 按键: arrows choose a point, space pauses, z language, v one pane alone, q ends.\n\n"
        "Exit status / 退出码: 0 ended by a key, 2 usage, 3 port or cable does not answer."
    )(screen)
