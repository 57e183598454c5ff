"""`wattline hil`: play scenarios on the bench, and say what was lost. Exit status 0 only if the oracle passes."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.hj212.stream import no_keys
from hil import again, known_failing, platform, runner, shown, suite_cli, versions
from hil import scenario as scenarios
from hil.abuse import cli as abuse_cli
from hil.accuracy import cli as accuracy
from hil.attack import cli as attack_cli
from hil.board import cli as board_cli
from hil.board import first
from hil.fleet import cli as fleet_cli
from hil.fleet import plan as fleet_plan
from hil.heap import cli as heap_cli
from hil.load import Recorded
from hil.load_file import Order, read_intervals
from hil.load_options import EnergyColumn, TimeColumn, ending_plainly
from hil.meter_bus import share_permille
from hil.meter_cli import bus
from hil.miswired.cli import miswired
from hil.platform_rules import Rules
from hil.powercut import cli as powercut
from hil.process import BenchError
from hil.report import files as report_files
from hil.report import result as reports
from hil.scenario import Scenario
from hil.sim import cli as fuzz_cli
from hil.sim.mutants import cli as mutants_cli
from hil.soak import cli as soak_cli
from hil.watched import cli as watched_cli
from protocol.host.strict import ConfigError

OUT = Path("build")
_FILES = (
    ("report / 报告", report_files.PAGE),
    ("picture / 图", report_files.PICTURE),
    ("for machines / 供程序读取", report_files.JSON),
)
PLAIN_EVERY_PERCENT = 10  # where there is no terminal, a line now and then shows that it lives

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def _group() -> None:
    """The bench: real firmware against emulated meters and faults. 测试台"""


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline hil demo\n\n"
    "  DEMO_HOLD=0 wattline hil demo --json\n\n"
    "Exit status / 退出码: 0 the oracle passes, 1 it does not, 2 the bench could not run."
)
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run. 输出目录")] = OUT / "demo",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON. 以 JSON 输出")] = False,
) -> None:
    """One factory, two terminals, one day with faults; ends with a table, a report, a picture and the console. 演示

    Where somebody looks, the console stays until Ctrl-C; with DEMO_HOLD=0, or where output is no terminal, until it has
    answered once. DEMO_HOLD=1 keeps it there, too.
    """
    chosen = _scenario("day")
    passed = _play(chosen, out, "make demo", as_json=as_json)
    asked = os.environ.get("DEMO_HOLD", "")
    hold = asked != "0" and (asked == "1" or sys.stdout.isatty())
    try:
        shown.show(chosen, out / "gateway", partial(_say_console, hold=hold, as_json=as_json), hold=hold)
    except BenchError as error:
        _end_with(2, str(error))
    raise typer.Exit(0 if passed else 1)


@app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline hil run broker_outage\n\n"
    "  wattline hil run broker_outage --target sim\n\n"
    "  wattline hil run day --profile plant.csv --time-column date --energy-column Usage_kWh --days 2\n\n"
    "Exit status / 退出码: 0 the oracle passes, 1 it does not, 2 the bench could not run."
)
def run(  # noqa: PLR0913, PLR0917  (a command's options are its parameters)
    name: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A name from `wattline hil list`, or a .toml file. 场景名或文件")
    ],
    profile: Annotated[
        Path | None, typer.Option(help="CSV of interval data that drives the production. 负荷数据 CSV")
    ] = None,
    time_column: TimeColumn = "time",
    energy_column: EnergyColumn = "kWh",
    date_order: Annotated[Order, typer.Option(help="Which number of a date is the day. 日期顺序")] = "auto",
    days: Annotated[int | None, typer.Option(min=1, max=31, help="Days to play. 天数")] = None,
    factor: Annotated[int | None, typer.Option(min=1, max=3600, help="How much faster than life. 加速倍数")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Of keys and loads. 随机种子")] = None,
    target: Annotated[
        Literal["sim", "unix", "board"] | None,
        typer.Option(help="sim: virtual time; unix: the real MicroPython VM here; board: a real terminal. 目标"),
    ] = None,
    bench: Annotated[Path | None, typer.Option(help="board: what is plugged in where, bench.toml. 测试台文件")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON. 以 JSON 输出")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. 输出目录")] = None,
) -> None:
    """Play a scenario, on real parts or in the simulation. 运行场景"""
    chosen = _scenario(name)
    changes: dict[str, Any] = {} if target is None else {"target": target}
    if bench is not None:
        changes |= {"bench": str(bench), "target": "board"}
    if days is not None:
        changes["hours"] = 24 * days
    if factor is not None:
        changes["factor"] = factor
    if seed is not None:
        changes["seed"] = seed
    chosen = msgspec.structs.replace(chosen, **changes)
    if profile is not None:
        chosen = _with_profile(chosen, profile, (time_column, energy_column), date_order)
    folder = out or OUT / "hil" / f"{chosen.name}-{chosen.seed}"
    if bench is not None:
        _repeat_first(name, chosen, bench, folder.with_name(folder.name + "-first"), as_json=as_json)
    options: dict[str, object] = {"--seed": chosen.seed, "--target": chosen.target, "--bench": bench}
    options |= {"--days": days, "--factor": factor}
    if profile is not None:
        columns = {"--time-column": time_column, "--energy-column": energy_column, "--date-order": date_order}
        options |= {"--profile": profile, **columns}
    passed = _play(chosen, folder, again.command(name, options), as_json=as_json)
    if bench is not None:
        first.remember(bench, first.Failed(name, chosen.seed, versions.commit()), passed=passed)
    raise typer.Exit(0 if passed else 1)


@app.command(name="list", epilog="Examples / 示例:\n\n  wattline hil list\n\nExit status / 退出码: 0 always.")
def list_() -> None:
    """The scenarios and provinces that come with the bench. 场景列表"""
    fails: dict[str, str] = {}
    for name, target in known_failing.load(date.min):
        fails[name] = fails.get(name, "") + f"  [known to fail on / 已知失败: {target}]"
    for name in scenarios.names():
        one = _scenario(name)
        typer.echo(f"{name:16} {one.hours:3} h  x{one.factor:<4}  {one.title} / {one.title_zh}{fails.get(name, '')}")
    for name in fleet_plan.provinces():
        province = fleet_plan.load(name, {})
        typer.echo(f"{name:16} `wattline hil fleet {name}`  {province.title} / {province.title_zh}")


app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline hil bus --explain build/demo/terminals/T0001/meters/bus.jsonl --quiet\n\n"
    "Exit status / 退出码: 0 plain reads alone, 1 something else was sent to meters, 2 the file can't be read."
)(bus)


app.command(epilog=powercut.EPILOG)(powercut.powercut)


app.command(epilog=heap_cli.EPILOG)(heap_cli.heap)
app.command(epilog=abuse_cli.EPILOG)(abuse_cli.sinks)
app.command(epilog=fleet_cli.EPILOG)(fleet_cli.fleet)
app.command(epilog=suite_cli.EPILOG)(suite_cli.suite)
app.command(epilog=soak_cli.EPILOG)(soak_cli.soak)
app.command(epilog=attack_cli.EPILOG)(attack_cli.attack)


app.command(epilog=accuracy.EPILOG)(accuracy.accuracy)
app.command(epilog=watched_cli.EPILOG)(watched_cli.alarms)
app.command(
    epilog="Examples / 示例:\n\n"
    "  wattline hil miswired --model sdm630 --model dlt645_3p --draws 1000\n\n"
    "  wattline hil miswired --load plant.csv --reactive lagging_kvarh --reactive leading_kvarh"
)(miswired)
app.command(epilog=board_cli.EPILOG)(board_cli.bench)


@app.command(
    name="platform",
    epilog="Examples / 示例:\n\n"
    "  wattline hil platform --port 9000 --journal received.jsonl\n\n"
    "  wattline hil platform --port 9000 --strict --edition 2025 --stations stations.toml\n\n"
    '  echo \'{"mode": "late", "delay_ms": 3000}\' >> control.jsonl\n\n'
    "Modes / 模式: normal, silent, refuse, late, double, drop, cut, missing;\n\n"
    "Noise before each answer / 应答前的干扰: garbage, huge, wrong_crc, other_mn.\n\n"
    "Exit status / 退出码: 0 ended by Ctrl-C, 2 usage.",
)
def platform_(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: take one from the system. 端口")] = 0,
    journal: Annotated[
        Path | None, typer.Option(help="JSON lines of what was taken in; appended to. 收到的数据")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="JSON lines that change how it behaves; followed. 控制文件")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take nothing that breaks a rule. 严格模式")] = False,
    edition: Annotated[
        int | None, typer.Option(min=2017, max=2025, help="2017 or 2025: with --strict, no other. 标准版本")
    ] = None,
    stations: Annotated[
        Path | None, typer.Option(help='TOML: [MN] with pw = "..." and, for SM4, key = "16 characters". 站点')
    ] = None,
) -> None:
    """An HJ 212 platform that takes uploads and acknowledges them, until Ctrl-C. 平台模拟器"""
    known = _stations(stations)
    passwords = {mn: one.pw for mn, one in known.items()}
    rules = Rules(strict, {2017: 1, 2025: 2}.get(edition or 0), passwords, any(one.key for one in known.values()))
    held = {mn: [one.key.encode()] for mn, one in known.items() if one.key}
    keys = (lambda mn: held.get(mn, [])) if held else no_keys
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(platform.run(port, journal, control, rules, keys))


class _Station(msgspec.Struct, forbid_unknown_fields=True):
    """A station of the emulator's file."""

    pw: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    key: Annotated[str, msgspec.Meta(min_length=16, max_length=16)] | None = None


def _stations(file: Path | None) -> dict[str, _Station]:
    if file is None:
        return {}
    try:
        return msgspec.toml.decode(file.read_bytes(), type=dict[str, _Station])
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:  # a key's text is in neither
        _end_with(2, f"{file}: {error}; allowed / 允许: [MN], pw, key (16 characters)")


app.command(
    epilog="Examples / 示例:\n\n  wattline hil fuzz --seeds 1000 --jobs 2\n\n"
    "Exit status / 退出码: 0 every seed passes, 1 some do not."
)(fuzz_cli.fuzz)
app.command(
    epilog="Examples / 示例:\n\n  wattline hil replay 4711@1a2b3c4 --shrink\n\n"
    "Exit status / 退出码: 0 the seed passes, 1 it does not."
)(fuzz_cli.replay)
app.command(
    epilog="Examples / 示例:\n\n  wattline hil mutants\n\n  wattline hil mutants dropped_fsync --seeds 50\n\n"
    "Exit status / 退出码: 0 every mutant is caught, 1 some are not, 2 there is no such mutant."
)(mutants_cli.mutants)


def _scenario(name: str) -> Scenario:
    try:
        return scenarios.load(name)
    except ConfigError as error:
        _end_with(2, str(error))


def _with_profile(chosen: Scenario, file: Path, columns: tuple[str, str], order: Order) -> Scenario:
    """The scenario with its production driven by a file of interval data."""
    with ending_plainly():
        intervals = read_intervals(file, *columns, order)
    for note in intervals.notes:
        typer.echo(f"{file}: {note}", err=True)
    first = intervals.start.hour * 3600 + intervals.start.minute * 60 + intervals.start.second
    held_ms = len(intervals.energies_wh) * intervals.interval_s * 1000
    if chosen.midnight_ms + first * 1000 + held_ms < chosen.end_ms:
        _end_with(2, f"{file}: ends before the scenario does; fewer --days / 数据短于场景，请减少 --days")
    points = [
        msgspec.structs.replace(point, rated_w=max(Recorded(intervals, 0, share_permille(chosen, point)).rated_w, 100))
        if point.kind == "production"
        else point
        for point in chosen.points
    ]
    source = scenarios.Profile(str(file), *columns, first, order)
    return msgspec.structs.replace(chosen, profile=source, points=points)


def _repeat_first(name: str, chosen: Scenario, bench: Path, folder: Path, *, as_json: bool) -> None:
    """Play what failed last on this bench before anything else; where it fails again, that is all."""
    before = first.comes_first(bench, name, chosen)
    if before is None:
        return
    typer.echo(f"failed last time, played first / 先重放上次失败: {before.scenario}, seed {before.seed}", err=True)
    changes = {"seed": before.seed, "target": "board", "bench": str(bench)}
    earlier = msgspec.structs.replace(_scenario(before.scenario), **changes)
    told = again.command(before.scenario, {"--seed": before.seed, "--bench": bench})
    passed = _play(earlier, folder, told, as_json=as_json)
    first.remember(bench, before, passed=passed)
    if not passed:
        _end_with(1, "it fails again: nothing else is played / 再次失败，其余未运行")


def _play(chosen: Scenario, out: Path, told: str, *, as_json: bool) -> bool:
    """Play it, and write its report; whether it passed. told: the command that plays it again."""
    console = Console(stderr=as_json)
    try:
        with _progress(chosen, console) as watch:
            outcome = runner.run(chosen, out, watch)
    except (BenchError, ConfigError) as error:
        _end_with(2, f"the bench could not run / 测试台无法运行: {error}")
    report_files.write_all(chosen, outcome, out, told)
    if as_json:
        typer.echo((out / report_files.JSON).read_text(encoding="utf-8"), nl=False)
    reports.show(outcome.report, console)
    for what, name in _FILES:
        console.print(f"{what}: {out / name}", highlight=False, soft_wrap=True)
    return outcome.report.verdict == "pass"


def _say_console(address: str, password: str, *, hold: bool, as_json: bool) -> None:
    ends = "Ctrl-C ends it / 按 Ctrl-C 结束" if hold else "DEMO_HOLD=1 keeps it / 可保持运行"
    typer.echo(f"console / 控制台: {address}  {shown.USER} / {password}  ({ends})", err=as_json)


@contextlib.contextmanager
def _progress(chosen: Scenario, console: Console) -> Iterator[runner.Watch]:
    """Shows how far virtual time has come, and each event as a line; plain lines where nobody looks."""
    if console.is_terminal:
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[clock]}"),
            TimeElapsedColumn(),
        ]
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(chosen.name, total=1.0, clock="")

            def watch(share: float, text: str) -> None:
                progress.update(task, completed=share, clock=_local(chosen, share))
                if text:
                    progress.console.print(f"{_local(chosen, share)}  {text}", highlight=False)

            yield watch
        return
    shown = -1

    def plain(share: float, text: str) -> None:
        nonlocal shown
        step = int(share * 100) // PLAIN_EVERY_PERCENT
        if text or step > shown:
            shown = max(step, shown)
            sys.stderr.write(f"{chosen.name} {_local(chosen, share)} {share:4.0%} {text}\n")

    yield plain


def _local(chosen: Scenario, share: float) -> str:
    return (chosen.start + timedelta(hours=chosen.hours * share)).strftime("%a %H:%M")


def _end_with(status: int, text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(status)
