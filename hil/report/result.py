"""What a run reports: `report.json` (the form every scenario, demo and soak has) and a table for people."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from hil import versions
from hil.expectations import Expected
from hil.oracle.evidence import Count, Finding, Tally, Verdict
from hil.report.measures import Measurement

FINDINGS_SHOWN = 10  # a screen; all of them are in report.json


class Frames(msgspec.Struct):
    """Frames: published by terminals, repetitions included, or fetched from their mailboxes and kept; and what the
    gateway made of those it got.
    """

    sent: int
    accepted: int
    repeated: int
    refused: int


class TerminalWindows(msgspec.Struct):
    """One terminal's part of the windows; firmware: the versions that it ran, one after the other."""

    name: str
    uplink: str
    windows: Count
    firmware: list[str] = []


class Report(msgspec.Struct):
    """One run. verdict: `pass` or `fail`; target: see hil/target.py; factor: 0 where virtual time jumps."""

    scenario: str
    seed: int
    target: str
    windows: Count
    readings: int
    frames: Frames
    sinks: dict[str, Tally]
    verdict: str
    findings: list[Finding]
    factor: int
    virtual_hours: float
    real_s: float
    drained: bool  # everything had arrived before the bench stopped waiting
    faults: list[str]
    updates: list[str] = []  # releases that were rolled out
    expected: list[Expected] = []  # what the scenario expects besides the invariants, and what was seen
    terminals: list[TerminalWindows] = []
    trace: str = ""  # a digest over all that happened, where the same seed gives the same
    commit: str = versions.UNKNOWN
    versions: dict[str, str] = {}
    late: int = 0  # windows that came later than they should, whatever the cause
    measurements: list[Measurement] = []


def write(report: Report, file: Path) -> None:
    """The report as JSON, atomically: a half report must not be taken for one."""
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    part.replace(file)


def verdict_word(verdict: Verdict) -> str:
    """`pass` or `fail`."""
    return "pass" if verdict.passed else "fail"


def show(report: Report, console: Console) -> None:
    """The table, then what was expected, and what was found and why."""
    console.print(_table(report))
    for wanted in report.expected:
        most = "" if wanted.at_most is None else f", at most / 至多 {wanted.at_most}"
        text = f"  expected / 预期: {wanted.what}, at least / 至少 {wanted.at_least}{most}: seen / 实际 {wanted.seen}"
        console.print(text, highlight=False)
    for finding in report.findings[:FINDINGS_SHOWN]:
        why = f" [{finding.cause}]" if finding.cause else ""
        console.print(f"  {finding.code}: {finding.text}{why}", markup=False, highlight=False, soft_wrap=True)
    hidden = len(report.findings) - FINDINGS_SHOWN
    if hidden > 0:
        console.print(f"  ... {hidden} more in report.json / 其余见 report.json")
    for one in report.measurements:
        if not one.held:
            text = f"  {one.name}: {one.value:g} {one.unit}, at most / 上限 {one.at_most:g} {one.unit}"
            console.print(text, style="yellow", highlight=False)
    if report.verdict == "pass":
        console.print("Oracle: every invariant held / 判定：全部通过", style="bold green")
    else:
        console.print("Oracle: NOT passed / 判定：未通过", style="bold red")


def _table(report: Report) -> Table:
    faster = f"x{report.factor}" if report.factor else "virtual time / 虚拟时间"
    title = f"{report.scenario}: {report.virtual_hours:g} h in {report.real_s:.1f} s ({faster})"
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    table.add_column("项目")
    table.add_column("count / 数量", justify="right")
    windows, frames = report.windows, report.frames
    delivered = sum(tally.delivered for tally in report.sinks.values())
    rows = [
        ("windows closed", "关闭的窗口", windows.closed),
        ("journalled", "已入账", windows.journalled),
        ("forwarded", "已转发", delivered),
        ("lost", "丢失", windows.lost + sum(tally.lost for tally in report.sinks.values())),
        ("duplicated", "重复", windows.duplicated + sum(tally.duplicated for tally in report.sinks.values())),
        ("invented", "虚构", windows.invented),
        ("late", "迟到", report.late),
        ("refused frames", "拒收的帧", frames.refused),
        ("readings", "读数", report.readings),
        ("frames sent / repeated", "发送帧 / 重发", f"{frames.sent} / {frames.repeated}"),
    ]
    if len(report.terminals) > 1:
        rows += [(f"{one.name} by {one.uplink}", "其中终端", one.windows.journalled) for one in report.terminals]
    if report.updates:
        rows += [(f"{one.name} ran", "固件版本", " > ".join(one.firmware)) for one in report.terminals]
    for english, chinese, value in rows:
        table.add_row(english, chinese, str(value))
    return table
