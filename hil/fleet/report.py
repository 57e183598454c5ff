"""What a fleet's run reports: rates, latencies, memory, the verdict; as JSON and as a table for people."""

import os
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from hil.fleet.plan import Province
from hil.fleet.player import Played
from hil.fleet.verdict import Verdict

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


class Report(msgspec.Struct):
    """One run. Latencies are in s, by the share of the frames that are not above: see hil.fleet.player.Measured."""

    province: str
    terminals: int
    points: int
    windows: int
    frames: int
    seed: int
    cores: int
    connected_s: float
    seconds: float
    frames_per_s: int
    windows_per_s: int
    readings_per_s: int
    ack_s: dict[str, float]
    newest_ack_s: dict[str, float]
    gateway_cpu_s: float
    gateway_rss_mib: float
    player_cpu_s: float
    verdict: str
    windows_found: Verdict


def report(province: Province, played: Played) -> Report:
    """Of a run."""
    measured, found = played.measured, played.verdict
    return Report(
        province=province.name,
        terminals=province.terminals,
        points=province.points,
        windows=found.expected,
        frames=played.frames,
        seed=province.seed,
        cores=len(os.sched_getaffinity(0)),
        connected_s=round(measured.connected_s, 2),
        seconds=round(measured.seconds, 3),
        frames_per_s=round(played.frames / measured.seconds),
        windows_per_s=round(found.expected / measured.seconds),
        readings_per_s=round(province.points * province.windows / measured.seconds),
        ack_s=_shares(measured.ack_s),
        newest_ack_s=_shares(measured.newest_s),
        gateway_cpu_s=round(played.gateway_cpu_s, 2),
        gateway_rss_mib=round(played.gateway_rss_mib, 1),
        player_cpu_s=round(measured.cpu_s, 2),
        verdict="pass" if found.passed else "fail",
        windows_found=found,
    )


def _shares(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {name: round(ordered[int(last * share)], 3) for name, share in _SHARES.items()}


def show(report: Report, console: Console) -> None:
    """The table, and the verdict."""
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
