"""The two steps of a technician's work on the bus, as `commission` and the commands run them: scan, live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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


Search = Callable[[Sequence[Planned]], Sequence[order.Step]]  # of one bus, by what is planned on it


def usual(planned: Sequence[Planned]) -> Sequence[order.Step]:
    """The search of a whole bus."""
    return order.steps(expected(planned))


def run_scan(
    reach: Reach,
    planned: Sequence[Planned] = (),
    search: Search = usual,
    tell: Callable[[scan.Progress], None] = lambda _: None,
) -> Outcome:
    """Search the buses; with a plan, until all of its meters were found. Passed: they are there, and no trouble.

    Raises ReachError.
    """
    uarts: list[int | None] = [*sorted({one.uart for one in planned})] or [None]
    found: list[scan.Scan] = []
    findings: list[Finding] = []
    meters: list[dict[str, Any]] = []
    for uart in uarts:
        here = [one for one in planned if one.uart == uart]
        found.append(_scan(reach if uart is None else reach.at(uart), here, search(here), tell))
        of_bus = [*map(words.found, found[-1].found), *_against(here, found[-1])]
        findings += of_bus if len(uarts) == 1 else [words.on_bus(uart or 0, one) for one in of_bus]
        meters += [one.as_json() | ({} if uart is None else {"bus": uart}) for one in found[-1].found]
        if found[-1].stopped:
            break
    data = {
        "meters": meters,
        "stopped": found[-1].stopped,
        "asked": sum(one.asked for one in found),
        "lines_not_possible": [list(line) for one in found for line in one.missing_lines],
    }
    if not meters:
        return failed("scan", *findings, _NO_METER, bad_status=NO_ANSWER, **data)
    bad = any(finding.code != "meter" for finding in findings)
    return Outcome("scan", "failed" if bad else "passed", tuple(findings), data)


def _scan(
    reach: Reach, planned: Sequence[Planned], search: Sequence[order.Step], tell: Callable[[scan.Progress], None]
) -> scan.Scan:
    """One bus, until all that is planned on it was found."""
    wanted = {address for _, _, address in expected(planned)}

    def enough(result: scan.Scan) -> bool:
        return bool(wanted) and wanted <= {found.address for found in result.found}

    return scan.scan(reach, search, tell, enough)


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
