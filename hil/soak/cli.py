"""`wattline hil soak`."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hil import runner
from hil.process import BenchError
from hil.report import files as report_files
from hil.report import result as reports
from hil.soak import report as soak_report
from hil.soak.plan import scenario_of
from hil.soak.watcher import Watcher

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil soak\n\n"
    "  wattline hil soak --minutes 10 --seed 7 --out build/soak\n\n"
    "Exit status / 退出码: 0 nothing is lost and nothing grows, 1 something is or does, 2 the bench could not run, "
    "3 nothing is lost, but too short to judge what grows / 未丢失，但时间太短，无法判断增长."
)
STATUS = {soak_report.PASSES: 0, soak_report.FAILS: 1, soak_report.TOO_SHORT: 3}
MINUTES_MAX = 720  # the bench's scenarios last 31 days at the most, and this is 30


def soak(
    minutes: Annotated[int, typer.Option(min=1, max=MINUTES_MAX, help="Real minutes. 实际分钟数")] = 60,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the factories and the faults. 随机种子")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the run. 输出目录")] = Path("build/soak"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON. 以 JSON 输出")] = False,
) -> None:
    """A small fleet of real processes for an hour, with random faults: the oracle's zero, and nothing that grows.
    长时间运行试验
    """
    console = Console(stderr=as_json)
    scenario, watcher, began_s = scenario_of(seed, minutes), Watcher(), time.monotonic()

    def told(_share: float, text: str) -> None:
        if text:
            console.print(f"{(time.monotonic() - began_s) / 60:5.1f} min  {text}", highlight=False)

    try:
        outcome = runner.run(scenario, out, told, watcher.look)
    except BenchError as error:
        console.print(f"the bench could not run / 测试台无法运行: {error}", markup=False)
        raise typer.Exit(2) from None
    found = soak_report.soaked(outcome.report, watcher.judged(), minutes)
    report_files.write_all(scenario, outcome, out, found.again)
    soak_report.write(found, scenario, watcher.series, out)
    if as_json:
        typer.echo((out / soak_report.JSON).read_text(encoding="utf-8"), nl=False)
    reports.show(outcome.report, console)
    for one in found.growth:
        if one.is_bad:
            console.print(f"grows / 增长: {one.name}, {one.unit}: {one.first:.1f} -> {one.last:.1f}", style="bold red")
    if found.verdict == soak_report.TOO_SHORT:
        console.print(f"too short to judge / 时间太短: {soak_report.unjudged(found)}", style="yellow", highlight=False)
    console.print(f"soak / 长时间运行: {found.verdict}: {out / soak_report.PAGE}", highlight=False)
    raise typer.Exit(STATUS[found.verdict])
