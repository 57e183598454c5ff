"""`python -m hil.benchmarks [NAME...]`: measure, print, write build/bench/report.json and build/bench/index.html."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hil.benchmarks import runner
from hil.benchmarks.result import Options, Result

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command(epilog="Exit status / 退出码: 0 measured, 1 something failed (the report says what), 2 called wrongly.")
def bench(
    chosen: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Default: all. 默认全部")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Interleaved rounds. 轮数")] = 40,
    seed: Annotated[int, typer.Option(help="Of the data. 数据的随机种子")] = 1,
    folder: Annotated[Path, typer.Option(help="Where the report goes. 输出目录")] = Path("build/bench"),
    list_only: Annotated[bool, typer.Option("--list", help="Say what there is. 列出测试项")] = False,
) -> None:
    """Measure how fast we are beside others. 性能测试"""
    console = Console()
    if list_only:
        for name, what in runner.names().items():
            console.print(f"{name}: {what}")
        return
    results: dict[str, Result] = {}
    for name in chosen or list(runner.names()):
        try:
            results[name] = runner.run(name, Options(rounds, seed))
        except runner.UnknownBenchmarkError as error:
            console.print(str(error), markup=False)
            raise typer.Exit(2) from error
        console.print(_table(name, results[name]))
        for failure in results[name].failures:
            console.print(f"{name} failed / 失败: {failure}", markup=False, style="red")
    runner.write(results, folder)
    console.print(f"{folder}/report.json, {folder}/index.html", highlight=False)
    if any(result.failures for result in results.values()):
        raise typer.Exit(1)


def _table(name: str, result: Result) -> Table:
    table = Table(title=name, title_justify="left")
    for heading, justify in (("figure", "left"), ("value", "right"), ("spread", "right"), ("unit", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("goal")
    table.add_column("peer")
    for figure in result.figures:
        table.add_row(figure.name, f"{figure.value:,}", f"{figure.spread:,}", figure.unit, figure.goal, figure.peer)
    return table


if __name__ == "__main__":
    sys.exit(app())
