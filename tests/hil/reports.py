"""A run's report, made up."""

from hil.oracle.evidence import Count, Finding, Tally
from hil.report import result

REPORT = result.Report(
    scenario="day",
    seed=1,
    target="unix",
    windows=Count(closed=96, journalled=95, lost=1),
    readings=380,
    frames=result.Frames(sent=90, accepted=88, repeated=2, refused=0),
    sinks={"platform": Tally(delivered=95)},
    verdict="fail",
    findings=[Finding(1, "window_lost", "1 windows lost from 09:00 to 09:15", "broker_outage")],
    factor=600,
    virtual_hours=24,
    real_s=148.2,
    drained=False,
    faults=["broker_outage 09:00 2 h"],
)
