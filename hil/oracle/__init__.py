"""The oracle: knows what the meters showed and when the terminal lived, and says what journal and platform have of it.

It shares nothing with the gateway but the protocol's Python codec.
"""

from collections.abc import Mapping

from hil.oracle.evidence import Journal, Sink, Truth, Verdict
from hil.oracle.readings import check_readings
from hil.oracle.sinks import check_sink
from hil.oracle.windows import check_windows, in_span, place
from protocol.record import Reading


def judge(truth: Truth, journal: Journal, sinks: Mapping[str, Sink]) -> Verdict:
    """The verdict over one run: windows, readings and sinks, with a finding for whatever must not be."""
    verdict = Verdict()
    placed = place(journal, truth)
    verdict.windows, findings = check_windows(journal, placed, truth)
    verdict.findings += findings
    verdict.findings += check_readings(placed, truth)
    spanned = in_span(placed, truth)
    verdict.readings = sum(isinstance(slot, Reading) for one in spanned for slot in one.window.readings)
    for name, sink in sinks.items():
        verdict.sinks[name], findings = check_sink(name, sink, spanned, truth)
        verdict.findings += findings
    return verdict
