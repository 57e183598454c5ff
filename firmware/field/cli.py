"""`wattline field`: what a technician at the switchboard needs. Its commands grow with the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from terminal import config, profile, sampler

from firmware import DEVICE, image, image_manifest
from firmware.field import (
    cli_board,
    cli_bundle,
    cli_bus,
    cli_commission,
    cli_console,
    cli_flash,
    cli_install,
    cli_record,
    cli_rescue,
    cli_screen,
    cli_site,
    cli_wiring,
)
from protocol.checked import ConfigError

PROFILES = DEVICE / "profiles"  # meters as data: the files that a terminal carries

app = typer.Typer(help="Tools for the technician at the switchboard. 现场工具", no_args_is_help=True)
cli_site.register(app)
app.add_typer(cli_bundle.app, name="bundle")
cli_console.register(app)
cli_bus.register(app)
cli_wiring.register(app)
cli_commission.register(app)
cli_record.register(app)
cli_board.register(app)
cli_flash.register(app)
cli_install.register(app)
cli_rescue.register(app)
cli_screen.register(app)


@app.callback()
def _group() -> None:
    """Tools for the technician at the switchboard. 现场工具"""


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline field profiles\n\n"
    "  wattline field profiles --directory my-profiles --json\n\n"
    "Exit status / 退出码: 0 every profile can be used, 1 some cannot, 2 usage."
)
def profiles(
    directory: Annotated[Path, typer.Option(help="Where the profiles are. 电表型号文件目录")] = PROFILES,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object. 输出 JSON")] = False,
) -> None:
    """List the meter models that a terminal can read, and check their files. 列出并检查支持的电表型号"""
    if not directory.is_dir():
        typer.echo(f"{directory}: no such folder; --directory names one with *.json profiles / 目录不存在", err=True)
        raise typer.Exit(2)
    found = [describe(path) for path in sorted(directory.glob("*.json"))]
    if as_json:
        typer.echo(json.dumps({"directory": str(directory), "profiles": found}, ensure_ascii=False))
    else:
        typer.echo("\n".join(map(_text, found)) if found else f"{directory}: no profiles / 没有电表型号文件")
    raise typer.Exit(1 if any(one["error"] for one in found) else 0)


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline field check terminal.json\n\n"
    "Exit status / 退出码: 0 a terminal takes it, 1 it does not, 2 usage."
)
def check(
    file: Annotated[Path, typer.Argument(help="A terminal's configuration. 终端配置文件")],
    directory: Annotated[Path, typer.Option(help="Where the profiles are. 电表型号文件目录")] = PROFILES,
) -> None:
    """Check a terminal's configuration, with its meters' profiles, as the terminal will. 检查终端配置"""
    try:
        found = config.load(str(file))
        buses = sampler.check_buses(found.buses, str(directory), file.name)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for bus, meters in zip(found.buses, buses, strict=True):
        for meter in meters:
            typer.echo(
                f"uart {bus.uart}: {meter.address} {meter.line.baud} 8{meter.line.parity}{meter.line.stop} "
                f"{meter.profile.name}, point / 测点 {meter.point}"
            )
    typer.echo(f"{found.terminal}: can be used / 可用")


@app.command(
    name="image",
    epilog="Examples / 示例:\n\n"
    "  wattline field image\n\n"
    "  wattline field image --board esp32s3 --json\n\n"
    "Exit status / 退出码: 0 made, 1 it can't be made, 2 usage.",
)
def image_(
    board: Annotated[list[str] | None, typer.Option(help=f"{', '.join(image.BOARDS)}; all if none. 板型")] = None,
    out: Annotated[Path, typer.Option(help="A folder a board is made in it, anew. 输出目录")] = image.OUT,
    as_json: Annotated[bool, typer.Option("--json", help="Sizes in bytes as JSON. 输出 JSON")] = False,
) -> None:
    """Make what lies on a board's file system: byte code and profiles, the same for the same commit. 生成固件映像"""
    boards = board or list(image.BOARDS)
    if unknown := sorted(set(boards) - set(image.BOARDS)):
        typer.echo(f"no such board / 没有该板型: {', '.join(unknown)}; {', '.join(image.BOARDS)}", err=True)
        raise typer.Exit(2)
    try:
        version, built_s = image.version_here(), image.built_here_s()
        sizes = {one: image.build(one, out / one, version, built_s) for one in boards}
        for one in boards:
            image_manifest.write(out / one, one, version, built_s)
    except (image.ImageError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        told = {one: {"total": sum(files.values()), "files": files} for one, files in sizes.items()}
        typer.echo(json.dumps({"version": version, "built_s": built_s, "boards": told}))
    else:
        typer.echo("\n".join(image.table(sizes)))


def describe(path: Path) -> dict[str, Any]:
    """One profile for the list. `error` says why its file is not taken; it is "" when the terminal can use it."""
    try:
        one = profile.load(path.stem, str(path.parent))
    except ConfigError as error:
        return {"name": path.stem, "error": str(error)}
    return {
        "name": path.stem,
        "error": "",
        "model": one.model,
        "protocol": one.protocol_name,
        "circuits": one.circuits,
        "reads": [_read(one, read) for read in one.plan().reads],
        "quantities": sorted(quantity.name for quantity in one.quantities[profile.MEASURED]),
        "identity": sorted(quantity.name for quantity in one.quantities[profile.IDENTITY]),
        "state_words": len(one.quantities[profile.STATE]),
        "power_max_w": one.power_max_w,
    }


def _read(one: profile.Profile, read: Any) -> dict[str, Any]:
    if one.protocol_name == "dlt645":
        return {"identifier": f"{read.first:08X}"}
    return {"function": read.function, "first": f"{read.first:04X}", "registers": read.count}


def _text(one: dict[str, Any]) -> str:
    if one["error"]:
        return f"{one['name']}: cannot be used / 不可用: {one['error']}"
    reads = ", ".join(read.get("identifier") or f"{read['first']}+{read['registers']}" for read in one["reads"])
    circuits = f", {one['circuits']} circuits / 回路" if one["circuits"] > 1 else ""
    return (
        f"{one['name']}: {one['model']}\n"
        f"  {one['protocol']}{circuits}\n"
        f"  reads / 读取: {reads}\n"
        f"  quantities / 量: {', '.join(one['quantities'])}"
    )
