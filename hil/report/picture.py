"""The day as a picture: production against treatment power, as the journal has it, with what went wrong marked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: the bench has no display

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, HourLocator
from matplotlib.patches import Patch

from hil.oracle.evidence import Trouble
from hil.report.axis import Axis
from hil.report.charts import HOLE_MS, Curve

CJK_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Source Han Sans SC")
COLOURS = {
    "production": ("#1f5fa8", "#5aa0dc", "#0b2f5c", "#8c6bb1"),
    "treatment": ("#1f7a3d", "#7cb82f", "#0b4a2a", "#2aa198"),
    "other": ("#6b5b3e",),
}
WORDS = {
    "title": ("Production against treatment power", "产污与治污设施功率"),
    "production": ("production", "产污设施"),
    "treatment": ("treatment", "治污设施"),
    "other": ("other", "其他"),
    "truth": ("what the meters showed", "电表真实值"),
    "gap": ("meter silent: no reading, none invented", "电表无应答：无读数，不虚构"),
    "broker_outage": ("broker outage: stored, sent later", "代理中断：先存后传"),
    "treatment_off": ("treatment OFF while production runs", "生产运行而治污停运"),
    "treatment_off_idle": ("treatment off, production idle too", "治污停运，生产亦停"),
    "other_fault": ("other fault", "其他故障"),
    "power": ("kW", "kW"),
    "time": ("local time", "当地时间"),
}
SHADES = {"broker_outage": "#c9c9c9", "treatment_off": "#f2a6a0", "treatment_off_idle": "#f2a6a0", "other": "#e6d9f2"}


def draw(curves: Sequence[Curve], troubles: Sequence[Trouble], axis: Axis, file: Path) -> None:
    """Write the picture. One panel a kind, so that treatment can be held against production hour by hour."""
    words = _words()
    present = {curve.kind for curve in curves}
    kinds = [kind for kind in COLOURS if kind in present and kind != "other"] or ["other"]
    figure, panels = plt.subplots(len(kinds), 1, sharex=True, figsize=(13, 3.6 * len(kinds)), squeeze=False)
    shown: dict[str, Patch] = {}
    for kind, axes in zip(kinds, panels[:, 0], strict=True):
        _panel(axes, [curve for curve in curves if curve.kind == kind], words)
        axes.set_xlim(_at(axis.from_ms), _at(axis.to_ms))
        axes.set_title(words[kind], loc="left", color=COLOURS[kind][0], fontweight="bold")
        axes.set_ylabel(words["power"])
        shown |= _shade(axes, troubles, curves, words)
    bottom = panels[-1, 0]
    step = _hours_between_ticks(axis)
    hours, form = range(0, 24, step), "%H:%M" if step < 3 else "%m-%d\n%H:%M"
    bottom.xaxis.set_major_locator(HourLocator(byhour=hours, tz=axis.zone))  # type: ignore[no-untyped-call]
    bottom.xaxis.set_major_formatter(DateFormatter(form, tz=axis.zone))  # type: ignore[no-untyped-call]
    bottom.set_xlabel(words["time"])
    figure.suptitle(words["title"], fontsize=15, fontweight="bold")
    gap = Patch(facecolor="#fff3dd", edgecolor="#d98200", hatch="////", alpha=0.55, label=words["gap"])
    if any(window[2] is None for curve in curves for window in curve.windows):
        shown["gap"] = gap
    figure.legend(handles=list(shown.values()), loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _panel(axes: Axes, curves: Sequence[Curve], words: Mapping[str, str]) -> None:
    """The points of one kind: mean as steps, least to most as a band, the meters' truth as a thin line."""
    for number, curve in enumerate(curves):
        colours = COLOURS[curve.kind]
        base = colours[number % len(colours)]
        times, lows, means, highs = _steps(curve)
        axes.fill_between(times, lows, highs, step="post", color=base, alpha=0.13, linewidth=0)
        axes.step(times, means, where="post", color=base, linewidth=2, label=curve.name)
        axes.plot(*_truth(curve), color="#444444", linewidth=0.5, alpha=0.8, zorder=3)
        for start_ms, end_ms, powers in curve.windows:
            if powers is None:
                axes.axvspan(
                    _at(start_ms),
                    _at(end_ms),
                    facecolor="#fff3dd",
                    edgecolor="#d98200",
                    hatch="////",
                    lw=0,
                    alpha=0.55,
                    zorder=0,
                )
    axes.plot([], [], color="#444444", linewidth=0.5, label=words["truth"])
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]) if _flows_back(curves) else 0)
    axes.grid(visible=True, color="#e3e3e3", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _flows_back(curves: Sequence[Curve]) -> bool:
    """Whether some power was below nothing: transformers that are turned round, or a source behind the meter."""
    shown = (poll.values["p_w"] for curve in curves for poll in curve.truth if "p_w" in poll.values)
    told = (power for curve in curves for _from_ms, _to_ms, powers in curve.windows for power in powers or ())
    return min((*shown, *told), default=0) < 0


def _truth(curve: Curve) -> tuple[list[float], list[float]]:
    """What the meter showed, in kW, broken where it showed nothing."""
    times: list[float] = []
    powers: list[float] = []
    before_ms = 0
    for poll in curve.truth:
        if "p_w" not in poll.values:
            continue
        if poll.t_ms - before_ms > HOLE_MS:
            times.append(_at(poll.t_ms))
            powers.append(float("nan"))
        times.append(_at(poll.t_ms))
        powers.append(poll.values["p_w"] / 1000)
        before_ms = poll.t_ms
    return times, powers


def _steps(curve: Curve) -> tuple[list[float], list[float], list[float], list[float]]:
    """Times, least, mean and most in kW; NaN where there is no reading, so that a gap is drawn as one."""
    times, lows, means, highs = [], [], [], []
    for start_ms, end_ms, powers in curve.windows:
        low, mean, high = (value / 1000 for value in powers) if powers else (float("nan"),) * 3
        for t_ms in (start_ms, end_ms):
            times.append(_at(t_ms))
            lows.append(low)
            means.append(mean)
            highs.append(high)
    return times, lows, means, highs


def _shade(
    axes: Axes, troubles: Sequence[Trouble], curves: Sequence[Curve], words: Mapping[str, str]
) -> dict[str, Patch]:
    """Shade the troubles; returns the legend's entry for each kind."""
    shown = {}
    for trouble in troubles:
        if trouble.what.startswith("meter_silent"):
            continue  # drawn as what it makes: a gap
        kind = trouble.what if trouble.what in SHADES else "other"
        axes.axvspan(_at(trouble.from_ms), _at(trouble.to_ms), color=SHADES[kind], alpha=0.5, zorder=0, lw=0)
        if kind == "treatment_off" and not _production_runs(curves, trouble):
            kind = "treatment_off_idle"
        label = words[kind] if kind != "other" else f"{words['other_fault']}: {trouble.what}"
        shown[trouble.what] = Patch(color=SHADES[kind], alpha=0.5, label=label)
    return shown


def _production_runs(curves: Sequence[Curve], trouble: Trouble) -> bool:
    """Whether some production point worked in that time: above a tenth of the most that it drew."""
    for curve in curves:
        means = [(start_ms, powers[1]) for start_ms, _end_ms, powers in curve.windows if powers]
        most = max((mean for _start, mean in means), default=0)
        if curve.kind == "production" and any(
            trouble.from_ms <= start_ms < trouble.to_ms and mean > most / 10 for start_ms, mean in means
        ):
            return True
    return False


def _hours_between_ticks(axis: Axis) -> int:
    """So that there are at most about 16 ticks."""
    hours = (axis.to_ms - axis.from_ms) / 3_600_000
    return next(step for step in (1, 2, 3, 6, 12, 24) if hours / step <= 16 or step == 24)


def _words() -> dict[str, str]:
    """Labels in English, and in Chinese too where a font can show it."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    font = next((name for name in CJK_FONTS if name in installed), None)
    if font is None:
        return {key: english for key, (english, _chinese) in WORDS.items()}
    mpl.rcParams["font.sans-serif"] = [font, *mpl.rcParams["font.sans-serif"]]
    return {key: english if english == zh else f"{english} / {zh}" for key, (english, zh) in WORDS.items()}


def _at(t_ms: int) -> float:
    """An instant as matplotlib counts: days since 1970, UTC."""
    return t_ms / 86_400_000
