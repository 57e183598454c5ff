"""Writes what a run leaves into its folder. One public entry: `write_all`."""

from dataclasses import replace
from pathlib import Path

from hil.report import result
from hil.report.axis import Axis
from hil.report.charts import curves
from hil.report.junit import junit
from hil.report.page import Seen, page
from hil.report.picture import draw
from hil.runner import Outcome
from hil.scenario import Scenario

PAGE, PICTURE, JSON, JUNIT = "report.html", "day.png", "report.json", "junit.xml"


def write_all(scenario: Scenario, outcome: Outcome, folder: Path, again: str) -> None:
    """The page, the picture, and the report for machines in two forms. again: the command that plays it again."""
    terminals = zip(scenario.terminals, outcome.cases, strict=True)
    shown = [
        replace(curve, name=f"{curve.name} ({one.name})") if len(outcome.cases) > 1 else curve
        for one, case in terminals
        for curve in curves(scenario.points_of(one), case)
    ]
    axis = Axis(scenario.start_ms, scenario.end_ms, scenario.zone)
    title = (scenario.title, scenario.title_zh)
    troubles = outcome.cases[0].truth.troubles
    seen = Seen(outcome.report, title, axis, troubles, outcome.stories, shown, again, folder)
    (folder / PAGE).write_text(page(seen), encoding="utf-8", errors="replace")
    (folder / JUNIT).write_bytes(junit(outcome.report))
    draw(shown, troubles, axis, folder / PICTURE)
    result.write(outcome.report, folder / JSON)
