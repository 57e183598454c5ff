"""The oracle: knows what the meters showed and when the terminal lived, and says what journal and platform have of it.

It shares nothing with the gateway but the protocol's Python codec.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hil.oracle.evidence import Case, Finding, Journal, Sink, Tally, Truth, Verdict
from hil.oracle.readings import check_readings
from hil.oracle.sinks import check_sink
from hil.oracle.windows import check_windows, in_span, place
from protocol.record import Reading


def judge(truth: Truth, journal: Journal, sinks: Mapping[str, Sink]) -> Verdict:
    """The verdict over one terminal's run: windows, readings and sinks, with a finding for whatever must not be."""
    verdict = Verdict()
    placed = place(journal, truth)
    verdict.windows, findings = check_windows(journal, placed, truth)
    verdict.findings += findings
    verdict.findings += [Finding(4, "frame_forged", text) for text in journal.forged]
    if journal.unreadable:
        verdict.findings.append(Finding(1, "journal_unreadable", journal.unreadable))
    verdict.findings += check_readings(placed, truth)
    spanned = in_span(placed, truth)
    verdict.readings = sum(isinstance(slot, Reading) for one in spanned for slot in one.window.readings)
    for name, sink in sinks.items():
        verdict.sinks[name], findings = check_sink(name, sink, spanned, truth)
        verdict.findings += findings
    return verdict


def judge_all(cases: Sequence[Case]) -> Verdict:
    """The verdict over a run: the terminals' sums. Where there are several, each finding names its terminal."""
    total = Verdict()
    for case in cases:
        one = judge(case.truth, case.journal, case.sinks)
        total.terminals[case.terminal] = one.windows
        total.windows.add(one.windows)
        total.readings += one.readings
        for name, tally in one.sinks.items():
            total.sinks.setdefault(name, Tally()).add(tally)
        whose = f"{case.terminal}: " if len(cases) > 1 else ""
        total.findings += [
            replace(finding, text=whose + finding.text, terminal=case.terminal) for finding in one.findings
        ]
    return total
