"""`wattline gateway reconcile`: each interval that was due on a day: a sink has it, or why not."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from gateway.cli_common import (
    DAY_S,
    NOT_WELL,
    AsLines,
    Config,
    OneTerminal,
    UtcOffset,
    asked_terminals,
    examples,
    fail,
    line_text,
    load,
    open_source,
    parse_time,
    print_json,
    time_text,
)
from gateway.clock import SystemClock
from gateway.forward import acknowledged, outbox
from gateway.forward.acknowledged import ACKNOWLEDGED, DEAD, UNDER_WAY, WITHHELD, Cell
from gateway.gaps.ledger import states
from gateway.gaps.source import Source, Span
from gateway.gaps.words import CELL_S, MEANING, NOT_DUE, UNKNOWN
from gateway.registry import Terminal

WAITING = "waiting"  # in the journal, and the sink has not come to it
STATES = {
    ACKNOWLEDGED: "the sink has it / 已确认",
    UNDER_WAY: "sent or about to be, not acknowledged / 待确认",
    WAITING: "in the journal, not handed over yet / 待上报",
    DEAD: "the sink refuses it, see refeed --dead / 被拒绝",
    WITHHELD: "not for this sink, by its mapping or order / 按映射或指令不上报",
}
NOT_WELL_STATES = (UNDER_WAY, WAITING, DEAD, UNKNOWN)


class Stretch(NamedTuple):
    """Intervals in a row of one terminal that share a state; cause: why there is no window, or the sink's reason."""

    terminal: str
    from_s: int
    intervals: int
    state: str
    cause: str

    @property
    def to_s(self) -> int:
        """The end of the last one."""
        return self.from_s + self.intervals * CELL_S


def reconcile(
    config: Config,
    sink: Annotated[str, typer.Argument(metavar="SINK", help="Its name in gateway.toml. 上报目标的名称")],
    day: Annotated[str | None, typer.Option(help="2026-03-01; left out: yesterday. 日期")] = None,
    terminal: OneTerminal = None,
    utc_offset: UtcOffset = 8,
    *,
    as_json: AsLines = False,
) -> None:
    """Account for each interval that was due on a day: acknowledged by the sink, or listed with its cause. 每日核对

    Ends with 1 while anything waits, is under way or dead, or is missing without a cause.
    """
    loaded = load(config)
    folder = Path(loaded.data_dir)
    if sink not in [one.name for one in loaded.sink]:
        fail(f"{sink}: no such sink / 没有此目标; allowed / 允许: {', '.join(one.name for one in loaded.sink) or '-'}")
    asked, now_s = asked_terminals(loaded, terminal), SystemClock().now_ms() // 1000
    from_s = _day_begin(day, now_s, utc_offset * 3600)
    source = open_source(folder, loaded.verify.future_refuse_s)
    file = outbox.file_of(folder, sink)
    known = acknowledged.read(file, from_s, from_s + DAY_S) if file.exists() else {}
    span, rows = source.span(from_s, from_s + DAY_S, now_s), source.terminals()
    total: Counter[str] = Counter()
    for one in asked:
        for stretch in stretches(source, span, one, rows.get(one.id), known):
            total["due"] += stretch.intervals
            total[stretch.state] += stretch.intervals
            if stretch.state != ACKNOWLEDGED:
                _say(stretch, as_json=as_json)
    source.close()
    date = datetime.fromtimestamp(from_s + utc_offset * 3600, UTC).strftime("%Y-%m-%d")
    if as_json:
        print_json({"kind": "total", "sink": sink, "day": date, **total})
    else:
        typer.echo(f"{sink} {date}: {line_text(total)}")
    if any(total[state] for state in NOT_WELL_STATES):
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "reconcile --config gateway.toml province",
            "reconcile --config gateway.toml province --day 2026-03-01 --json",
        )
    )(reconcile)


def stretches(
    source: Source, span: Span, terminal: Terminal, row: int | None, known: dict[Cell, tuple[str, str]]
) -> Iterator[Stretch]:
    """The terminal's due intervals, in order."""
    found = source.facts(row or 0, span)
    due = source.due(terminal, row, span, found)
    last: Stretch | None = None
    for cell_s, of_points in states(due, found.cells, source.cause_of(terminal.id, row, span, found), span.now_s):
        state, cause = known.get(Cell(terminal.id, cell_s), ("", ""))
        if not state and cell_s in found.cells:
            state = WAITING
        if not state:
            state = of_points[0][1] if of_points else NOT_DUE
        if state == NOT_DUE:
            continue
        if last is not None and (state, cause) == (last.state, last.cause) and last.to_s == cell_s:
            last = last._replace(intervals=last.intervals + 1)
            continue
        if last is not None:
            yield last
        last = Stretch(terminal.id, cell_s, 1, state, cause)
    if last is not None:
        yield last


def _day_begin(day: str | None, now_s: int, offset_s: int) -> int:
    """Unix s at which the day begins where days are counted with this offset."""
    if day is None:
        return (now_s + offset_s) // DAY_S * DAY_S - DAY_S - offset_s
    return parse_time(day) // DAY_S * DAY_S - offset_s


def _say(one: Stretch, *, as_json: bool) -> None:
    begin, end = time_text(one.from_s * 1000), time_text(one.to_s * 1000)
    if as_json:
        reason = {"reason": one.cause} if one.cause else {}
        span = {"from": begin, "to": end, "intervals": one.intervals}
        print_json({"kind": "interval", "terminal": one.terminal, **span, "state": one.state, **reason})
    else:
        meaning = STATES.get(one.state) or MEANING.get(one.state, "")
        reason_text = f" ({one.cause})" if one.cause else ""
        typer.echo(f"  {one.terminal}  {begin} .. {end}  {one.intervals:>3}  {one.state}{reason_text}: {meaning}")
