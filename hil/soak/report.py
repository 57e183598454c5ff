"""What a soak leaves: soak.json, a page of Markdown that can be kept, and a picture of what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: the bench has no display

import matplotlib.pyplot as plt
import msgspec

from hil.report.result import Report
from hil.scenario import Scenario
from hil.soak.growth import Grown, Sample
from hil.soak.watcher import Key

PASSES, FAILS, TOO_SHORT = "pass", "fail", "too short to judge"
JSON, PAGE, PICTURE = "soak.json", "soak.md", "soak.png"
_PANELS = (
    ("memory_mib", "memory, MiB"),
    ("descriptors", "open descriptors"),
    ("bytes_a_window", "journal, bytes a window"),
)


class Soaked(msgspec.Struct, frozen=True):
    """One soak. growth: see hil.soak.growth.

    verdict: PASSES where the oracle passes and nothing grows; TOO_SHORT where of something that can't be said.
    """

    verdict: str
    minutes: int
    again: str
    growth: list[Grown]
    report: Report


def soaked(report: Report, growth: Sequence[Grown], minutes: int) -> Soaked:
    """The soak's verdict."""
    verdict = PASSES if growth and all(one.is_bad is False for one in growth) else TOO_SHORT
    if report.verdict != PASSES or any(one.is_bad for one in growth):
        verdict = FAILS
    again = f"wattline hil soak --minutes {minutes} --seed {report.seed}"
    return Soaked(verdict, minutes, again, list(growth), report)


def unjudged(one: Soaked) -> str:
    """Of what nobody can say whether it grows, in words."""
    names = sorted({grown.name for grown in one.growth if grown.is_bad is None})
    return f"{', '.join(names) or 'nothing was looked at'}; use more --minutes / 请增加 --minutes"


def write(one: Soaked, scenario: Scenario, series: Mapping[Key, Sequence[Sample]], folder: Path) -> None:
    """All three, into a folder that is there."""
    (folder / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(one), indent=2) + b"\n")
    (folder / PAGE).write_text(page(one), encoding="utf-8")
    _draw(series, scenario, folder / PICTURE)


def page(one: Soaked) -> str:
    """For people. 供人阅读"""
    report, windows = one.report, one.report.windows
    rows = [
        ("verdict", f"**{one.verdict}**"),
        ("real time", f"{report.real_s / 60:.0f} min ({report.virtual_hours:g} h at x{report.factor})"),
        ("commit, seed", f"`{report.commit}`, {report.seed}"),
        ("faults", str(len(report.faults))),
        ("windows closed", f"{windows.closed:,}"),
        ("journalled", f"{windows.journalled:,}"),
        ("lost, doubled, invented", f"{windows.lost}, {windows.duplicated}, {windows.invented}"),
        ("late, not lost", f"{report.late:,}"),
        (
            "frames sent, accepted, repeated, refused",
            ", ".join(f"{n:,}" for n in msgspec.structs.astuple(report.frames)),
        ),
    ]
    rows += [(f"delivered to {name}", f"{tally.delivered:,}") for name, tally in report.sinks.items()]
    lines = ["| what | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    lines += [
        "| grown? | unit | samples | first third | last third | allowed on top | |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    lines += [_row(grown) for grown in one.growth]
    lines += ["", f"Again: `{one.again}`", "", "Faults, by their beginning:", ""]
    lines += [f"- {fault}" for fault in report.faults]
    lines += [f"- found: `{finding.code}` {finding.text}" for finding in report.findings]
    return "\n".join(lines) + "\n"


def _row(one: Grown) -> str:
    word = {None: TOO_SHORT, True: "**grows**", False: "no"}[one.is_bad]
    numbers = " | ".join(f"{value:,.1f}" for value in (one.first, one.last, one.allowed))
    return f"| {one.name} | {one.unit} | {one.samples} | {numbers} | {word} |"


def _draw(series: Mapping[Key, Sequence[Sample]], scenario: Scenario, file: Path) -> None:
    """A panel a unit; what goes wrong is shaded."""
    figure, panels = plt.subplots(len(_PANELS), 1, sharex=True, figsize=(12, 3 * len(_PANELS)))
    for axes, (unit, title) in zip(panels, _PANELS, strict=True):
        for (name, its), samples in sorted(series.items()):
            if its == unit:
                axes.plot([one.at_s / 60 for one in samples], [one.value for one in samples], label=name, linewidth=1.2)
        for fault in scenario.faults:
            begin, end = ((at_ms - scenario.start_ms) / 60_000 / scenario.factor for at_ms in scenario.span_ms(fault))
            axes.axvspan(begin, end, color="#e6d9f2", alpha=0.5, linewidth=0)
        axes.set_title(title, loc="left")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)  # beside, not over the curves
    panels[-1].set_xlabel("real minutes; shaded: a fault")
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)
