"""`wattline hil fleet`: a province at once, against a real broker and gateway."""

import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from hil.fleet.plan import load, provinces
from hil.fleet.player import Watch, play
from hil.fleet.report import report, show
from hil.process import BenchError
from protocol.host.strict import ConfigError

EPILOG = (
    "Examples / 示例:\n\n  wattline hil fleet --terminals 7056 --points 60414\n\n"
    "  wattline hil fleet thousand_return\n\n"
    "Exit status / 退出码: 0 everything is in the journal once, 1 it is not, 2 the bench could not run."
)
PROGRESS_EVERY_S = 2.0


def fleet(
    name: Annotated[
        str, typer.Argument(metavar="PROVINCE", help=f"One of / 可用: {', '.join(provinces())}")
    ] = "province",
    terminals: Annotated[int | None, typer.Option(help="Each has a connection and a key of its own. 终端数")] = None,
    points: Annotated[int | None, typer.Option(help="Of all terminals. 测点总数")] = None,
    backlog: Annotated[str | None, typer.Option(help='What each has kept: "24h"; "0h": one window. 补传时长')] = None,
    seed: Annotated[int | None, typer.Option(help="Of keys and readings. 随机种子")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report. 输出目录")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON. 以 JSON 输出")] = False,
) -> None:
    """All terminals of a province at the same instant; their frames are sealed before. 全省终端同时上报"""
    given = {"terminals": terminals, "points": points, "backlog": backlog, "seed": seed}
    try:
        province = load(name, {key: value for key, value in given.items() if value is not None})
        found = report(province, play(province, _progress()))
    except (BenchError, ConfigError) as error:
        typer.echo(f"the bench could not run / 测试台无法运行: {error}", err=True)
        raise typer.Exit(2) from error
    out = out or Path("build/fleet") / province.name
    out.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
    (out / "report.json").write_bytes(data)
    if as_json:
        sys.stdout.write(data.decode())
    show(found, Console(stderr=as_json))
    raise typer.Exit(0 if found.verdict == "pass" else 1)


def _progress() -> Watch:
    shown_s, said = 0.0, ""

    def watch(share: float, text: str) -> None:
        nonlocal shown_s, said
        now_s = time.monotonic()
        if text != said or now_s > shown_s + PROGRESS_EVERY_S:
            shown_s, said = now_s, text
            sys.stderr.write(f"fleet {share:4.0%} {text}\n")

    return watch
