"""One contender between a broker and a platform of its own: what a message cost it, and what was lost or doubled."""

import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hil.bench import MOSQUITTO
from hil.benchmarks.peers import platform
from hil.benchmarks.peers.contenders import TOPIC, Contender, Setting
from hil.benchmarks.peers.readings import Seen, expected
from hil.benchmarks.processes import cpu_s, rss_mib, started
from hil.broker import Broker
from hil.ports import free_port
from hil.process import BenchError, Process

# mosquitto keeps all that a gateway has not taken: what is lost is not the broker's doing
BROKER: dict[str, int | str] = {
    "max_inflight_messages": 1000,
    "max_queued_messages": 1_000_000,
    "log_type": "subscribe",
}
READY_S = 60.0  # ThingsBoard's takes 10 to 20
LOOK_S = 0.02
DONE_S = 1.0  # what is doubled comes within it


class Load(NamedTuple):
    """So many messages of so many terminals, and when to stop waiting for them: nothing came for quiet_s; limit_s.

    quiet_s counts from the first one on; where as many have come as were sent, DONE_S is enough.
    """

    terminals: int
    messages: int
    seed: int
    quiet_s: float
    limit_s: float


@dataclass(frozen=True)
class Fault:
    """What happens after_s from the first publish: `kill` -9 and a start again; the platform is `away` for away_s."""

    kind: str
    after_s: float
    away_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """seconds: first publish to the last message at the platform. cpu_us: a message. due, lost, doubled: readings."""

    seconds: float
    cpu_us: float
    rss_mib: float
    due: int
    lost: int
    doubled: int


def run(contender: Contender, load: Load, fault: Fault | None = None) -> Outcome:
    """Feed it. Raises BenchError where it does not start, or the bench fails."""
    now_s = int(time.time())
    due = expected(load.terminals, load.messages, load.seed, now_s)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker = Broker(MOSQUITTO, folder / "broker", BROKER)
        running.enter_context(broker)
        broker.start()
        file, upstream_port = folder / "received", free_port()
        upstream = started("peers.platform", (upstream_port, file), folder, running)
        points = sorted({one.point for one in due})
        gateway = contender.make(Setting(folder, broker.port, upstream_port, points))
        running.enter_context(gateway)
        gateway.start()
        _wait_until_ready(contender, gateway, broker, upstream)
        words = (broker.port, contender.form, load.terminals, load.messages, load.seed, now_s)
        feed = started("peers.feed", words, folder, running)
        before_s = cpu_s(gateway.pid)
        os.kill(feed.pid, signal.SIGUSR1)
        begun_ns = int(json.loads(feed.wait_for_line(r"^\{\"begun_ns\".*\}$", READY_S)[0])["begun_ns"])
        if fault is not None:
            _strike(fault, begun_ns, gateway, upstream)
        last_ns = _wait_for_quiet(load, file, begun_ns, feed)
        spent_s, peak_mib = cpu_s(gateway.pid) - before_s, rss_mib(gateway.pid, peak=True)
        gateway.kill()
        seen = Counter(_seen(contender, file))
    return Outcome(
        seconds=(last_ns - begun_ns) / 1e9,
        cpu_us=spent_s * 1e6 / load.messages,
        rss_mib=peak_mib,
        due=len(due),
        lost=len(due - seen.keys()),
        doubled=sum(1 for one in due if seen[one] > 1),
    )


def _wait_until_ready(contender: Contender, gateway: Process, broker: Broker, upstream: Process) -> None:
    """It has subscribed at the broker and, if it does so before it has a message, is connected to the platform."""
    until_s = time.monotonic() + READY_S
    while not (contender.idles_unconnected or "connected" in upstream.text()) or TOPIC not in broker.process.text():
        if not gateway.running:
            raise BenchError(f"{gateway.name} ended with status {gateway.status} / 进程已退出: {gateway.tail()}")
        if time.monotonic() > until_s:
            raise BenchError(f"{gateway.name} was not ready within {READY_S:g} s / 启动超时: {gateway.tail()}")
        time.sleep(LOOK_S)


def _strike(fault: Fault, begun_ns: int, gateway: Process, upstream: Process) -> None:
    time.sleep(max(0.0, begun_ns / 1e9 + fault.after_s - time.monotonic()))
    if fault.kind == "kill":
        gateway.kill()
        gateway.start()
    else:
        os.kill(upstream.pid, signal.SIGUSR1)
        time.sleep(fault.away_s)
        os.kill(upstream.pid, signal.SIGUSR1)


def _wait_for_quiet(load: Load, file: Path, begun_ns: int, feed: Process) -> int:
    """When the last message came (CLOCK_MONOTONIC ns), once no other is to be waited for."""
    count, last_ns = 0, begun_ns
    limit_s = until_s = begun_ns / 1e9 + load.limit_s
    while time.monotonic() < until_s:
        time.sleep(LOOK_S)
        seen, at_ns = platform.progress(file)
        if seen > count and at_ns > begun_ns:
            count, last_ns = seen, at_ns
            until_s = min(limit_s, time.monotonic() + (DONE_S if count == load.messages else load.quiet_s))
    feed.wait_for_line(r"^\{\"published_s\"", READY_S)
    return last_ns


def _seen(contender: Contender, file: Path) -> Iterator[Seen]:
    """The readings of each message once, also where a message has several parts of one reading."""
    for topic, payload in platform.received(file):
        yield from set(contender.read(topic, payload))
