"""`wattline gateway refused`: what a sink did not take, one by one, with why."""

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import AsLines, Config, examples, fail, load, print_json
from gateway.forward.outbox import file_of
from gateway.forward.refused import Refused, refused
from protocol.host.printable import printable

Sink = Annotated[str, typer.Argument(metavar="SINK", help="Its name in gateway.toml. 上报目标的名称")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "refused",
        epilog=examples("refused --config gateway.toml province", "refused --config gateway.toml province --json"),
    )(show)


def show(
    config: Config,
    sink: Sink,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first. 最多条数")] = 50,
    as_json: AsLines = False,
) -> None:
    """Dead letters of a sink, and log texts that a platform refused: why, and the packet where there was one. 被拒数据

    The station's password is not shown. What was mended goes again by `refeed SINK --dead`; an alarm's text does not.
    """
    loaded = load(config)
    folder, known = Path(loaded.data_dir), [one.name for one in loaded.sink]
    if sink not in known:
        fail(f"{sink}: no such sink / 没有此目标; allowed / 允许: {', '.join(known) or '-'}")
    try:
        found = refused(folder, sink, limit) if file_of(folder, sink).exists() else []
    except sqlite3.Error as error:
        fail(f"{sink}: {error}")
    for one in found:
        print_json(one._asdict()) if as_json else typer.echo(printable(_line(one)))


def _line(one: Refused) -> str:
    what = one.id if one.record is None else f"record {one.record}"
    return "  ".join(part for part in (what, one.reason, one.detail, one.packet or one.text) if part)
