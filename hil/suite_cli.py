"""`wattline hil suite`: all scenarios, one after the other."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from hil import known_failing, scenario
from hil import suite as player
from protocol.host.strict import ConfigError

EPILOG = (
    "Examples / 示例:\n\n  wattline hil suite\n\n  wattline hil suite --target sim monsoon brown_outs\n\n"
    "Exit status / 退出码: 0 each has passed or is known to fail, 1 some have not, or were not played."
)


def suite(
    names: Annotated[list[str] | None, typer.Argument(metavar="SCENARIO...", help="Without: all. 省略为全部")] = None,
    target: Annotated[
        Literal["sim", "unix"] | None, typer.Option(help="sim or unix; without: as each file says. 目标")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs. 输出目录")] = Path("build/suite"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON. 以 JSON 输出")] = False,
) -> None:
    """Play scenarios one after the other, and say of each what came of it. 依次运行场景"""
    try:
        known = known_failing.load(datetime.now(UTC).date())
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    results = player.play(names or scenario.names(), target, out, known, _tell)
    out.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n"
    (out / "results.json").write_bytes(data)
    if as_json:
        sys.stdout.write(data.decode())
    good = sum(one.status in player.GOOD for one in results)
    typer.echo(f"{good} of {len(results)} / 共 {len(results)} 个，通过 {good} 个", err=True)
    raise typer.Exit(0 if good == len(results) else 1)


def _tell(result: player.Result) -> None:
    typer.echo(f"{result.status:14} {result.name:20} {result.real_s:6.1f} s  {result.reason}", err=True)
