"""`wattline gateway quarantine`: look at refused frames, have them tried again, or forgotten."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gateway import app as application
from gateway import lock
from gateway.backup.stores import BackupError
from gateway.cli_common import (
    ID_MAX,
    NOT_WELL,
    AsJson,
    Config,
    examples,
    fail,
    line_text,
    load,
    open_quarantine,
    print_json,
    time_text,
)
from gateway.cli_damage import App
from gateway.clock import SystemClock, steady_s
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.quarantine import orders
from gateway.quarantine.quarantine import Kept
from protocol.errors import REASONS
from protocol.host.printable import printable
from protocol.host.strict import ConfigError

LOOK_S = 0.1  # for a result: a person waits

app = App(no_args_is_help=True, help="Refused frames, kept with their reason. 隔离区：被拒绝的报文")


@app.command("list", epilog=examples("quarantine list --config gateway.toml --reason mac --limit 20"))
def quarantine_list(
    config: Config,
    source: Annotated[str | None, typer.Option(help="Of this terminal only. 仅此终端")] = None,
    reason: Annotated[str | None, typer.Option(help="Of this reason only, e.g. mac. 仅此原因")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first. 最多条数")] = 50,
    as_json: AsJson = False,
) -> None:
    """Refused frames, the newest first. 列出被拒绝的报文"""
    store = open_quarantine(load(config))
    rows = [_kept_row(kept) for kept in store.newest(limit, source, reason)]
    counts = store.counts()
    store.close()
    if as_json:
        print_json({"counts": counts, "refused": rows})
        return
    for row in rows:
        typer.echo(f"{row['id']:>8}  {row['received']}  {row['source'] or '-':<32}  {row['reason']} @{row['offset']}")
    typer.echo(f"kept / 共: {line_text(counts)}")


@app.command("show", epilog=examples("quarantine show --config gateway.toml 17"))
def quarantine_show(
    config: Config,
    number: Annotated[int, typer.Argument(min=1, max=ID_MAX, metavar="ID", help="As listed. 列表中的编号")],
    as_json: AsJson = False,
) -> None:
    """One refused frame with its bytes. 显示一条被拒绝的报文"""
    store = open_quarantine(load(config))
    kept = store.get(number)
    store.close()
    if kept is None:
        fail(f"{number}: no such frame in quarantine / 隔离区没有此编号; see `wattline gateway quarantine list`")
    row = {**_kept_row(kept), "data": kept.refused.data.hex()}
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        typer.echo(f"{name:>9}: {printable(value)}")
    typer.echo(f"     next: wattline explain --protocol frame {row['data'][:16]}...")


Ids = Annotated[list[int] | None, typer.Argument(min=1, max=ID_MAX, metavar="ID...", help="As listed. 列表中的编号")]
AllOf = Annotated[str | None, typer.Option("--all-of", metavar="REASON", help="All of this reason. 该原因的全部")]
Wait = Annotated[int, typer.Option(min=0, max=86400, help="For a running gateway, in seconds. 等待秒数")]


@app.command(
    "replay",
    epilog=examples(
        "quarantine replay --config gateway.toml 17 18", "quarantine replay --config gateway.toml --all-of terminal"
    ),
)
def quarantine_replay(
    config: Config, number: Ids = None, all_of: AllOf = None, wait: Wait = 60, as_json: AsJson = False
) -> None:
    """Put refused frames through the pipeline again, as of now: a terminal was admitted, a decoder updated. 重新处理

    A running gateway does it (it looks into data_dir/orders every second) and acknowledges what it takes; if none runs,
    this command does it, and terminals are acknowledged when they send again. What is taken leaves quarantine; what is
    refused again stays, with its time. Ends with 1 if a frame was refused again, is gone, or was not kept whole.
    """
    _order(config, "replay", (number, all_of), wait, as_json=as_json)


@app.command(
    "discard",
    epilog=examples(
        "quarantine discard --config gateway.toml 17", "quarantine discard --config gateway.toml --all-of tag --json"
    ),
)
def quarantine_discard(
    config: Config, number: Ids = None, all_of: AllOf = None, wait: Wait = 60, as_json: AsJson = False
) -> None:
    """Forget refused frames, for good. 丢弃"""
    _order(config, "discard", (number, all_of), wait, as_json=as_json)


def _order(
    config: Path,
    do: Literal["replay", "discard"],
    which: tuple[list[int] | None, str | None],
    wait: int,
    *,
    as_json: bool,
) -> None:
    """Have it done, by the running gateway or here, and say what became of it."""
    ids, reason = which
    if bool(ids) == bool(reason):
        raise typer.BadParameter("give ids, or --all-of REASON / 请给出编号，或 --all-of 原因")
    loaded = load(config)
    folder = Path(loaded.data_dir)
    store = open_quarantine(loaded)
    order = orders.Order(do, ids or [], reason, store.last_id())
    store.close()
    tell(have_done(config, folder, order, wait), by_running=lock.running_pid(folder) is not None, as_json=as_json)


def tell(done: orders.Done, *, by_running: bool, as_json: bool) -> None:
    """What became of an order, as the command's end."""
    found = asdict(done)
    if as_json:
        print_json({"by": "running gateway" if by_running else "this command", **found})
    else:
        by = "running gateway / 运行中的网关" if by_running else "no gateway runs / 离线执行"
        typer.echo(f"{by}: {line_text(found)}")
    if done.refused or done.gone or done.cut:
        raise typer.Exit(NOT_WELL)


def have_done(config: Path, folder: Path, order: orders.Order, wait: int) -> orders.Done:
    """Have it done, by the running gateway or here; ends the command where that is not possible in time."""
    done = _by_the_running(folder, order, wait) if lock.running_pid(folder) is not None else _here(config, order)
    if done is None:
        fail(f"ordered, not done within {wait} s; it will be / 已下达，尚未完成，将继续执行")
    return done


def _by_the_running(folder: Path, order: orders.Order, wait: int) -> orders.Done | None:
    result = orders.place(folder, order)
    until_s = steady_s() + wait
    while (done := orders.take_result(result)) is None and steady_s() < until_s:
        time.sleep(LOOK_S)
    return done


def _here(config: Path, order: orders.Order) -> orders.Done:
    try:
        return application.carry_out(config, order, SystemClock())
    except ConfigError as error:
        fail(*(str(problem) for problem in error.problems))
    except (lock.AlreadyRunningError, StoreUnavailableError, NewerSchemaError, BackupError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")


def _kept_row(kept: Kept) -> dict[str, Any]:
    one = kept.refused
    return {
        "id": kept.id,
        "received": time_text(one.received_ms),
        "source": one.source,
        "topic": one.topic,
        "reason": one.reason,
        "meaning": REASONS[one.reason][1] if one.reason in REASONS else "see gateway/verify.py",
        "offset": one.offset,
        "length": one.length,
    }
