"""`wattline hil heap`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hil.heap import search, trial
from hil.process import BenchError

EPILOG = (
    "Examples / 示例:\n\n"
    "  wattline hil heap\n\n"
    "  wattline hil heap --days 3 --json\n\n"
    "  wattline hil heap --kib 280 --days 1\n\n"
    "Exit status / 退出码: 0 a heap was found, or the given one works, 1 not, 2 the bench could not run."
)


def heap(
    days: Annotated[int, typer.Option(min=1, max=31, help="Of the long life, 72 s each. 模拟天数")] = 1,
    kib: Annotated[int | None, typer.Option(min=32, max=1024, help="Try this size alone. 只试此大小 (KiB)")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run. 输出目录")] = Path("build/heap"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON. 以 JSON 输出")] = False,
) -> None:
    """The smallest heap in which the whole terminal works, and what its parts have of it. 最小内存试验"""

    def tell(text: str) -> None:
        typer.echo(text, err=as_json)

    live_in = search.in_folder(out)
    try:
        parts = trial.parts((out / "parts").resolve())
        if kib is None:
            found = search.smallest(24 * days, live_in, tell)
        else:
            found = search.Found(kib, live_in(kib, 24 * days), "")
    except BenchError as error:
        typer.echo(f"the bench could not run / 测试台无法运行: {error}", err=True)
        raise typer.Exit(2) from error
    if as_json:
        outcome = found.outcome._asdict()
        told = {"kib": found.kib, "days": days, "below": found.below, **outcome, "parts": parts}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _show(found, parts)
    raise typer.Exit(1 if found.outcome.fault else 0)


def _show(found: search.Found, parts: list[trial.Part]) -> None:
    for one in parts:
        typer.echo(f"{one['bytes']:8} bytes  {one['part']}")
    for seconds, in_use in found.outcome.heap:
        typer.echo(f"{in_use:8} bytes in use after {seconds / 3600:5.1f} h")
    if found.below:
        typer.echo(f"less fails / 更小则失败: {found.below}")
    outcome = found.outcome
    verdict = outcome.fault or f"works / 可用: {outcome.windows} windows, the backlog in {outcome.drained_s} s"
    typer.echo(f"{found.kib} KiB: {verdict}")
