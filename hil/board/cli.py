"""`wattline hil bench`: a bench's wiring in words, and whether it can be used now."""

from pathlib import Path
from typing import Annotated

import typer

from hil.board import first, lock, ports
from hil.board.bench_file import BenchFile, read
from hil.process import BenchError
from protocol.host.strict import ConfigError

EPILOG = (
    "Examples / 示例:\n\n  wattline hil bench shelf_2.toml\n\n"
    "Exit status / 退出码: 0 it is free, 1 it is not, 2 the file is wrong."
)


def bench(file: Annotated[Path, typer.Argument(help="bench.toml. 测试台文件")]) -> None:
    """Say how a bench is wired, who holds it or its ports, and what failed on it last. 测试台状态"""
    try:
        found = read(file)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    _describe(found)
    failed = first.remembered(file)
    if failed is not None:
        typer.echo(
            f"played first next time / 下次先运行: {failed.scenario}, seed {failed.seed} (failed at {failed.commit})"
        )
    try:
        with lock.held(file, "wattline hil bench"):
            ports.check(found.ports())
    except BenchError as error:
        typer.echo(str(error))
        raise typer.Exit(1) from error
    typer.echo("free / 空闲")


def _describe(found: BenchFile) -> None:
    power, meters = found.power, found.meters
    supply = power.port or (f"{power.host}:{power.tcp_port}" if power.host else " ".join(power.on) or "none / 无")
    typer.echo(f"{found.name}: {found.board}")
    typer.echo(f"  console / 控制台: {found.console.port}, {found.console.baud} baud")
    typer.echo(f"  meters / 电表总线: {meters.port}, {meters.baud} baud, UART {meters.uart} of the board")
    typer.echo(f"  power / 电源: {power.kind} {supply}, unit {power.unit}, coil {power.coil}")
    typer.echo(f"  network / 网络: {found.network.address}")
    for wire in found.wire:
        typer.echo(f"  {wire.end} -> {wire.to}" + (f" ({wire.note})" if wire.note else ""))
