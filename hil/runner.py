"""Plays a scenario from start to end on its target, then lets the oracle judge. One public entry: `run`."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hil import faults, versions, wiring
from hil.expectations import Expected, Seen, excused, held_against
from hil.oracle import judge_all
from hil.oracle.evidence import Case, Finding, Sink, Truth, Verdict
from hil.oracle.namesakes import made_by, told_of
from hil.oracle.nobody import check_nobody, check_refused
from hil.oracle.sources import (
    frames_of_others,
    polls_of,
    read_journal,
    read_uploads,
    unanswered_of,
    uploads_of_others,
    writes_of,
)
from hil.oracle.windows import spanned
from hil.report import measures
from hil.report.firmware import versions_of
from hil.report.result import Frames, Report, TerminalWindows, verdict_word
from hil.report.stories import Story, tell
from hil.scenario import Scenario, Terminal
from hil.target import StoppedError, Target
from hil.targets import open_target

# real: what a machine with six programs a core may take away from a round of all meters, which is scaled
BUSY_MS = 5_000
_ARRIVING = {"window_lost", "forward_lost", "record_lost"}  # what more time may still mend

Watch = Callable[[float, str], None]  # share of the scenario done, what happens
Look = Callable[[Target], None]  # at the parts, once a tick


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: the report, the evidence that it was judged by, a case for each terminal, and each window's
    story.
    """

    report: Report
    cases: Sequence[Case]
    stories: Sequence[Story]


def run(scenario: Scenario, folder: Path, watch: Watch, look: Look = lambda _target: None) -> Outcome:
    """Play the scenario in `folder` (made anew). Raises BenchError where the bench itself fails."""
    began = time.monotonic()
    with open_target(scenario, folder) as target:
        watch(0.0, "starting / 启动")
        target.bring_up(faults.absent(scenario))
        crashes: list[str] = []
        drained, stopped = False, None
        try:
            _play(target, watch, look, crashes)
            drained = _drain(target, watch, crashes)
            target.end()
        except StoppedError as error:
            stopped = error.finding
        cases = evidence(target)
        verdict = judge_all(cases)
        if stopped is not None:  # all else follows from that
            verdict.findings = [stopped]
        verdict.findings += [Finding(6, "crash", text) for text in crashes]
        judge_run(target, verdict, faults.refusals(scenario))
        return outcome_of(target, cases, verdict, time.monotonic() - began, drained=drained)


def outcome_of(target: Target, cases: Sequence[Case], verdict: Verdict, real_s: float, *, drained: bool) -> Outcome:
    """What a run that was judged so leaves; what its scenario expects is held against what was seen."""
    scenario = target.scenario
    journals = [case.journal for case in cases]
    seen = Seen(
        verdict.findings, target.gateway.quarantined(), journals, target.gateway.counters(), target.gateway.rollouts()
    )
    expected, verdict.findings = held_against(scenario.expect, seen, scenario.span_ms)
    told = [(case.truth, tell(case, seen.findings, measures.late_ms(target.factor))) for case in cases]
    stories = [story for _truth, own in told for story in own]
    firmware = {case.terminal: versions_of(case.journal) for case in cases}
    report = _report(target, verdict, expected, real_s, drained=drained, firmware=firmware)
    report.frames.sent += sum(case.journal.frames for case in cases if case.terminal in scenario.mailboxes)
    report.late = sum(story.state == "late" for story in stories)
    report.measurements = measures.take_all(told, target.factor)
    return Outcome(report, cases, stories)


def _play(target: Target, watch: Watch, look: Look, crashes: list[str]) -> None:
    """Virtual time from start to end, with everything that the scenario does; the crashes seen are added."""
    scenario = target.scenario
    plan = faults.actions(scenario)
    while (now_ms := target.now_ms()) < scenario.end_ms:
        text = ""
        while plan and plan[0].at_ms <= now_ms:
            action = plan.pop(0)
            action.act(target)
            text = action.text
        watch(max(0.0, (now_ms - scenario.start_ms) / (scenario.end_ms - scenario.start_ms)), text)
        look(target)
        next_ms = min([scenario.end_ms, *(action.at_ms for action in plan[:1])])
        crashes += target.advance(min(next_ms, now_ms + target.tick_ms))
    for action in plan:  # what ends with the scenario
        action.act(target)


def _drain(target: Target, watch: Watch, crashes: list[str]) -> bool:
    """Wait until all that was closed has arrived everywhere; False if that took longer than the target's drain_ms."""
    until_ms = target.now_ms() + target.drain_ms
    scenario = target.scenario
    while (now_ms := target.now_ms()) < until_ms:
        watch(1.0, "waiting for the backlog / 等待补传")
        while target.now_ms() < now_ms + target.look_ms:  # first: the last window has just closed
            crashes += target.advance(now_ms + target.look_ms)
        found = judge_all(evidence(target)).findings
        gone = excused(scenario.expect, found, scenario.span_ms)
        if not any(finding.code in _ARRIVING and finding not in gone for finding in found):
            return True
    return False


def evidence(target: Target) -> list[Case]:
    """What there is to judge by, now: a case for each terminal."""
    cases = [_case(target, terminal) for terminal in target.scenario.terminals]
    return [_without_namesakes(case, target.scenario, cases) for case in cases]


def _without_namesakes(case: Case, scenario: Scenario, cases: Sequence[Case]) -> Case:
    """Without what platforms were told of other terminals of the same name."""
    ids = {one.name: one.id for one in scenario.terminals}
    others = [
        window
        for other in cases
        if ids[other.terminal] == ids[case.terminal] and other is not case
        for window in spanned(other.journal, other.truth)
    ]
    if not others:
        return case
    own = spanned(case.journal, case.truth)
    return replace(case, sinks={name: told_of(sink, own, others) for name, sink in case.sinks.items()})


def judge_run(target: Target, verdict: Verdict, refusals: Collection[str] | None) -> None:
    """Add what is no terminal's: requests that would have changed a meter, what is under names that nobody has, and
    what was refused for another reason than `refusals` (None: any may be).
    """
    scenario = target.scenario
    frames = frames_of_others(target.journal_file, {one.id for one in scenario.terminals})
    uploads = uploads_of_others(target.uploads_file, {wiring.mn(scenario, one) for one in scenario.terminals})
    written = [text for one in target.terminals.values() for text in writes_of(one.served())]
    verdict.windows.invented += frames.total()
    verdict.findings += [Finding(4, "meter_written", text) for text in written]
    verdict.findings += check_nobody(frames, uploads)
    verdict.findings += check_refused(target.gateway.quarantined(), refusals)


def _case(target: Target, terminal: Terminal) -> Case:
    scenario, part = target.scenario, target.terminals[terminal.name]
    points = scenario.points_of(terminal)
    polls, unanswered = polls_of(part.served()), unanswered_of(part.served())
    truth = Truth(
        scenario.start_ms,
        scenario.end_ms,
        scenario.sample_interval_s * 1000,
        part.lives,
        {number: polls.get((point.address, point.circuit), []) for number, point in enumerate(points, 1)},
        faults.troubles(scenario),
        tolerance_ms=target.tolerance_ms,
        lag_ms=target.lag_ms,
        boot_ms=target.boot_ms,
        thresholds_w={number: wiring.threshold_w(point) for number, point in enumerate(points, 1)},
        is_misled=target.is_misled,
        busy_ms=BUSY_MS * target.factor if target.factor > 1 else 0,
        unanswered={number: unanswered.get(point.address, []) for number, point in enumerate(points, 1)},
    )
    journal = read_journal(target.journal_file, terminal.id, wiring.keys(scenario.seed, terminal.id))
    namesakes = [one for one in scenario.terminals if one.id == terminal.id and one != terminal]
    others = [life for one in namesakes for life in target.terminals[one.name].lives]
    journal = made_by(journal, part.lives, others)
    uploads = read_uploads(target.uploads_file, wiring.mn(scenario, terminal), scenario.zone, target.uploaded_ms)
    sink = Sink(uploads, wiring.platform_items(points))
    return Case(terminal.name, [point.name for point in points], truth, journal, {wiring.SINK: sink})


def _report(
    target: Target,
    verdict: Verdict,
    expected: list[Expected],
    real_s: float,
    *,
    drained: bool,
    firmware: Mapping[str, list[str]],
) -> Report:
    scenario, counters = target.scenario, target.gateway.counters()
    return Report(
        scenario=scenario.name,
        seed=scenario.seed,
        target=scenario.target,
        windows=verdict.windows,
        terminals=[
            TerminalWindows(one.name, one.uplink, verdict.terminals[one.name], firmware[one.name])
            for one in scenario.terminals
        ],
        readings=verdict.readings,
        frames=Frames(
            target.broker.published(),
            counters.get("frames_accepted", 0),
            counters.get("frames_repeated", 0),
            sum(target.gateway.quarantined().values()),
        ),
        sinks=verdict.sinks,
        verdict=verdict_word(verdict),
        findings=verdict.findings,
        factor=target.factor,
        virtual_hours=scenario.hours,
        real_s=round(real_s, 1),
        drained=drained,
        faults=[f"{fault.what} {fault.at} {fault.lasts}" for fault in scenario.faults],
        updates=[f"{one.release} {one.at}" for one in scenario.updates],
        expected=expected,
        trace=target.digest(),
        commit=versions.commit(),
        versions=target.versions(),
    )
