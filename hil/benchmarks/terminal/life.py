"""A life of the whole terminal on the VM, in scaled time: bytes on its link, CPU time, how even its sampling was."""

import re
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from hil import wiring
from hil.benchmarks.processes import cpu_s
from hil.lone_terminal import Parts, provisioned, scenario
from hil.oracle.sources import read_rows
from hil.process import BenchError
from hil.scenario import TERMINAL, WINDOW_S

LOOK_S = 0.1
END_S = 5.0  # from a kill until the link has said what it carried
BEHIND_S = 60.0  # real, for windows that close and are not in the journal
KEEPALIVE_S = 3600  # real time: no PINGREQ in a life; a day of them is computed
FLUSH_S = 0.5  # the meters' log is at most so old
HOURS_MAX = 25  # of any life: the meters' loads are made for so long
_PACKET = re.compile(rf"(?:Received|Sending) [A-Z]+ (?:from|to) {TERMINAL}\b")


class Way(NamedTuple):
    """How it lives. factor: times real time. weather: one of hil.weather.PROFILES."""

    factor: int
    sample_interval_s: int
    secure: bool
    backlog: int = 0  # windows that wait in its log
    weather: str = "lan"


class Lived(NamedTuple):
    """windows: that came into the journal. packets, link_bytes: both ways, of the connection to the broker; TLS's own
    bytes are counted, TCP's are not. cpu_s: of the VM. uneven_ms: real, by how much each period between two reads of
    the first meter was off the interval, as that meter saw it.
    """

    windows: int
    packets: int
    link_bytes: int
    cpu_s: float
    uneven_ms: list[float]


def live(way: Way, seconds: int) -> Lived:
    """Live so long, of its own time, and until all windows of it are in the journal, unless a backlog lies before them.

    Connecting belongs to the bytes and not to the CPU time. Raises BenchError.
    """
    times = wiring.Times(keepalive_s=KEEPALIVE_S)
    played = scenario(HOURS_MAX, way.factor, way.sample_interval_s)
    with (
        tempfile.TemporaryDirectory() as folder,
        provisioned(Path(folder), played, way.backlog, secure=way.secure, times=times) as one,
    ):
        one.link.set(profile=way.weather)
        one.broker.start()
        one.gateway.start()
        one.gateway.wait_until_ready()
        one.clock.sleep_until(played.start_ms)  # windows are whole then
        one.terminal.start()
        one.terminal.process.wait_for_line("uplink: connected", BEHIND_S)
        before_s, begun_ms = cpu_s(one.terminal.process.pid), one.clock.now_ms()
        _wait(one, begun_ms + 1000 * seconds, 0 if way.backlog else seconds // WINDOW_S)
        spent_s, came = cpu_s(one.terminal.process.pid) - before_s, one.gateway.windows()
        time.sleep(FLUSH_S)
        one.terminal.kill()
        packets = len(_PACKET.findall(one.broker.process.text()))
        return Lived(came, packets, _carried(one), spent_s, _uneven_ms(one, way))


def live_at_once(ways: Sequence[Way], seconds: int) -> list[Lived]:
    """Several lives, each in a process of its own. Raises BenchError."""
    with ProcessPoolExecutor(len(ways)) as processes:
        return list(processes.map(live, ways, [seconds] * len(ways)))


def _wait(one: Parts, end_ms: int, windows: int) -> None:
    """Until the virtual instant, and until so many windows are in the journal. Raises BenchError."""
    until_s = time.monotonic() + one.clock.real_s_until(end_ms) + BEHIND_S
    while one.clock.now_ms() < end_ms or one.gateway.windows() < windows:
        if not one.terminal.process.running:
            raise BenchError(f"the terminal ended / 终端已退出: {one.terminal.process.tail()}")
        if time.monotonic() > until_s:
            raise BenchError(f"{one.gateway.windows()} of {windows} windows came / 数据未到齐")
        time.sleep(LOOK_S)


def _carried(one: Parts) -> int:
    """Bytes that the link passed on; what a slow one still holds is given up. Raises BenchError."""
    if not _within(END_S, one.link.ended):
        one.link.cut()
    if not _within(END_S, one.link.ended):
        raise BenchError("the link has not said what it carried / 链路未报告流量")
    return sum(row["up"] + row["down"] for row in one.link.ended())


def _within(seconds: float, condition: Callable[[], object]) -> bool:
    until_s = time.monotonic() + seconds
    while not (holds := bool(condition())) and time.monotonic() < until_s:
        time.sleep(LOOK_S)
    return holds


def _uneven_ms(one: Parts, way: Way) -> list[float]:
    seen_ms = [int(row["t_ms"]) for row in read_rows(one.meters.log) if row["address"] == 1]
    interval_ms = 1000 * way.sample_interval_s
    return sorted(abs(later - earlier - interval_ms) / way.factor for earlier, later in pairwise(seen_ms))
