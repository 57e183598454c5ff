"""The HJ 212 sink against a platform that answers after 20 ms: how long a province's quarter of an hour takes."""

import io
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from gateway.clock import SystemClock, steady_s
from gateway.config import Hj212Config
from gateway.forward.account import Account
from gateway.forward.backoff import Backoff
from gateway.forward.forwarder import Forwarder
from gateway.forward.hj212.link import Links
from gateway.forward.hj212.mapping import QUANTITIES, ItemConfig, Mapping, Station
from gateway.forward.hj212.session import Hj212Session
from gateway.forward.hj212.sink import Hj212Sink
from gateway.forward.outbox import Outbox
from gateway.gaps.words import CELL_S
from gateway.journal.reader import Reader
from gateway.metrics import Metrics
from hil.benchmarks.growth import filling
from hil.benchmarks.ingest.load import POINTS, names
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.process import BenchError, Process
from hil.terminal import ROOT

DELAY_MS = 20  # from a packet to its answer
CONNECTIONS = (1, 64, 7056)
LIMIT_S = 15.0  # of one measurement: what is not through by then is computed from the rate
WANTED = ("p", "e_import", "ua", "ub", "uc", "ia", "ib", "ic")  # of each point: 3 packets a window
QUARTERS_A_DAY = 96
NOTES = [
    f"One window of {POINTS} points of each of 7,056 stations, 8 codes a point: 3 packets a window, HJ 212-2017.",
    f"The platform, a process of its own on loopback, answers each packet after {DELAY_MS} ms, and judges nothing.",
    "One packet is under way on a connection, as the protocol has it.",
    "All of it runs: journal, outbox on the disk (QN before the first byte), sessions, sockets, confirmations.",
    f"What takes longer than {LIMIT_S:g} s is computed from the packets confirmed until then.",
    "day_h: a day's backlog, as 96 quarters of an hour at that rate.",
    "stop_and_wait_s: what the delay alone comes to, whoever sends.",
]


class Outcome(NamedTuple):
    """Of one measurement. cpu_us: of our thread, a packet."""

    packets: int
    confirmed: int
    seconds: float
    cpu_us: float


def mapping_of(terminals: Sequence[str]) -> Mapping:
    """A platform that wants WANTED of every point."""
    items = tuple(
        ItemConfig(
            point=point,
            code=f"d{number:02d}{point:02d}",
            quantity=name,
            attributes=[one for one in ("Min", "Avg", "Max", "Cou") if one in QUANTITIES[name].fields],
            decimals=min(2, QUANTITIES[name].exponent),
        )
        for point in range(1, POINTS + 1)
        for number, name in enumerate(WANTED)
    )
    return Mapping(
        {name: Station(name, f"{number:024X}", "32", "831027", items) for number, name in enumerate(terminals)}
    )


def measure(options: Options) -> Result:
    """See the module."""
    figures: list[Figure] = []
    bars: list[Bar] = []
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        fleet = filling.Filling(folder, 1, options.seed)
        fleet.burst()
        fleet.journal.close()
        mapping = mapping_of(names(filling.TERMINALS))
        for connections in CONNECTIONS:
            with _platform(folder / f"platform-{connections}.log") as (port, process):
                found = _run(folder, mapping, port, connections)
                _check(process, found)
            figures += _figures(connections, found)
            bars.append(Bar(f"{connections} connections", found.confirmed / found.seconds, ours=True))
    return Result(figures, [Chart("Packets confirmed a second", "packets/s", bars)], NOTES)


@contextmanager
def _platform(log: Path) -> Iterator[tuple[int, Process]]:
    command = [sys.executable, "-m", "hil.benchmarks.platform212", "--delay-ms", str(DELAY_MS)]
    with Process("platform", command, log) as process:
        process.start()
        yield int(process.wait_for_line(r'^\{"port": (\d+)\}$', 20)[1]), process


def _check(process: Process, found: Outcome) -> None:
    """Raises BenchError where the platform has not what was confirmed, or something twice."""
    process.send(signal.SIGUSR1)
    packets, repeated = map(int, process.wait_for_line(r'^\{"packets": (\d+), "repeated": (\d+)\}$', 20).groups())
    if packets < found.confirmed or repeated:
        raise BenchError(f"{found.confirmed} packets were confirmed; the platform has {packets}, {repeated} twice")


class _Wiring:
    """Real sockets to the platform."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._end = threading.Event()
        self.jitter = random.Random(1).random

    def transport(self, sessions: Sequence[Hj212Session]) -> Links:
        """See gateway/forward/kinds.py."""
        return Links("127.0.0.1", self._port, sessions, lambda: int(steady_s() * 1000), self._end.wait)


def _run(folder: Path, mapping: Mapping, port: int, connections: int) -> Outcome:
    """Until all is confirmed, at most LIMIT_S."""
    name, clock, metrics = f"c{connections}", SystemClock(), Metrics()
    config = Hj212Config(name=name, host="127.0.0.1", port=port, mapping="-", connections=connections)
    with ExitStack() as opened:
        outbox = opened.enter_context(closing(Outbox(folder, name)))
        reader = opened.enter_context(closing(Reader(folder)))
        sink = Hj212Sink(config, mapping, outbox, folder, clock, metrics, _Wiring(port))
        opened.callback(sink.close)
        account = Account(name, outbox, clock, metrics, structlog.wrap_logger(structlog.PrintLogger(io.StringIO())))
        forwarder = Forwarder(sink, outbox, reader, clock, 4 * CELL_S, account, Backoff(500, 60_000, lambda: 0.5))
        begun_s, cpu_s = time.monotonic(), time.thread_time()
        while (spent_s := time.monotonic() - begun_s) < LIMIT_S:
            more = forwarder.feed()
            forwarder.is_well(sink.work(0 if more else 100))
            if not more and not outbox.last_id():
                break
        confirmed = sink.counts.confirmed
        cpu_us = (time.thread_time() - cpu_s) / max(1, confirmed) * 1e6
    return Outcome(3 * filling.TERMINALS, confirmed, spent_s, cpu_us)


def _figures(connections: int, found: Outcome) -> list[Figure]:
    rate: Any = found.confirmed / found.seconds
    quarter_s = found.packets / rate
    least_s = found.packets * DELAY_MS / 1000 / connections
    name = f"hj212_sink.{connections}"
    return [
        Figure(f"{name}.packets_per_s", round(rate), "packets/s", 0, ""),
        Figure(f"{name}.cpu_us", round(found.cpu_us), "us/packet", 0, ""),
        Figure(f"{name}.quarter_s", round(quarter_s, 1), "s", 0, ""),
        Figure(f"{name}.stop_and_wait_s", round(least_s, 1), "s", 0, ""),
        Figure(f"{name}.day_h", round(quarter_s * QUARTERS_A_DAY / 3600, 2), "h", 0, ""),
    ]
