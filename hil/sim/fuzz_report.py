"""A seed's run as the report that people look at (hil/report)."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hil.oracle import judge_all
from hil.oracle.evidence import Finding
from hil.oracle.evidence import Trouble as Told
from hil.report.files import PAGE, write_all
from hil.runner import evidence, outcome_of
from hil.sim import fuzz, plan
from hil.sim.target import Sim


def report_into(folder: Path, again: str) -> fuzz.Seen:
    """Writes the report of a run that fuzz.run shows. again: the command that plays it again."""
    began = time.monotonic()

    def seen(target: Sim, troubles: Sequence[plan.Trouble], findings: list[Finding]) -> None:
        cases = evidence(target)
        start_ms = target.scenario.start_ms
        told = [Told(one.what, start_ms + one.from_ms, start_ms + one.to_ms) for one in troubles]
        cases = [replace(case, truth=replace(case.truth, troubles=told)) for case in cases]
        verdict = judge_all(cases)
        verdict.findings = findings
        outcome = outcome_of(target, cases, verdict, time.monotonic() - began, drained=not findings)
        folder.mkdir(parents=True, exist_ok=True)
        write_all(target.scenario, outcome, folder, again)

    return seen


def write_again(seed: int, folder: Path, again: str) -> Path:
    """Play a seed that failed once more, to write its report; returns the page's path."""
    fuzz.run(seed, seen=report_into(folder, again))
    return folder / PAGE
