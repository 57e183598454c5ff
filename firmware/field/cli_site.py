"""`wattline field plan`: a site plan checked before anybody goes there, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from firmware.field import files, site
from firmware.field.site import gateway_entries, terminal_files
from firmware.field.site.check import PROFILES
from protocol.host.strict import ConfigError

PlanFile = Annotated[Path, typer.Argument(help="The site plan, site.toml. 现场计划文件")]


def load_site(file: Path, profiles: Path = PROFILES) -> site.Site:
    """The plan, or the end of the command with every problem that it has."""
    try:
        return site.load(file, profiles)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        typer.echo(f"{len(error.problems)} problem(s) / 个问题", err=True)
        raise typer.Exit(1) from error


def plan(
    file: PlanFile,
    out: Annotated[Path | None, typer.Option(help="Write what is made of it into this folder. 输出目录")] = None,
    directory: Annotated[Path, typer.Option(help="Where the profiles are. 电表型号文件目录")] = PROFILES,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")] = False,
) -> None:
    """Check a site plan, and show each terminal's points. 检查现场计划

    With --out: ID.terminal.json of each terminal, and enterprises.toml for the gateway.
    """
    found = load_site(file, directory)
    terminals = [
        {"id": one.id, "place": one.place, "board": one.board, "points": gateway_entries.points_of(one, directory)}
        for one in found.plan.terminal
    ]
    made: list[Path] = []
    if out is not None:
        try:
            made = _write(found, out)
        except OSError as error:
            typer.echo(files.trouble(error), err=True)
            raise typer.Exit(1) from error
    if as_json:
        told = {"enterprise": found.plan.enterprise.id, "terminals": terminals, "made": [str(one) for one in made]}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for one in found.plan.terminal:
        typer.echo(f"{one.id}: {one.place}, {one.board}")
        for point in one.points:
            typer.echo(
                f"  {point.number} {point.name} ({point.role}): {point.profile}, {point.address}, "
                f"CT {point.ct_ratio}, {point.rated_power_w} W"
            )
    typer.echo(f"{file}: right / 计划正确")
    for path in made:
        typer.echo(path)


def _write(found: site.Site, out: Path) -> list[Path]:
    """The files that were made. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    made = {"enterprises.toml": gateway_entries.enterprises_toml(found.plan)}
    for one in found.plan.terminal:
        configuration = terminal_files.configuration_of(one, found.broker(one), found.plan.sntp)
        made[f"{one.id}.terminal.json"] = json.dumps(configuration, ensure_ascii=False, indent=1) + "\n"
    for name, text in made.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in made]


def register(app: typer.Typer) -> None:
    """Add the command to `wattline field`."""
    app.command(
        epilog="Examples / 示例:\n\n"
        "  wattline field plan site.toml\n\n"
        "  wattline field plan site.toml --out made\n\n"
        "Exit status / 退出码: 0 right, 1 something is wrong (file, line, key), 2 usage."
    )(plan)
