"""`wattline hil mutants`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hil.sim.mutants import MUTANTS, Caught, catch

TABLE_CHARS = 110  # also where nobody looks: a column that is cut says nothing


def mutants(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which; all of them. 变异体")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Tried of each, at most. 种子数量上限")] = 300,
) -> None:
    """Break gateway and terminal on purpose, one fault at a time, and see which seed catches it. 变异测试"""
    unknown = sorted(set(names or []) - MUTANTS.keys())
    if unknown:
        typer.echo(f"no mutant / 没有变异体: {', '.join(unknown)}; there are / 可用: {', '.join(MUTANTS)}", err=True)
        raise typer.Exit(2)
    found = []
    for name in names or MUTANTS:
        typer.echo(f"{name}: {MUTANTS[name].says}", err=True)
        found.append(catch(MUTANTS[name], range(seeds)))
    Console(width=TABLE_CHARS).print(_table(found))
    raise typer.Exit(0 if all(one.seed is not None for one in found) else 1)


def _table(found: list[Caught]) -> Table:
    table = Table("mutant / 变异体", "seed / 种子", "invariant / 不变量", "finding / 发现", "CPU s", box=None)
    for one in found:
        seed, invariant = ("-", "not caught / 未发现") if one.seed is None else (str(one.seed), str(one.invariant))
        table.add_row(one.name, seed, invariant, one.code, f"{one.cpu_s:.1f}")
    return table
