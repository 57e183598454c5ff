"""`wattline gateway gaps`: which windows are missing, and why."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli_common import (
    NOT_WELL,
    AsLines,
    Config,
    OneTerminal,
    examples,
    fail,
    line_text,
    load,
    load_registry,
    open_source,
    parse_time,
    print_json,
    time_text,
)
from gateway.clock import SystemClock
from gateway.gaps.ledger import Account, Day, Run, states
from gateway.gaps.source import Source, Span
from gateway.gaps.words import LATE, MEANING, UNKNOWN
from gateway.registry import Registry, Terminal

DAY_S = 86400
SHORTFALL = 0.9  # received / due below this is what the field's rule objects to


From = Annotated[str | None, typer.Option("--from", help="First instant, ISO 8601, UTC unless it says. 起始时刻")]
To = Annotated[str | None, typer.Option("--to", help="End, not included; now if left out. 结束时刻（不含）")]


def gaps(
    config: Config,
    terminal: OneTerminal = None,
    from_: From = None,
    to: To = None,
    utc_offset: Annotated[int, typer.Option(min=-12, max=14, help="Hours by which a day is counted. 日界时区")] = 8,
    as_json: AsLines = False,
) -> None:
    """What terminals owe of a span (else of the last day): received, late, missing with its cause. 数据缺口

    Ends with 1 if anything is missing without a cause (unknown). With --json a line for each run of late or missing
    windows ("gap"), for each day of a terminal ("day"), one with the totals ("total"), and one that says so where the
    span begins before what is still kept ("retired"). Completeness is received / due, a window of each point one.
    """
    loaded = load(config)
    known = load_registry(loaded)
    now_s = SystemClock().now_ms() // 1000
    to_s = now_s if to is None else parse_time(to)
    from_s = to_s - DAY_S if from_ is None else parse_time(from_)
    if from_s >= to_s:
        raise typer.BadParameter("--from must be before --to / 起始时刻须早于结束时刻")
    source = open_source(Path(loaded.data_dir), loaded.verify.future_refuse_s)
    total: Counter[str] = Counter()
    span, in_journal = source.span(from_s, to_s, now_s), source.terminals()
    for one in _asked(known, terminal):
        for row in rows(source, span, one, in_journal.get(one.id), utc_offset * 3600):
            _add(total, row)
            if as_json:
                print_json(_json_row(row, utc_offset))
            else:
                typer.echo(_text_row(row))
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
        ),
    )(gaps)


def rows(source: Source, span: Span, terminal: Terminal, row: int | None, day_offset_s: int) -> Iterator[Run | Day]:
    """A terminal's runs as they end, then its days."""
    found = source.facts(row or 0, span)
    due = source.due(terminal, row, span, found)
    account = Account(due, day_offset_s)
    for cell_s, of_points in states(due, found.cells, source.cause_of(terminal.id, row, span, found), span.now_s):
        yield from account.take(cell_s, of_points)
    yield from account.end()
    yield from account.days.values()


def _asked(known: Registry, terminal: str | None) -> list[Terminal]:
    found = [one for one in known.all() if terminal in {None, one.id}]
    if not found:
        fail(f"{terminal or ''}: not in terminals.toml / 终端未登记")
    return found


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
