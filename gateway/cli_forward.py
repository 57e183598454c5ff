"""`wattline gateway refeed`: a sink is handed over again what it may have lost."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import AsJson, Config, examples, fail, load, open_journal, parse_time, print_json
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.forward import outbox, refeeds

Sink = Annotated[str, typer.Argument(metavar="SINK", help="Its name in gateway.toml. 上报目标的名称")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "refeed --config gateway.toml warehouse --from 2026-03-01T02:30:00+08:00",
            "refeed --config gateway.toml province --dead",
        )
    )(refeed)


def refeed(
    config: Config,
    sink: Sink,
    since: Annotated[
        str | None, typer.Option("--from", help="The time to which the sink was put back. 目标被恢复到的时刻")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Only what the gateway received before. 仅此前收到的数据")
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Its dead letters instead. 重新上报被拒数据")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand a sink over again what it confirmed at a time or later, or what it refused. 重新上报

    For a sink that was restored from a backup, or that lost what it had confirmed. It goes after new readings and the
    backlog; what the sink still has counts once, by its identity. The gateway may run or not.
    """
    if dead == (since is not None):
        raise typer.BadParameter("give exactly one of --from and --dead / --from 与 --dead 二选一")
    loaded = load(config)
    folder, known = Path(loaded.data_dir), [one.name for one in loaded.sink]
    if sink not in known:
        fail(f"{sink}: no such sink / 没有此目标; allowed / 允许: {', '.join(known) or '-'}")
    if not outbox.file_of(folder, sink).exists():
        fail(f"{sink}: it has taken nothing yet / 尚未上报过任何数据")
    with closing(open_journal(folder)) as reader:
        last_id = reader.first_id(parse_time(until) * 1000) - 1 if until else reader.last_id()
    try:
        ordered = (
            refeeds.order_dead(folder, sink)
            if since is None
            else refeeds.order_refeed(folder, sink, parse_time(since) * 1000, last_id)
        )
    except (StoreUnavailableError, NewerSchemaError, sqlite3.Error) as error:
        fail(f"{sink}: {error}")
    if as_json:
        print_json({"sink": sink, **ordered._asdict()})
    else:
        typer.echo(f"{sink}: {ordered.records} records, {ordered.placements} placed windows / 条记录将重新上报")
