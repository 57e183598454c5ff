"""`wattline hil fleet`: a province at once, against a real broker and gateway."""

import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from gateway.strict import ConfigError
from hil.fleet.plan import load, provinces
from hil.fleet.player import Fleet, Watch, play
from hil.process import BenchError

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
        report = play(province, _progress())
    except (BenchError, ConfigError) as error:
        typer.echo(f"the bench could not run / 测试台无法运行: {error}", err=True)
        raise typer.Exit(2) from error
    out = out or Path("build/fleet") / province.name
    out.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    (out / "report.json").write_bytes(data)
    if as_json:
        sys.stdout.write(data.decode())
    _show(report, Console(stderr=as_json))
    raise typer.Exit(0 if report.verdict == "pass" else 1)


def _progress() -> Watch:
    shown_s, said = 0.0, ""

    def watch(share: float, text: str) -> None:
        nonlocal shown_s, said
        now_s = time.monotonic()
        if text != said or now_s > shown_s + PROGRESS_EVERY_S:
            shown_s, said = now_s, text
            sys.stderr.write(f"fleet {share:4.0%} {text}\n")

    return watch


def _show(report: Fleet, console: Console) -> None:
    found = report.windows_found
    title = f"{report.terminals} terminals, {report.points} points, {report.windows} windows in {report.seconds:g} s"
    table = Table(title=title, title_justify="left")
    for head in ("what", "项目", "count / 数量"):
        table.add_column(head, justify="right" if "/" in head else "left")
    rows = [
        ("windows a second", "每秒窗口数", report.windows_per_s),
        ("readings a second", "每秒读数", report.readings_per_s),
        (
            "ack, half / 99 % / all, s",
            "确认时延",
            f"{report.ack_s['p50']} / {report.ack_s['p99']} / {report.ack_s['max']}",
        ),
        ("newest window's ack, 99 %, s", "最新窗口确认时延", report.newest_ack_s["p99"]),
        ("gateway's memory at most, MiB", "网关最大内存", report.gateway_rss_mib),
        ("gateway's CPU, player's, s", "网关与负载 CPU", f"{report.gateway_cpu_s} / {report.player_cpu_s}"),
        ("lost / twice / invented", "丢失 / 重复 / 虚构", f"{found.lost} / {found.twice} / {found.invented}"),
    ]
    for english, chinese, value in rows:
        table.add_row(english, chinese, str(value))
    console.print(table)
    passed = report.verdict == "pass"
    text = "every window once / 全部入账一次" if passed else "NOT passed / 未通过"
    console.print(f"Oracle: {text}", style="bold green" if passed else "bold red")
