"""`wattline gateway watch` and `wattline gateway alarms`: what is found, and what people do about it."""

import getpass
import signal
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import typer

from gateway import lock, memory
from gateway.backup.restore import is_cut_off
from gateway.cli_common import (
    ID_MAX,
    AsJson,
    AsLines,
    Config,
    examples,
    fail,
    load,
    load_channels,
    load_enterprises,
    load_registry,
    load_rules,
    open_journal,
    print_json,
    time_text,
)
from gateway.cli_damage import App
from gateway.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.watch import certificates
from gateway.watch.dispatch.channels import Channels, platforms
from gateway.watch.dispatch.dispatcher import Dispatcher
from gateway.watch.dispatch.platform_log import withdraw
from gateway.watch.enterprises import Enterprise
from gateway.watch.store import Row, Step, StepRefusedError, Store
from gateway.watch.watcher import Watched, Watcher, run
from gateway.watch.words import MEANING, facts_json, facts_text
from protocol.host.printable import printable

app = App(no_args_is_help=True, help="What the watch found, and what was done about it. 报警")

State = Literal["open", "acknowledged", "dispatched", "answered", "closed", "withdrawn"]
Next = Literal["acknowledged", "dispatched", "answered", "closed"]
Number = Annotated[int, typer.Argument(min=1, max=ID_MAX, metavar="ID", help="As listed. 列表中的编号")]
Who = Annotated[str | None, typer.Option("--who", help="Who does it; the user's name if left out. 操作人")]


def watch(
    config: Config,
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end. 只查看一次")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at what comes into the journal and keep alarms, until SIGTERM. A process beside `run`. 监视联动

    Linkages need `enterprises` in gateway.toml; `rules` may name a file of rules' parameters. What it keeps: `alarms`.
    It changes nothing but alarms.sqlite3, and what channels have sinks tell. `channels` may name a file that says whom
    alarms are told to (`channels`); with --once nobody is told: the next watch does it.
    """
    memory.leave_no_core()
    loaded, stop = load(config), threading.Event()
    known = load_enterprises(config, loaded) if loaded.enterprises else []
    sinks = [sink.name for sink in loaded.sink]
    channels = load_channels(loaded, known)
    of = certificates.sources(loaded, channels.channels)
    ends = partial(certificates.ends, Path(loaded.data_dir), of, _say_unread)
    watched = Watched(load_registry(loaded), known, load_rules(loaded), loaded.verify.future_refuse_s, sinks, ends)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _watching(loaded), closing(_open(loaded)) as store:
        open_journal(Path(loaded.data_dir)).close()  # or the end, with why
        watcher = Watcher(Path(loaded.data_dir), store, SystemClock(), watched, _say_off)
        dispatcher = _dispatcher(loaded, channels, known)

        def wait(pause_s: float) -> bool:
            return stop.wait(0 if once else pause_s) or (once and pause_s > 0)

        with closing(watcher), closing(dispatcher):
            if not once:
                dispatcher.start()
            run(watcher, wait, lambda new: _say_new(new, as_json=as_json), dispatcher.note, _say_failed)


@app.command("list", epilog=examples("alarms list --config gateway.toml --state open"))
def list_(
    config: Config,
    state: Annotated[State | None, typer.Option(help="Only these. 仅此状态")] = None,
    enterprise: Annotated[str | None, typer.Option(help="Only this one's, by its id. 仅此企业")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first. 最多条数")] = 50,
    as_json: AsLines = False,
) -> None:
    """Alarms, the newest first. 列出报警"""
    with closing(_open(load(config))) as store:
        for row in store.rows(state, enterprise, limit):
            print_json(_as_json(row)) if as_json else typer.echo(_as_text(row))


@app.command(epilog=examples("alarms show --config gateway.toml 17"))
def show(config: Config, number: Number, as_json: AsJson = False) -> None:
    """An alarm, and what was done about it. 查看报警"""
    with closing(_open(load(config))) as store:
        row, steps = store.row(number), store.steps(number)
    if row is None:
        fail(f"{number}: no such alarm / 没有此报警")
    if as_json:
        print_json(_as_json(row) | {"steps": [_step_json(one) for one in steps]})
        return
    typer.echo(_as_text(row))
    for one in steps:
        typer.echo(printable(f"  {time_text(one.at_ms)}  {one.state}  {one.who}: {one.note}"))


@app.command(epilog=examples("alarms step --config gateway.toml 17 dispatched --note 'notice 2026-031'"))
def step(
    config: Config,
    number: Number,
    state: Annotated[Next, typer.Argument(help="What the alarm is from now on. 新状态")],
    note: Annotated[str, typer.Option(help="Why, or the notice's number. 说明")] = "",
    who: Who = None,
) -> None:
    """Say what is done about an alarm: acknowledged, dispatched as a notice (督办单), answered, closed. 处理报警"""
    with closing(_open(load(config))) as store:
        try:
            store.step(number, Step(SystemClock().now_ms(), state, who or getpass.getuser(), note[:2000]))
        except (StepRefusedError, StoreUnavailableError) as error:
            fail(str(error))


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("watch", epilog=examples("watch --config gateway.toml", "watch --config gateway.toml --once"))(watch)
    group.add_typer(app, name="alarms")


def _watching(loaded: GatewayConfig) -> BinaryIO:
    data_dir = Path(loaded.data_dir)
    try:
        held = lock.watch_lock(data_dir, alone=False)
    except (lock.AlreadyRunningError, OSError) as error:
        fail(str(error))
    if is_cut_off(data_dir):
        held.close()
        fail(
            f"{data_dir}: a restore was cut off, the gateway ends it when it starts / 恢复被中断，网关启动时会完成恢复"
        )
    return held


def _open(loaded: GatewayConfig) -> Store:
    try:
        return Store(Path(loaded.data_dir))
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(str(error))


def _dispatcher(loaded: GatewayConfig, channels: Channels, known: list[Enterprise]) -> Dispatcher:
    """Of channels.toml, or the end of the command with every problem that it has."""
    try:
        withdraw(Path(loaded.data_dir), platforms(loaded), channels.channels)
        return Dispatcher(Path(loaded.data_dir), channels, SystemClock(), known, _say_channel)
    except (StoreUnavailableError, NewerSchemaError) as error:
        fail(str(error))


def _say_off(rule: str, error: Exception) -> None:
    why = f"{type(error).__name__}: {error}"
    typer.echo(f"rule {rule} is off until the watch starts again / 规则已停用: {why}", err=True)


def _say_unread(name: str, error: Exception) -> None:
    typer.echo(f"{name}: certificates can't be read, tried again / 无法读取证书，稍后重试: {error}", err=True)


def _say_failed(error: Exception) -> None:
    typer.echo(f"{error}; tried again / 稍后重试", err=True)


def _say_channel(name: str, reason: str, detail: str) -> None:
    now = f"{reason}: {detail}; tried again / 稍后重试" if reason else "well / 正常"
    typer.echo(f"channel {name}: {now}", err=True)


def _say_new(new: int, *, as_json: bool) -> None:
    print_json({"new": new}) if as_json else typer.echo(f"{new} new alarm(s) / 条新报警")


def _as_json(row: Row) -> dict[str, Any]:
    times = {"from": time_text(row.from_s * 1000), "to": time_text(row.to_s * 1000)}
    times |= {"found": time_text(row.found_ms), "changed": time_text(row.changed_ms)}
    left = {name: value for name, value in row._asdict().items() if not name.endswith(("_s", "_ms"))}
    return left | {"facts": facts_json(row.facts)} | times


def _step_json(one: Step) -> dict[str, str]:
    return {"at": time_text(one.at_ms), "state": one.state, "who": one.who, "note": one.note}


def _as_text(row: Row) -> str:
    span = f"{time_text(row.from_s * 1000)} .. {time_text(row.to_s * 1000)}"
    facts = f" ({facts_text(row.facts)})" if row.facts else ""
    quiet = f" [maintenance / 检修: {row.maintenance}]" if row.maintenance else ""
    what = f"{row.enterprise or '-'} {row.subject}: {span}: {MEANING[row.kind]}"
    return f"{row.id:>6}  {row.state:<12}  {what}{facts}{quiet}"
