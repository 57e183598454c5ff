"""One run of the whole chain with the stand's values. One public entry: `measure`."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal, NamedTuple

from gateway.export.export import export
from gateway.export.rows import rows as export_rows
from gateway.journal.spans import Spans
from hil import runner
from hil.accuracy import points
from hil.accuracy.check import Exported, Meter, Row, rows
from hil.meter import read_profile
from hil.meter_bus import meters_json
from hil.meter_stand import stand_of
from hil.meter_types import places
from hil.oracle.evidence import Finding
from hil.process import BenchError
from hil.scenario import Point, Scenario

START = datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=8)))  # the platform counts in this zone
EXPORT = "export.csv"
INTERVAL_S = 150  # six samples a window: what is set stands still in it
UNIX_FACTOR = 900


class Measured(NamedTuple):
    """What came of each quantity; and what the oracle objects to in the run that gave it."""

    rows: list[Row]
    findings: Sequence[Finding]

    @property
    def held(self) -> bool:
        """Whether all is within its limit, and nothing is wrong with the run."""
        return not self.findings and all(row.held for row in self.rows)


def measure(profiles: Sequence[str], target: Literal["sim", "unix"], folder: Path, watch: runner.Watch) -> Measured:
    """What came of each quantity of meters of these profiles. Raises BenchError where not every window came."""
    played = scenario_of(profiles, target)
    outcome = runner.run(played, folder, watch)
    exported = _export(played, folder)
    if [len(windows) for windows in exported.values()] != len(profiles) * [points.windows()]:
        first = outcome.report.findings[0].text if outcome.report.findings else ""
        raise BenchError(f"windows are missing from the export / 导出缺少窗口: {first}")
    found = []
    (terminal,), (case,) = played.terminals, outcome.cases
    meters = meters_json(played, terminal, "")["meters"]
    for number, (point, meter) in enumerate(zip(played.points, meters, strict=True), 1):
        stand = stand_of(meter["load"], meter["start_import_wh"])
        read = places(read_profile(point.profile), "quantities", (point.ct_ratio, 1))
        at_stand = Meter(point.profile, [one for one in read if one.circuit == 1], stand)
        found += rows(at_stand, case.truth.polls[number], exported[number], 1000 * played.sample_interval_s)
    return Measured(found, outcome.report.findings)


def scenario_of(profiles: Sequence[str], target: Literal["sim", "unix"]) -> Scenario:
    """A meter of each profile, on one bus, at the stand."""
    return Scenario(
        name="accuracy",
        title="Known registers through the whole chain",
        title_zh="已知寄存器贯穿全链路",
        start=START,
        hours=points.windows() // 4,
        factor=UNIX_FACTOR,
        points=[_point(name, number) for number, name in enumerate(profiles, 1)],
        target=target,
        sample_interval_s=INTERVAL_S,
    )


def _point(profile: str, number: int) -> Point:
    content = read_profile(profile)
    ct_ratio = 1 if content["ratios_applied"] else points.CT_RATIO
    return Point(
        name=f"meter_{number}",
        kind="other",
        profile=profile,
        address=f"{number:012d}" if content["protocol"] == "dlt645" else number,
        rated_w=content["power_max_w"] * ct_ratio,
        ct_ratio=ct_ratio,
        steps=list(points.steps(content, ct_ratio)),
    )


def _export(played: Scenario, folder: Path) -> dict[int, list[Exported]]:
    """What `wattline gateway export` makes of the run's journal, by point, in order of time."""
    spans = Spans(folder / "gateway" / "data")
    try:
        from_s, to_s = played.start_ms // 1000, played.end_ms // 1000
        export(export_rows(spans, [played.terminals[0].id], from_s, to_s), "csv", folder / EXPORT)
    finally:
        spans.close()
    found = defaultdict(list)
    with (folder / EXPORT).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[int(row["point"])].append(Exported(1000 * int(row["start_unix_s"]), row))
    return {point: sorted(windows, key=lambda one: one.start_ms) for point, windows in found.items()}
