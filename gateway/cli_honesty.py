"""`wattline gateway honesty`: readings that a live meter on its own feeder does not show."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from gateway.cli_common import (
    NOT_WELL,
    AsLines,
    Config,
    From,
    OneTerminal,
    To,
    asked_terminals,
    examples,
    fail,
    load,
    load_rules,
    open_spans,
    parse_span,
    print_json,
    time_text,
)
from gateway.clock import SystemClock
from gateway.watch.finding import Finding
from gateway.watch.looks import Looks
from gateway.watch.words import MEANING, facts_json, facts_text

History = Annotated[int | None, typer.Option("--history", min=1, max=366, help="Days to seek a replay in. 回溯天数")]


def honesty(
    config: Config,
    terminal: OneTerminal = None,
    from_: From = None,
    to: To = None,
    history_days: History = None,
    *,
    as_json: AsLines = False,
) -> None:
    """Readings that no live meter on its own feeder shows: frozen, replayed, alike, wrong transformers. 数据真实性

    Ends with 1 if anything was found. A terminal at a time; with --json a line for each finding. By rules.toml, if
    gateway.toml names one.
    """
    loaded = load(config)
    asked = asked_terminals(loaded, terminal)
    from_s, to_s = parse_span(from_, to, SystemClock().now_ms() // 1000)
    rules, count = load_rules(loaded), 0
    if history_days is not None:
        rules = replace(rules, replayed=replace(rules.replayed, history_days=history_days))
    open_spans(Path(loaded.data_dir)).close()  # or the end, with why
    with closing(Looks(Path(loaded.data_dir), rules, loaded.verify.future_refuse_s, _fail)) as looks:
        for one in asked:
            for look in (*looks.points("", one, from_s, to_s), *looks.replays("", one, from_s, to_s)):
                for found in look.found:
                    count += 1
                    _say(look.subject, found, as_json=as_json)
    if count:
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "honesty",
        epilog=examples(
            "honesty --config gateway.toml --terminal T0001",
            "honesty --config gateway.toml --from 2026-03-01 --to 2026-04-01 --history 90 --json",
        ),
    )(honesty)


def _say(subject: str, found: Finding, *, as_json: bool) -> None:
    times = {"from": time_text(found.from_s * 1000), "to": time_text(found.to_s * 1000)}
    if as_json:
        print_json({"kind": "finding", "subject": subject, "what": found.kind} | times | facts_json(found.facts))
        return
    facts = f"; {facts_text(found.facts)}" if found.facts else ""
    typer.echo(f"{subject}: {times['from']} .. {times['to']}: {MEANING[found.kind]} ({found.kind}{facts})")


def _fail(rule: str, error: Exception) -> None:
    fail(f"{rule}: {type(error).__name__}: {error}")
