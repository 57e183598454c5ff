"""`wattline hil accuracy`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from hil.accuracy.check import Row
from hil.accuracy.run import measure
from hil.process import BenchError
from hil.scenario import profiles as known_profiles

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil accuracy\n\n"
    "  wattline hil accuracy --profile dtsu666 --target unix --json\n\n"
    "Exit status / 退出码: 0 every quantity is within its limit, 1 some is not, or the oracle objects,"
    " 2 the bench could not run."
)


def accuracy(
    profile: Annotated[list[str] | None, typer.Option(help="A meter's model; all of them if none. 电表型号")] = None,
    target: Annotated[Literal["sim", "unix"], typer.Option(help="See wattline hil run. 目标")] = "sim",
    out: Annotated[Path, typer.Option(help="Folder of the run. 输出目录")] = Path("build/accuracy"),
    as_json: Annotated[bool, typer.Option("--json", help="One object a quantity, as JSON. 以 JSON 输出")] = False,
) -> None:
    """Known registers through the whole chain, each quantity held against its limit, over the range. 准确度测试"""
    known = known_profiles()
    unknown = [name for name in profile or [] if name not in known]
    if unknown:
        typer.echo(f'no meter "{unknown[0]}" / 没有这种电表; there are / 可用: {", ".join(known)}', err=True)
        raise typer.Exit(2)
    try:
        found = measure(profile or known, target, out, lambda _share, _text: None)
    except BenchError as error:
        typer.echo(f"the bench could not run / 测试台无法运行: {error}", err=True)
        raise typer.Exit(2) from error
    if as_json:
        told = [{**msgspec.structs.asdict(row), "held": row.held} for row in found.rows]
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
    else:
        _show(found.rows)
    for finding in found.findings:  # none of them is a matter of limits
        typer.echo(f"{finding.code}: {finding.text}", err=True)
    raise typer.Exit(0 if found.held else 1)


def _show(found: list[Row]) -> None:
    table = Table(title="Accuracy / 准确度", title_justify="left")
    for name in ("meter / 电表", "quantity / 量", "at / 工况"):
        table.add_column(name)
    for name in ("from / 自", "to / 至", "worst error / 最大误差", "limit / 限值"):
        table.add_column(name, justify="right")
    for row in found:
        worst = "absent / 缺失" if row.worst is None else f"{row.worst:.4g}"
        numbers = (f"{row.low:.6g}", f"{row.high:.6g}", worst, f"{row.limit:.4g}")
        table.add_row(row.profile, row.quantity, row.setting, *numbers, style=None if row.held else "bold red")
    console = Console()
    console.print(table)
    missed = sum(not row.held for row in found)
    text = f"{len(found)} quantities, {missed} beyond their limit / {len(found)} 项，{missed} 项超限"
    console.print(text, highlight=False)
