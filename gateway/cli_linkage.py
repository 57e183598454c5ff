"""`wattline gateway linkage`: where production ran and treatment did not, and how often."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli_common import (
    NOT_WELL,
    AsLines,
    Config,
    From,
    To,
    UtcOffset,
    examples,
    fail,
    line_text,
    load,
    load_enterprises,
    open_spans,
    parse_span,
    print_json,
)
from gateway.clock import SystemClock
from gateway.export.rows import rows
from gateway.journal.spans import Spans
from gateway.watch.enterprises import Enterprise, Linkage
from gateway.watch.finding import Finding
from gateway.watch.linkage import CONTEXT_SLOTS, findings
from gateway.watch.measures import Measures, measures
from gateway.watch.slots import SLOT_S, slots_of
from gateway.watch.words import MEANING, facts_json, facts_text

One = Annotated[str | None, typer.Option("--enterprise", help="This one only, by its id. 仅此企业")]


def linkage(
    config: Config,
    from_: From = None,
    to: To = None,
    enterprise: One = None,
    utc_offset: UtcOffset = 8,
    *,
    as_json: AsLines = False,
) -> None:
    """Where production ran and treatment did not, came late, stopped early, idled or was not measured. 产污治污联动

    Needs `enterprises` in gateway.toml. Ends with 1 if anything was found. With --json a line for each finding
    ("finding") and for what each linkage comes to ("measures"); powers in W, means of the time.
    """
    loaded = load(config)
    known = load_enterprises(config, loaded)
    asked = [one for one in known if enterprise in {None, one.id}]
    if not asked:
        fail(f"{enterprise}: not in {loaded.enterprises} / 文件中没有此企业")
    from_s, to_s = parse_span(from_, to, SystemClock().now_ms() // 1000)
    folder, zone, count = Path(loaded.data_dir), timezone(timedelta(hours=utc_offset)), 0
    with closing(open_spans(folder)) as spans:
        for one, each, found in _all(asked, spans, from_s, to_s, utc_offset * 3600):
            print_json(_as_json(one, each, found)) if as_json else typer.echo(_as_text(one, each, found, zone))
            count += isinstance(found, Finding)
    if count:
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "linkage",
        epilog=examples(
            "linkage --config gateway.toml",
            "linkage --config gateway.toml --enterprise E0001 --from 2026-03-01 --to 2026-04-01 --json",
        ),
    )(linkage)


def _all(
    asked: list[Enterprise], spans: Spans, from_s: int, to_s: int, day_offset_s: int
) -> Iterator[tuple[Enterprise, Linkage, Finding | Measures]]:
    """Of each linkage its findings, then its measures; an enterprise at a time is in memory."""
    for one in asked:
        terminals = sorted({point.terminal for point in one.points})
        found = slots_of(rows(spans, terminals, from_s - CONTEXT_SLOTS * SLOT_S, to_s), one.points)
        for each in one.linkages:
            for finding in findings(each, one.orders, found, from_s, to_s):
                yield one, each, finding
            yield one, each, measures(each, found, from_s, to_s, day_offset_s)


def _as_json(one: Enterprise, each: Linkage, found: Finding | Measures) -> dict[str, object]:
    head = {"enterprise": one.id, "linkage": each.name}
    if isinstance(found, Measures):
        return {"kind": "measures", **head, **found._asdict()}
    times = {"from": _time(found.from_s, UTC), "to": _time(found.to_s, UTC)}
    points = {"production": list(map(str, each.production)), "treatment": list(map(str, each.treatment))}
    return {"kind": "finding", **head, "what": found.kind, **times, **facts_json(found.facts), **points}


def _as_text(one: Enterprise, each: Linkage, found: Finding | Measures, zone: timezone) -> str:
    head = f"{one.id} {each.name}"
    if isinstance(found, Measures):
        return f"{head}: {line_text({name: _short(value) for name, value in found._asdict().items()})}"
    span = f"{_time(found.from_s, zone)} .. {_time(found.to_s, zone)}"
    return f"{head}: {span}: {MEANING[found.kind]} ({found.kind}; {facts_text(found.facts)})"


def _short(value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _time(unix_s: int, zone: timezone) -> str:
    return datetime.fromtimestamp(unix_s, zone).isoformat(timespec="minutes")
