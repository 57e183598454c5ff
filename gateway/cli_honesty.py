"""`wattline gateway honesty`: readings that a live meter on its own feeder does not show."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import (
    DAY_S,
    NOT_WELL,
    AsLines,
    Config,
    From,
    OneTerminal,
    To,
    asked_terminals,
    examples,
    load,
    open_spans,
    parse_span,
    print_json,
    time_text,
)
from gateway.clock import SystemClock
from gateway.export.columns import NAMES
from gateway.export.rows import rows
from gateway.journal.spans import Spans
from gateway.registry import Terminal
from gateway.watch.finding import Finding
from gateway.watch.honesty import HOUR_WINDOWS, Shown, alike, frozen, replayed, shown_of, transformers
from gateway.watch.slots import SLOT_S
from gateway.watch.words import MEANING, facts_json, facts_text

CONTEXT_S = HOUR_WINDOWS * SLOT_S  # before a span: what begins there may go on in it
_POINT = NAMES.index("point")

History = Annotated[int, typer.Option("--history", min=1, max=366, help="Days in which a replay is sought. 回溯天数")]


def honesty(
    config: Config,
    terminal: OneTerminal = None,
    from_: From = None,
    to: To = None,
    history_days: History = 31,
    *,
    as_json: AsLines = False,
) -> None:
    """Readings that no live meter on its own feeder shows: frozen, replayed, alike, wrong transformers. 数据真实性

    Ends with 1 if anything was found. A terminal at a time; with --json a line for each finding.
    """
    loaded = load(config)
    asked = asked_terminals(loaded, terminal)
    from_s, to_s = parse_span(from_, to, SystemClock().now_ms() // 1000)
    spans, count = open_spans(Path(loaded.data_dir)), 0
    for one in asked:
        shown = _shown(spans, one, from_s - history_days * DAY_S, to_s, loaded.verify.future_refuse_s)
        for points, found in _findings(one, shown, from_s):
            count += 1
            _say(one, points, found, as_json=as_json)
    spans.close()
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


def _shown(spans: Spans, terminal: Terminal, from_s: int, to_s: int, future_s: int) -> dict[int, list[Shown]]:
    """By point."""
    of_points: defaultdict[int, list[tuple[object, ...]]] = defaultdict(list)
    for row in rows(spans, [terminal.id], from_s, to_s, future_s):
        of_points[row[_POINT]].append(row)
    return {point: shown_of(some) for point, some in sorted(of_points.items())}


def _findings(
    terminal: Terminal, shown: dict[int, list[Shown]], from_s: int
) -> Iterator[tuple[tuple[int, ...], Finding]]:
    """(points, finding) of what lies in the span, or reaches into it."""
    recent = {point: [one for one in some if one.start_s >= from_s - CONTEXT_S] for point, some in shown.items()}
    found: list[tuple[tuple[int, ...], Finding]] = []
    for point, some in recent.items():
        rated_w = terminal.points[point].rated_power_w if point in terminal.points else None
        found += [((point,), one) for one in (*frozen(some), *transformers(some, rated_w))]
        found += [((point,), one) for one in replayed(shown[point], from_s)]
    for pair in combinations(recent, 2):
        found += [(pair, one) for one in alike(recent[pair[0]], recent[pair[1]])]
    return (each for each in found if each[1].to_s > from_s)


def _say(terminal: Terminal, points: tuple[int, ...], found: Finding, *, as_json: bool) -> None:
    times = {"from": time_text(found.from_s * 1000), "to": time_text(found.to_s * 1000)}
    if as_json:
        head = {"kind": "finding", "terminal": terminal.id, "points": points, "what": found.kind}
        print_json(head | times | facts_json(found.facts))
        return
    named = ", ".join(str(point) for point in points)
    facts = f"; {facts_text(found.facts)}" if found.facts else ""
    span = f"{times['from']} .. {times['to']}"
    typer.echo(f"{terminal.id} {named}: {span}: {MEANING[found.kind]} ({found.kind}{facts})")
