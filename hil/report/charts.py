"""What the meters showed against what arrived: a chart a point, in SVG that stretches to the page's width."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hil.oracle.evidence import Case, Poll, Trouble
from hil.oracle.windows import Placed, in_span, place
from hil.report import words
from hil.report.axis import Axis
from hil.scenario import Point
from protocol.host.markup import Markup, both, tag
from protocol.record import Reading

HEIGHT = 120  # of the view box; its width is 1000
COLUMNS = 1500  # of a chart: more polls than two a column are drawn as the least and the most of each
HOLE_MS = 300_000  # the meters' truth is drawn through polls no farther apart than this
HOVERS_MAX = 3000  # windows of a run that are told on hovering


@dataclass(frozen=True)
class Curve:
    """The windows of one point: (start, end, min, mean, max) in virtual ms and W; None where there is no reading."""

    name: str
    kind: str
    windows: Sequence[tuple[int, int, tuple[int, int, int] | None]]
    truth: Sequence[Poll]


def curves(points: Sequence[Point], case: Case) -> list[Curve]:
    """The windows of a terminal's points as the journal has them, beside what the meter of each showed."""
    truth = case.truth
    windows = in_span(place(case.journal, truth), truth)
    return [
        Curve(point.name, point.kind, [_window(one, number) for one in windows], truth.polls[number])
        for number, point in enumerate(points, 1)
    ]


def charts(axis: Axis, shown: Sequence[Curve], troubles: Sequence[Trouble]) -> Markup:
    """All points, one below the other."""
    hovers = sum(len(curve.windows) for curve in shown) <= HOVERS_MAX
    return tag("div", axis.ticks(), *(_chart(axis, curve, troubles, hovers=hovers) for curve in shown), class_="lanes")


def _chart(axis: Axis, curve: Curve, troubles: Sequence[Trouble], *, hovers: bool) -> Markup:
    powers = [poll.values["p_w"] for poll in curve.truth if "p_w" in poll.values]
    edges = [value for _from, _to, found in curve.windows if found for value in found]
    low, high = min([0, *powers, *edges]), max([1, *powers, *edges])
    scale = HEIGHT / (1.06 * (high - low))

    def y(power_w: float) -> float:
        return round(HEIGHT - (power_w - low) * scale, 1)

    shades = [_rect(axis, one.from_ms, one.to_ms, "shade") for one in troubles]
    gaps = [_rect(axis, from_ms, to_ms, "hole") for from_ms, to_ms, found in curve.windows if found is None]
    bands = [
        _rect(axis, from_ms, to_ms, "band", y(found[2]), y(found[0]))
        for from_ms, to_ms, found in curve.windows
        if found
    ]
    drawn = [
        tag("path", class_="arrived", d=_path(axis, _steps(curve), y)),
        tag("path", class_="truth", d=_path(axis, _thinned(axis, curve.truth), y)),
    ]
    told = [_hover(axis, one) for one in curve.windows] if hovers else []
    box = f"0 0 1000 {HEIGHT}"
    svg = tag("svg", *shades, *gaps, *bands, *drawn, *told, viewBox=box, preserveAspectRatio="none", aria_hidden="true")
    kind = both(*words.KIND.get(curve.kind, (curve.kind, curve.kind)))
    range_kw = f"{low / 1000:.4g} - {high / 1000:.4g} kW"
    name = tag("div", tag("b", curve.name), tag("small", kind), tag("small", range_kw), class_="name")
    label = f"{curve.name}: {range_kw}"
    return tag(
        "div",
        name,
        tag("div", svg, class_="track chart", role="img", aria_label=label),
        class_=f"lane {curve.kind}",
    )


def _rect(
    axis: Axis, from_ms: int, to_ms: int, kind: str, top: float = 0, bottom: float = HEIGHT, about: Markup | None = None
) -> Markup:
    left, right = 10 * axis.share(from_ms), 10 * axis.share(to_ms)
    size = {"width": f"{right - left:.4g}", "height": f"{bottom - top:.4g}"}
    return tag("rect", about, class_=kind, x=f"{left:g}", y=f"{top:g}", **size)


def _hover(axis: Axis, window: tuple[int, int, tuple[int, int, int] | None]) -> Markup:
    from_ms, to_ms, found = window
    values = "no reading / 无读数"
    if found:
        values = f"{found[1] / 1000:.3f} kW ({found[0] / 1000:.3f} - {found[2] / 1000:.3f})"
    about = tag("title", f"{axis.shown(from_ms)} - {axis.shown(to_ms)}: {values}")
    return _rect(axis, from_ms, to_ms, "hover", about=about)


def _path(axis: Axis, runs: Iterator[list[tuple[int, float]]], y: Callable[[float], float]) -> str:
    """Runs of (instant, W) as lines."""
    return "".join(
        ("M" if number == 0 else "L") + f"{10 * axis.share(t_ms):.1f} {y(power_w):g}"
        for run in runs
        for number, (t_ms, power_w) in enumerate(run)
    )


def _steps(curve: Curve) -> Iterator[list[tuple[int, float]]]:
    """Means, as steps; a gap stays one."""
    run: list[tuple[int, float]] = []
    for from_ms, to_ms, found in curve.windows:
        if found is None or (run and run[-1][0] != from_ms):
            yield run
            run = []
        if found is not None:
            run += [(from_ms, found[1]), (to_ms, found[1])]
    yield run


def _thinned(axis: Axis, polls: Sequence[Poll]) -> Iterator[list[tuple[int, float]]]:
    """What the meter showed, broken where it showed nothing; of each column of the chart the least and the most."""
    width_ms = max(1, (axis.to_ms - axis.from_ms) // COLUMNS)
    run: list[tuple[int, float]] = []
    column: list[tuple[int, float]] = []
    for poll in polls:
        if "p_w" not in poll.values or not axis.from_ms <= poll.t_ms <= axis.to_ms:
            continue
        if column and (poll.t_ms // width_ms != column[0][0] // width_ms or poll.t_ms - column[-1][0] > HOLE_MS):
            run += _ends(column)
            if poll.t_ms - column[-1][0] > HOLE_MS:
                yield run
                run = []
            column = []
        column.append((poll.t_ms, poll.values["p_w"]))
    yield run + _ends(column)


def _ends(column: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The least and the most, in order of time."""
    if not column:
        return []
    least, most = min(column, key=lambda one: one[1]), max(column, key=lambda one: one[1])
    return [least] if least == most else sorted([least, most])


def _window(one: Placed, point: int) -> tuple[int, int, tuple[int, int, int] | None]:
    """(start, end, (least, mean, most) or None) of one point in one window."""
    readings = one.window.readings
    slot = readings[point - 1] if point <= len(readings) else None
    if not isinstance(slot, Reading) or slot.p_mean_w is None:
        return one.from_ms, one.to_ms, None
    return one.from_ms, one.to_ms, (slot.p_min_w, slot.p_mean_w, slot.p_max_w)
