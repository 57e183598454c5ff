"""`wattline hil fuzz` and `wattline hil replay`."""

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hil import versions
from hil.report.files import PAGE
from hil.sim import fuzz as fuzzing
from hil.sim import fuzz_report

PROGRESS_EVERY_S = 5.0
DAY_S = 86_400
SHOWN = 5  # findings of a seed
REPORTS = 5  # seeds that failed of which a page is made: each is played once more for it


def fuzz(
    seeds: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many. 种子数量")] = 100,
    first: Annotated[int, typer.Option(min=0, help="The first of them. 首个种子")] = 0,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes. 并行进程数")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON. 以 JSON 输出")] = False,
    out: Annotated[Path, typer.Option(help="Folder of report.json. 输出目录")] = Path("build/fuzz-sim"),
) -> None:
    """Play factories and troubles drawn from seeds, in virtual time; the oracle judges each. 随机仿真"""
    began = said = time.monotonic()
    commit = versions.commit()
    failed: list[fuzzing.Run] = []
    windows = done = virtual_s = 0
    cpu_s = 0.0
    for run in fuzzing.campaign(range(first, first + seeds), jobs):
        done, windows = done + 1, windows + run.windows
        virtual_s, cpu_s = virtual_s + run.virtual_s, cpu_s + run.cpu_s
        if not run.passed:
            failed.append(run)
            _tell(run, commit)
        if time.monotonic() - said > PROGRESS_EVERY_S:
            said = time.monotonic()
            typer.echo(f"{done} of {seeds} seeds, {len(failed)} failed / 失败", err=True)
    report: dict[str, Any] = {
        "scenario": "fuzz",
        "target": "sim",
        "commit": commit,
        "seeds": [first, first + seeds - 1],
        "windows": windows,
        "terminal_days": round(virtual_s / DAY_S, 2),
        "cpu_s": round(cpu_s, 1),
        "days_per_cpu_s": round(virtual_s / DAY_S / cpu_s, 2),
        "real_s": round(time.monotonic() - began, 1),
        "verdict": "fail" if failed else "pass",
        "failed": msgspec.to_builtins(sorted(failed, key=lambda run: run.seed)),
    }
    out.mkdir(parents=True, exist_ok=True)
    for one in sorted(failed, key=lambda run: run.seed)[:REPORTS]:
        page = fuzz_report.write_again(one.seed, out / f"seed-{one.seed}", _again(one.seed, commit))
        typer.echo(f"seed {one.seed}: report / 报告 {page}", err=True)
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    if as_json:
        typer.echo(msgspec.json.encode({**report, "failed": [run.seed for run in failed]}).decode())
    else:
        speed = f"{report['days_per_cpu_s']} terminal-days per CPU second / 终端日每 CPU 秒"
        typer.echo(f"{seeds} seeds, {windows} windows, {len(failed)} failed / 失败, {report['real_s']} s, {speed}")
    raise typer.Exit(1 if failed else 0)


def replay(
    what: Annotated[str, typer.Argument(metavar="SEED[@COMMIT]", help="As fuzz printed it. 失败的种子")],
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Leave out what is not needed to fail: troubles, time. 缩减")
    ] = False,
    trace: Annotated[Path, typer.Option(help="File for all that happened. 记录文件")] = Path("build/replay.txt"),
) -> None:
    """Play a seed again: the same, to the byte. 重放"""
    text, _, commit = what.partition("@")
    if not text.isdigit():
        typer.echo(f"{what}: SEED or SEED@COMMIT, as 4711@1a2b3c4 / 格式：种子 或 种子@提交", err=True)
        raise typer.Exit(2)
    here = versions.commit()
    if commit and commit != here:
        typer.echo(f"this is {here}, not {commit}: it may go another way / 当前提交不同，结果可能不同", err=True)
    trace.parent.mkdir(parents=True, exist_ok=True)
    with trace.open("w", encoding="utf-8") as stream:
        folder = trace.with_suffix("")
        seen = fuzz_report.report_into(folder, _again(int(text), here))
        run = fuzzing.run(int(text), write=stream.write, seen=seen)
    _tell(run, here)
    if shrink and not run.passed:
        shrunk = fuzzing.shrink(run, typer.echo)
        typer.echo(f"  needed / 仍需: {shrunk.hours} h")
        for one in shrunk.troubles:
            typer.echo(f"  needed: {one.what} from {one.from_ms // 1000} s to {one.to_ms // 1000} s, {one.number}")
    typer.echo(f"trace {run.trace}: {trace}; report / 报告: {folder / PAGE}")
    raise typer.Exit(0 if run.passed else 1)


def _tell(run: fuzzing.Run, commit: str) -> None:
    for finding in run.findings[:SHOWN]:
        typer.echo(f"  {finding.code}: {finding.text}")
    for one in run.troubles:
        typer.echo(f"  trouble: {one.what} from {one.from_ms // 1000} s to {one.to_ms // 1000} s, {one.number}")
    if not run.passed:
        typer.echo(f"seed {run.seed} failed; again / 重放: {_again(run.seed, commit)}")


def _again(seed: int, commit: str) -> str:
    return f"wattline hil replay {seed}@{commit}"
