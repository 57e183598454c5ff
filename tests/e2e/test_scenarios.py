"""Every scenario of the bench, on real parts: the oracle finds nothing to object to."""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hil import runner, scenario
from hil.meter_capture import told
from hil.oracle.evidence import Tally
from hil.report.result import Report

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
# the day is `make demo`; what is for the simulation takes too long here
SHORT = sorted(name for name in set(scenario.names()) - {"day"} if scenario.load(name).target == "unix")

AT_ONCE = 2  # a scenario on real parts needs a fifth of a core, and waits
TIMEOUT_S = 600.0  # several of them after each other
# how often something was sent, what a start still saw of its window: a matter of time; the trace is all about it
OF_TIMING = {"target", "versions", "factor", "real_s", "trace", "frames", "late", "measurements", "readings"}


def play(name: str, folder: Path, target: str) -> tuple[Report, str]:
    """The report, and what a failure should show."""
    said: list[str] = []
    chosen = msgspec.structs.replace(scenario.load(name), target=target)
    report = runner.run(chosen, folder, lambda _share, text: said.append(text)).report
    told = (
        f"{name} on {target}: {report.windows}, {report.frames}, {report.real_s} s; {[text for text in said if text]}"
    )
    return report, told


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    """What `play` says of each scenario that is asked for, and its folder, on real parts: these mostly wait."""
    wanted = [item.callspec.params["name"] for item in request.session.items if item.fspath == request.path]  # type: ignore[attr-defined]
    # not "fork": a lock that another thread of the tests holds would stay held in the child
    workers = ProcessPoolExecutor(AT_ONCE, get_context("forkserver"))
    yield {name: workers.submit(play, name, tmp_path_factory.getbasetemp() / name, "unix") for name in wanted}
    workers.shutdown(wait=False, cancel_futures=True)  # one that hangs is a failure of its test already


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_doubled_or_invented(
    name: str, real: dict[str, Future[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """P-50, P-121, P-170: broker away for 2 hours, gateway killed in mid-burst, terminal killed in mid-window, platform
    silent for an hour, and nothing there at the start. The simulation says the same of it. S-18: nothing
    but plain reads goes out on the meters' bus. P-278: nor does a release that comes over the air cost anything; P-277:
    one that hears no ack goes back by itself, and its rollout halts.
    """
    folder = tmp_path_factory.getbasetemp() / name
    report, told_of = real[name].result(TIMEOUT_S)
    print(told_of)
    assert [(one.code, one.text, one.cause) for one in report.findings] == []
    assert report.verdict == "pass"
    assert report.drained
    assert (report.windows.lost, report.windows.duplicated, report.windows.invented) == (0, 0, 0)
    assert report.windows.journalled == report.windows.closed > 0
    assert report.sinks == {"platform": Tally(delivered=report.windows.closed)}
    assert report.frames.refused == 0
    assert report.frames.accepted > 0
    captures = list((folder / "terminals").glob("*/meters/bus.jsonl"))
    assert len(captures) == len(report.terminals)
    assert [row.problem for capture in captures for row in told(capture) if row.problem] == []
    in_simulation, told_of = play(name, folder / "sim", "sim")
    print(told_of)
    assert comparable(in_simulation) == comparable(report)
    # without the time windows begin with the terminal's start, and one more may lie in the scenario
    chosen = scenario.load(name)
    more = 1 if chosen.rtc == "none" else 0
    # a start at a window's end costs that one: into a release and back
    more += 2 * len(chosen.updates) * len(chosen.terminals)
    assert abs(in_simulation.windows.closed - report.windows.closed) <= more


def comparable(report: Report) -> dict[str, object]:
    """All of a report but what is a matter of time or target; of windows and deliveries what is wrong with them."""
    found = {key: value for key, value in msgspec.to_builtins(report).items() if key not in OF_TIMING}
    missing = report.windows.closed - report.windows.journalled
    undelivered = report.windows.closed - report.sinks["platform"].delivered
    windows = [found["windows"], *(terminal["windows"] for terminal in found["terminals"])]
    for counts in (*windows, *found["sinks"].values()):
        for name in ("closed", "journalled", "delivered"):
            counts.pop(name, None)
    return {**found, "refused": report.frames.refused, "missing": missing, "undelivered": undelivered}
