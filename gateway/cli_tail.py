"""`wattline gateway tail`: records as they are journaled."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import AsLines, Config, OneTerminal, examples, load, open_spans, print_json
from gateway.journal.spans import Entry, Spans
from gateway.tail import described, line

LOOK_S = 0.3  # sooner than an eye minds; three cheap queries a second
RECORDS_A_LOOK = 500


def tail(
    config: Config,
    terminal: OneTerminal = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as records come; Ctrl-C ends. 持续显示")] = False,
    count: Annotated[int, typer.Option(min=0, max=10_000, help="So many of the newest first. 先显示最新条数")] = 10,
    as_json: AsLines = False,
) -> None:
    """Decoded records in the order in which they were journaled, one a line. 实时查看记录"""
    spans = open_spans(Path(load(config).data_dir))
    try:
        for name, entry in _records(spans, terminal, count, follow=follow):
            if (raw := spans.raw(entry.id)) is None:
                continue
            found = described(name, entry, raw)
            if as_json:
                print_json(found)
            else:
                typer.echo(line(found))
    except KeyboardInterrupt:
        return  # how one ends --follow
    finally:
        spans.close()


def _records(spans: Spans, terminal: str | None, count: int, *, follow: bool) -> Iterator[tuple[str, Entry]]:
    last = max((entry.id for _, entry in spans.newest(1)), default=0)
    for name, entry in spans.newest(count, terminal):
        last = max(last, entry.id)
        yield name, entry
    while follow:
        found = spans.after(last, RECORDS_A_LOOK)
        for name, entry in found:
            last = entry.id
            if terminal in {None, name}:
                yield name, entry
        if not found:
            time.sleep(LOOK_S)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "tail",
        epilog=examples(
            "tail --config gateway.toml --follow",
            "tail --config gateway.toml --terminal T0001 --count 100 --json",
        ),
    )(tail)
