"""`wattline gateway thresholds`: from which power on production and treatment run, learnt from the journal."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from gateway.cli_common import (
    DAY_S,
    NOT_WELL,
    AsLines,
    Config,
    To,
    examples,
    fail,
    load,
    load_enterprises,
    open_spans,
    parse_span,
    print_json,
)
from gateway.clock import SystemClock
from gateway.export.rows import rows
from gateway.journal.spans import Spans
from gateway.watch import thresholds as learning
from gateway.watch.enterprises import Enterprise, PointId
from gateway.watch.slots import slots_of
from gateway.watch.thresholds import Groups, Learnt

DAYS = 28  # four weeks: weekends, and whatever a plant does once a week
One = Annotated[str | None, typer.Option("--enterprise", help="This one only, by its id. 仅此企业")]
Since = Annotated[
    str | None, typer.Option("--from", help=f"First instant, ISO 8601; {DAYS} days before --to if not said. 起始")
]
WHY = {
    learning.TOO_FEW: "fewer than 3 days of readings / 读数不足 3 天",
    learning.ALWAYS_ALIKE: "it always ran, or never did / 始终运行或始终停运",
    learning.NO_TWO_GROUPS: "standby and running are not told apart by power / 功率无法区分待机与运行",
    learning.POINTS_DIFFER: "no power parts standby from running for all its points: make linkages of their own"
    " / 各测点没有共同的阈值，请拆分为多个联动",
}


class _Side(NamedTuple):
    """Production or treatment of a linkage: what its file says, what was learnt, and of which points."""

    enterprise: str
    linkage: str
    key: str
    set_w: int
    learnt: Learnt
    points: dict[PointId, Groups | str]

    @property
    def is_well(self) -> bool:
        """Whether what is set parts standby from running."""
        return self.learnt.on_w is not None and self.learnt.above_w < self.set_w <= self.learnt.to_w


def thresholds(
    config: Config, from_: Since = None, to: To = None, enterprise: One = None, *, as_json: AsLines = False
) -> None:
    """From which power on production and treatment run, learnt from the journal; beside what is set. 学习运行功率阈值

    Needs `enterprises` in gateway.toml, and changes nothing in it. Ends with 1 if what is set does not part standby
    from running, or that can't be told. With --json a line for each side of a linkage; powers in W, means of quarters
    of an hour.
    """
    loaded = load(config)
    asked = [one for one in load_enterprises(config, loaded) if enterprise in {None, one.id}]
    if not asked:
        fail(f"{enterprise}: not in {loaded.enterprises} / 文件中没有此企业")
    from_s, to_s = parse_span(from_, to, SystemClock().now_ms() // 1000, DAYS * DAY_S)
    all_well = True
    with closing(open_spans(Path(loaded.data_dir))) as spans:
        for one in asked:
            for side in _sides(one, spans, from_s, to_s):
                print_json(_as_json(side)) if as_json else typer.echo(_as_text(side))
                all_well &= side.is_well
    if not all_well:
        raise typer.Exit(NOT_WELL)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "thresholds",
        epilog=examples(
            "thresholds --config gateway.toml --enterprise E0001",
            "thresholds --config gateway.toml --from 2026-03-01 --to 2026-04-01 --json",
        ),
    )(thresholds)


def _sides(one: Enterprise, spans: Spans, from_s: int, to_s: int) -> Iterator[_Side]:
    found = slots_of(rows(spans, sorted({point.terminal for point in one.points}), from_s, to_s), one.points)
    parted = {point: learning.groups(slot.power_w for slot in slots.values()) for point, slots in found.items()}
    for each in one.linkages:
        for key, points, set_w in (
            ("production_on_w", each.production, each.production_on_w),
            ("treatment_on_w", each.treatment, each.treatment_on_w),
        ):
            of_side = {point: parted[point] for point in points}
            yield _Side(one.id, each.name, key, set_w, learning.learnt(list(of_side.values())), of_side)


def _as_json(side: _Side) -> dict[str, object]:
    learnt = {"learnt_w": side.learnt.on_w, "set_w": side.set_w, "is_well": side.is_well, "why": side.learnt.why}
    points = [
        {"point": str(point), "why": one} if isinstance(one, str) else {"point": str(point), **one._asdict()}
        for point, one in side.points.items()
    ]
    return {"enterprise": side.enterprise, "linkage": side.linkage, "key": side.key, **learnt, "points": points}


def _as_text(side: _Side) -> str:
    head = f"{side.enterprise} {side.linkage}: {side.key} = {side.set_w}"
    told = "; ".join(f"{point} {_point_text(one)}" for point, one in side.points.items())
    if side.learnt.why is not None:
        return f"{head}, not learnt / 未能学习: {WHY[side.learnt.why]} ({told})"
    verdict = "good / 合适" if side.is_well else "wrong / 不合适"
    return f"{head}, learnt / 学习值 {side.learnt.on_w}: {verdict} ({told})"


def _point_text(one: Groups | str) -> str:
    if isinstance(one, str):
        return one
    share = f"{one.share:.0%} of {one.slots} quarters of an hour"
    return f"stands up to {one.standby_w:.0f} W, runs from {one.running_w:.0f} W on, {share}"
