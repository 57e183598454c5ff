"""The two steps of a technician's work on the bus, as `commission` and the commands run them: scan, live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from terminal.bus import Line

from firmware.field.bus import order, scan, snapshot, words
from firmware.field.bus.points import Planned
from firmware.field.bus.reach import Address, Reach
from firmware.field.outcome import NO_ANSWER, Finding, Outcome, failed

_NO_METER = Finding(
    "no_meter",
    "no meter answered",
    "没有电表应答",
    "look at A and B, at the meters' supply, and that nothing else is on the bus",
    "检查 A、B 是否接反、电表是否供电、总线上是否有其他主机",
)


def expected(planned: Sequence[Planned]) -> list[tuple[Line, str, Address]]:
    """What a plan expects on the bus, as order.steps takes it; a meter of several circuits once."""
    return list(dict.fromkeys((one.meter.line, one.meter.profile.protocol_name, one.meter.address) for one in planned))


def run_scan(
    reach: Reach,
    planned: Sequence[Planned] = (),
    search: Sequence[order.Step] | None = None,
    tell: Callable[[scan.Progress], None] = lambda _: None,
) -> Outcome:
    """Search the bus; with a plan, until all of its meters were found. Passed: they are there, and no trouble.

    Raises ReachError.
    """
    wanted = {address for _, _, address in expected(planned)}

    def enough(result: scan.Scan) -> bool:
        return bool(wanted) and wanted <= {found.address for found in result.found}

    found = scan.scan(reach, order.steps(expected(planned)) if search is None else search, tell, enough)
    findings = [words.found(one) for one in found.found]
    findings += _against(planned, found)
    data = {
        "meters": [one.as_json() for one in found.found],
        "stopped": found.stopped,
        "asked": found.asked,
        "lines_not_possible": [list(line) for line in found.missing_lines],
    }
    if not found.found:
        return failed("scan", *findings, _NO_METER, bad_status=NO_ANSWER, **data)
    bad = any(finding.code != "meter" for finding in findings)
    return Outcome("scan", "failed" if bad else "passed", tuple(findings), data)


def run_find(reach: Reach, search: Sequence[order.Step], tell: Callable[[scan.Progress], None]) -> Outcome:
    """Ask DL/T 645 meters for their numbers (order.who_steps), until a speed had some. Raises ReachError."""
    found = scan.scan(reach, search, tell, lambda result: bool(result.found))
    findings = [words.found(one) for one in found.found]
    data = {"meters": [one.as_json() for one in found.found], "stopped": found.stopped}
    if not found.found:
        return failed("find-meter", _NO_METER, bad_status=NO_ANSWER, **data)
    bad = any(finding.code != "meter" for finding in findings)
    return Outcome("find-meter", "failed" if bad else "passed", tuple(findings), data)


def _against(planned: Sequence[Planned], found: scan.Scan) -> Iterator[Finding]:
    """What does not agree with the plan."""
    by_address = {(one.address, one.line): one for one in found.found}
    for one in planned:
        at = by_address.get((one.meter.address, one.meter.line))
        if at is None:
            yield words.missing(one)
        elif at.models and one.meter.profile.name not in [fit.name for fit in at.models]:
            yield words.other_model(one, at)


def run_live(
    reach: Reach,
    planned: Sequence[Planned],
    tell: Callable[[Planned, snapshot.Snapshot], None] = lambda *_: None,
    *,
    every_s: float = 0.0,
) -> Outcome:
    """Read every planned point once; every_s > 0: until Ctrl-C. Passed: each answered, in the last round.

    Raises ReachError.
    """
    last: dict[int, snapshot.Snapshot] = {}
    try:
        while True:
            began = time.monotonic()
            for one in planned:
                last[one.number] = snapshot.take(reach, one)
                tell(one, last[one.number])
            if not every_s:
                break
            time.sleep(max(0.0, began + every_s - time.monotonic()))
    except KeyboardInterrupt:
        pass  # that is how one ends it
    findings = [words.silent(one, last[one.number]) for one in planned if one.number in last and last[one.number].said]
    data = {"points": [taken.as_json() for taken in last.values()]}
    if not findings:
        return Outcome("live", "passed", (), data)
    all_silent = all(taken.said for taken in last.values())
    return Outcome("live", "failed", tuple(findings), data, NO_ANSWER if all_silent else 1)
