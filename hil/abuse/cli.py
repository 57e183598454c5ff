"""`wattline hil sinks`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from hil.abuse import report as reports
from hil.abuse.campaign import BURST, Campaign, abuses
from hil.abuse.plan import plan
from hil.process import BenchError

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil sinks --seed 7\n\n"
    "  wattline hil sinks --seed 7 --turns 6\n\n"
    "Exit status / 退出码: 0 nothing lost, doubled or invented in any sink, 1 something is,"
    " 2 the bench or a cable failed."
)


def sinks(
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of order and moments. 随机种子")] = 1,
    turns: Annotated[int | None, typer.Option(min=1, help="So many abuses alone; default: all. 次数")] = None,
    burst: Annotated[int, typer.Option(min=8, max=2000, help="Windows at once. 每批窗口数")] = BURST,
    out: Annotated[Path, typer.Option(help="Folder of the run. 输出目录")] = Path("build/sinks"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON. 以 JSON 输出")] = False,
) -> None:
    """Kill, restart, slow, put back and feed twice each sink, under load, on real servers. 上报目标破坏试验"""
    try:
        with Campaign(out, seed, burst) as campaign:
            campaign.start()
            found = campaign.play(plan(seed, abuses(), turns), lambda text: typer.echo(text, err=as_json))
    except BenchError as error:
        typer.echo(f"the bench could not run / 测试台无法运行: {error} (seed {seed})", err=True)
        raise typer.Exit(2) from error
    reports.write(found, out / "report.json")
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        reports.show(found, Console())
        typer.echo(f"report / 报告: {out / 'report.json'}")
    raise typer.Exit({"pass": 0, "fail": 1}.get(found.verdict, 2))
