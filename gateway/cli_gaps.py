"""`wattline gateway gaps`: which windows are missing, and why."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import cli_asked
from gateway.cli_common import (
    DAY_S,
    NOT_WELL,
    AsLines,
    Config,
    From,
    OneTerminal,
    To,
    UtcOffset,
    asked_terminals,
    examples,
    line_text,
    load,
    open_source,
    parse_span,
    print_json,
    time_text,
)
from gateway.clock import SystemClock
from gateway.gaps.ledger import Account, Day, Run, states
from gateway.gaps.source import Facts, Source, Span
from gateway.gaps.words import LATE, MEANING, UNKNOWN
from gateway.registry import Terminal
from gateway.wanted.ranges import size
from gateway.wanted.requests import Ask

SHORTFALL = 0.9  # received / due below this is what the field's rule objects to


Ask_ = Annotated[bool, typer.Option("--ask", help="Ask the terminals for it, if they still have it. 请求终端重传")]


def gaps(
    config: Config,
    terminal: OneTerminal = None,
    from_: From = None,
    to: To = None,
    utc_offset: UtcOffset = 8,
    *,
    ask: Ask_ = False,
    as_json: AsLines = False,
) -> None:
    """What terminals owe of a span (else of the last day): received, late, missing with its cause. 数据缺口

    Ends with 1 if anything is missing without a cause (unknown). With --json a line for each run of late or missing
    windows ("gap"), for each day of a terminal ("day"), for each run of record numbers that the terminal was asked for
    again ("asked"), one with the totals ("total"), and one that says so where the span begins before what is still kept
    ("retired"). Completeness is received / due, a window of each point one.

    The gateway asks by itself for numbers that did not come half an hour after later ones did; --ask asks at once, and
    again for what was given up.
    """
    loaded = load(config)
    asked = asked_terminals(loaded, terminal)
    now_s = SystemClock().now_ms() // 1000
    from_s, to_s = parse_span(from_, to, now_s)
    source = open_source(Path(loaded.data_dir), loaded.verify.future_refuse_s)
    total: Counter[str] = Counter()
    span, in_journal = source.span(from_s, to_s, now_s), source.terminals()
    for one in asked:
        row = in_journal.get(one.id)
        found = source.facts(row or 0, span)
        for line in rows(source, span, one, row, found, utc_offset * 3600):
            _add(total, line)
            _say(_json_row(line, utc_offset) if as_json else _text_row(line))
        logs = source.logs_of(row or 0, span, found)
        if ask:
            asks = [Ask(one.id, log.epoch, *run) for log in logs for run in source.absent(row or 0, log)]
            cli_asked.place(Path(loaded.data_dir), asks, now_s * 1000)
            total["asked"] += size((each.first, each.last) for each in asks)
        for each in cli_asked.about(Path(loaded.data_dir), one.id, logs):
            _say(cli_asked.json_row(each) if as_json else cli_asked.text_row(each))
    kept_from_s = source.kept_from_s()
    source.close()
    if kept_from_s > from_s:
        _say_retired(kept_from_s, as_json=as_json)
    if as_json:
        print_json({"kind": "total", **total})
    else:
        typer.echo(f"total / 合计: {line_text(total)}")
    if total[f"missing_{UNKNOWN}"]:
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "gaps",
        epilog=examples(
            "gaps --config gateway.toml",
            "gaps --config gateway.toml --terminal T0001 --from 2026-03-01 --to 2026-04-01 --json",
            "gaps --config gateway.toml --terminal T0001 --from 2026-03-01 --to 2026-03-02 --ask",
        ),
    )(gaps)


def rows(
    source: Source, span: Span, terminal: Terminal, row: int | None, found: Facts, day_offset_s: int
) -> Iterator[Run | Day]:
    """A terminal's runs as they end, then its days."""
    due = source.due(terminal, row, span, found)
    account = Account(due, day_offset_s)
    for cell_s, of_points in states(due, found.cells, source.cause_of(terminal.id, row, span, found), span.now_s):
        yield from account.take(cell_s, of_points)
    yield from account.end()
    yield from account.days.values()


def _say(row: dict[str, Any] | str) -> None:
    if isinstance(row, str):
        typer.echo(row)
    else:
        print_json(row)


def _add(total: Counter[str], row: Run | Day) -> None:
    if isinstance(row, Day):
        total.update(due=row.due, received=row.received, late=row.late, not_due=row.not_due)
        total.update({f"missing_{cause}": count for cause, count in row.missing.items()})


def _say_retired(kept_from_s: int, *, as_json: bool) -> None:
    until = time_text(kept_from_s * 1000)
    if as_json:
        print_json({"kind": "retired", "until": until})
    else:
        typer.echo(f"before {until} records were retired: nothing is said of it / 此前的数据已按保留期清除，不作判断")


def _day_text(row: Day) -> str:
    return datetime.fromtimestamp(row.day * DAY_S, UTC).strftime("%Y-%m-%d")


def _json_row(row: Run | Day, utc_offset: int) -> dict[str, Any]:
    if isinstance(row, Run):
        state = {"state": LATE} if row.state == LATE else {"state": "missing", "cause": row.state}
        reason = {"none_because": row.reason} if row.reason else {}
        span = {"from": time_text(row.from_s * 1000), "to": time_text(row.to_s * 1000), "windows": row.windows}
        return {"kind": "gap", "terminal": row.terminal, "point": row.point, **span, **state, **reason}
    counts = {"due": row.due, "received": row.received, "late": row.late, "not_due": row.not_due}
    share = None if row.completeness is None else round(row.completeness, 4)
    day = {"day": _day_text(row), "utc_offset_h": utc_offset}
    return {
        "kind": "day", "terminal": row.terminal, **day, **counts, "missing": dict(row.missing), "completeness": share
    }  # fmt: skip


def _text_row(row: Run | Day) -> str:
    if isinstance(row, Run):
        reason = f" ({row.reason})" if row.reason else ""
        times = f"{time_text(row.from_s * 1000)} .. {time_text(row.to_s * 1000)}"
        return (
            f"  {row.terminal}  point {row.point}  {times}  {row.windows:>5}  {row.state}{reason}: {MEANING[row.state]}"
        )
    share = "-" if row.completeness is None else f"{row.completeness:.1%}"
    low = "  < 90 %" if row.completeness is not None and row.completeness < SHORTFALL else ""
    missing = f", missing {line_text(row.missing)}" if row.missing else ""
    return (
        f"{row.terminal}  {_day_text(row)}  {share}{low}: due {row.due}, received {row.received},"
        f" late {row.late}{missing}"
    )
