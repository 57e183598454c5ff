"""What a campaign reports."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from hil.abuse.blame import Finding
from hil.abuse.verdict import Account
from hil.oracle.evidence import Count

_WORDS = {
    "pass": "all holds / 全部通过",
    "fail": "NOT passed / 未通过",
    "void": "the bench failed: this says nothing of the product / 测试台故障，结果无效",
}


class TurnReport(msgspec.Struct):
    """One abuse. felt: the sink was behind while it lasted; others_s, back_s: until the others, until it had all."""

    sink: str
    abuse: str
    gateway_died: bool
    felt: bool
    others_s: float
    back_s: float


class Report(msgspec.Struct):
    """`report.json`: as a scenario's, with a line for each turn. verdict: see blame.verdict_of."""

    scenario: str
    seed: int
    target: str
    windows: Count
    sinks: dict[str, Account]
    turns: list[TurnReport]
    verdict: str
    findings: list[Finding]
    real_s: float


def write(report: Report, file: Path) -> None:
    """Atomically."""
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    part.replace(file)


def show(report: Report, console: Console) -> None:
    """A line a sink, and what was found."""
    windows = report.windows
    title = (
        f"seed {report.seed}: {windows.closed} windows published, {windows.journalled} journalled, {windows.lost} lost;"
        f" {len(report.turns)} abuses in {report.real_s:.0f} s"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("sink / 目标")
    for name in ("delivered / 送达", "lost / 丢失", "doubled / 重复", "invented / 虚构", "told again / 重发"):
        table.add_column(name, justify="right")
    for name, one in report.sinks.items():
        table.add_row(name, *map(str, (one.delivered, one.lost, one.duplicated, one.invented, one.repeated)))
    console.print(table)
    for finding in report.findings:
        console.print(f"  {finding.blame}: {finding.text}", markup=False, highlight=False, soft_wrap=True)
    console.print(_WORDS[report.verdict], style="bold green" if report.verdict == "pass" else "bold red")
