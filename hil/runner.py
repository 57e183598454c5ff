"""Plays a scenario from start to end in scaled real time, then lets the oracle judge. One public entry: `run`."""

import time
from collections.abc import Callable
from pathlib import Path

from hil import faults, wiring
from hil.bench import Bench
from hil.oracle import judge
from hil.oracle.evidence import Finding, Journal, Sink, Truth, Verdict
from hil.oracle.sources import read_journal, read_polls, read_uploads, read_writes
from hil.report import Frames, Report, verdict_word
from hil.scenario import Scenario
from protocol import mac

TICK_S = 0.1
DRAIN_S = 30.0  # real; what was stored in two hours comes in one or two seconds
DRAIN_LOOK_S = 0.5
# by how much the instants of two processes may differ: scheduling and a request's way on a machine with two busy cores
TOLERANCE_REAL_MS = 60
BOOT_REAL_MS = 700  # from a terminal's start to its first sample, on the same machine
_ARRIVING = {"window_lost", "forward_lost", "record_lost"}  # what more time may still mend

Watch = Callable[[float, str], None]  # share of the scenario done, what happens


class Outcome:
    """What a run leaves: the report, and the evidence that it was judged by (for the picture)."""

    def __init__(self, report: Report, truth: Truth, journal: Journal) -> None:
        self.report = report
        self.truth = truth
        self.journal = journal


def run(scenario: Scenario, folder: Path, watch: Watch) -> Outcome:
    """Play the scenario in `folder` (made anew). Raises BenchError where the bench itself fails."""
    began = time.monotonic()
    with Bench(scenario, folder) as bench:
        watch(0.0, "starting / 启动")
        bench.bring_up(faults.absent(scenario))
        crashes = _play(bench, watch)
        drained = _drain(bench, watch)
        bench.end()
        truth, journal, sinks = _evidence(bench)
        verdict = judge(truth, journal, sinks)
        verdict.findings += [Finding(6, "crash", text) for text in crashes]
        verdict.findings += [Finding(4, "meter_written", text) for text in read_writes(bench.meters.log)]
        report = _report(bench, verdict, time.monotonic() - began, drained=drained)
    return Outcome(report, truth, journal)


def _play(bench: Bench, watch: Watch) -> list[str]:
    """Virtual time from start to end, with everything that the scenario does; returns the crashes seen."""
    scenario, clock = bench.scenario, bench.clock
    plan = faults.actions(scenario)
    crashes = []
    while (now_ms := clock.now_ms()) < scenario.end_ms:
        text = ""
        while plan and plan[0].at_ms <= now_ms:
            action = plan.pop(0)
            action.act(bench)
            text = action.text
        crash = bench.terminal.keep_alive()
        if crash:
            crashes.append(crash)
        watch(max(0.0, (now_ms - scenario.start_ms) / (scenario.end_ms - scenario.start_ms)), text)
        next_ms = min([scenario.end_ms, *(action.at_ms for action in plan[:1])])
        time.sleep(max(0.0, min(TICK_S, clock.real_s_until(next_ms))))
    for action in plan:  # what ends with the scenario
        action.act(bench)
    return crashes


def _drain(bench: Bench, watch: Watch) -> bool:
    """Wait until all that was closed has arrived everywhere; False if that took longer than DRAIN_S."""
    deadline = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline:
        watch(1.0, "waiting for the backlog / 等待补传")
        time.sleep(DRAIN_LOOK_S)  # first: the last window has just closed
        verdict = judge(*_evidence(bench))
        if not any(finding.code in _ARRIVING for finding in verdict.findings):
            return True
    return False


def _evidence(bench: Bench) -> tuple[Truth, Journal, dict[str, Sink]]:
    """What there is to judge by, now."""
    scenario = bench.scenario
    polls = read_polls(bench.meters.log)
    truth = Truth(
        scenario.start_ms,
        scenario.end_ms,
        scenario.sample_interval_s * 1000,
        bench.terminal.lives,
        {number: polls.get((point.address, point.circuit), []) for number, point in enumerate(scenario.points, 1)},
        faults.troubles(scenario),
        tolerance_ms=TOLERANCE_REAL_MS * scenario.factor,
        boot_ms=BOOT_REAL_MS * scenario.factor,
        thresholds_w={number: wiring.threshold_w(point) for number, point in enumerate(scenario.points, 1)},
    )
    keys = {wiring.GENERATION: mac.Key(wiring.secret(scenario.seed), wiring.GENERATION)}
    journal = read_journal(bench.gateway.data / "journal.sqlite3", wiring.TERMINAL, keys)
    uploads = read_uploads(bench.platform.journal, scenario.zone)
    return truth, journal, {wiring.SINK: Sink(uploads, wiring.platform_items(scenario.points))}


def _report(bench: Bench, verdict: Verdict, real_s: float, *, drained: bool) -> Report:
    scenario, counters = bench.scenario, bench.gateway.counters()
    return Report(
        scenario=scenario.name,
        seed=scenario.seed,
        target=scenario.target,
        windows=verdict.windows,
        readings=verdict.readings,
        frames=Frames(
            bench.broker.published(),
            counters.get("frames_accepted", 0),
            counters.get("frames_repeated", 0),
            bench.gateway.quarantined(),
        ),
        sinks=verdict.sinks,
        verdict=verdict_word(verdict),
        findings=verdict.findings,
        factor=scenario.factor,
        virtual_hours=scenario.hours,
        real_s=round(real_s, 1),
        drained=drained,
        faults=[f"{fault.what} {fault.at} {fault.lasts}" for fault in scenario.faults],
    )
