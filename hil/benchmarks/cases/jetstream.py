"""The journal on several machines: a worker's commits into a stream; a burst that 1, 2, 3 workers share."""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from gateway.clock import steady_s
from gateway.config import JetStreamConfig, VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.jetstream.client import Client
from gateway.jetstream.journal import StreamJournal
from gateway.journal.journal import Journal
from hil.bench import MOSQUITTO
from hil.benchmarks.cases.journal import OF_A_BURST, batches, frames_per_s, terminals
from hil.benchmarks.deployed import Admitted, write_config
from hil.benchmarks.ingest.bench import BROKER, Running
from hil.benchmarks.ingest.load import POINTS, names, windows
from hil.benchmarks.processes import READY_S, started
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.broker import Broker
from hil.nats import make_worker
from hil.nats_cluster import Cluster
from hil.process import Process
from hil.terminal import ROOT

NATS = ROOT / "build/nats/nats-server"
TERMINALS = 7056
NODES = 3
WORKERS = (1, 2, 3)
BATCHES_SYNCED = 10  # of those that wait for a sync a message: two to four seconds
ROUNDS_MAX = 3
GATEWAY = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config"]
NOTES = [
    f"Frames of one window of {POINTS} points, decoded and checked beforehand, {OF_A_BURST} a commit; wall time.",
    "nats-server 2.10, one server or a cluster of three, all on this machine, on its one disk and its processors:",
    "three machines have three times as much of both. `always`: each message is synced before it is acknowledged;",
    "else every two minutes, so that a power cut of two nodes at once may lose what was acknowledged.",
    f"workers: {TERMINALS} frames at once through mosquitto, shared by so many gateways, cluster of three, `always`;",
    "beside one gateway with the SQLite journal. First publish to last ack.",
]


@dataclass(frozen=True)
class Form:
    """How the stream is kept."""

    name: str
    title: str
    nodes: int
    sync: str
    goal: str = ""


FORMS = [
    Form("jetstream.frames_per_s", "one server, synced every 2 min", 1, "2m", "at least 30,000"),
    Form("jetstream.always_frames_per_s", "one server, always", 1, "always"),
    Form("jetstream.cluster_frames_per_s", "cluster of 3, synced every 2 min", NODES, "2m"),
    Form("jetstream.cluster_always_frames_per_s", "cluster of 3, always", NODES, "always"),
]


def measure(options: Options) -> Result:
    """See the module."""
    rounds = max(2, min(options.rounds, ROUNDS_MAX))
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        sqlite = commits(Journal(folder / "sqlite", VerifyConfig()), rounds, options.seed, None)
        found = [(form, streamed(form, folder / form.name, rounds, options.seed)) for form in FORMS]
        bursts = {count: burst(count, folder / f"burst{count}", rounds, options.seed) for count in (0, *WORKERS)}
    figures = [_figure(form.name, one, "frames/s", form.goal) for form, one in found]
    figures.append(_figure("jetstream.ratio_sqlite", sqlite.over(found[-1][1]), "ratio"))
    figures.append(_figure("jetstream.burst_sqlite_s", bursts[0], "s"))
    figures += [_figure(f"jetstream.burst_{count}_workers_s", bursts[count], "s") for count in WORKERS]
    bars = [Bar("SQLite, FULL", sqlite.median), *(Bar(form.title, one.median, ours=True) for form, one in found)]
    shared = [Bar("SQLite, one gateway", bursts[0].median)]
    shared += [Bar(f"{count} workers", bursts[count].median, ours=True) for count in WORKERS]
    charts = [Chart("Frames a second in the journal", "frames/s", bars), Chart("A province's burst", "s", shared)]
    return Result(figures, charts, notes=NOTES)


def streamed(form: Form, folder: Path, rounds: int, seed: int) -> Samples:
    """A worker's commits into a stream of this form, frames a second."""
    with Cluster(NATS, folder, form.nodes, form.sync) as cluster:
        cluster.start()
        config = JetStreamConfig(servers=cluster.servers, replicas=form.nodes)
        journal = StreamJournal(config, Client(config, "bench", lambda: token_hex(8), steady_s))
        try:
            _until_ready(journal)
            return commits(journal, rounds, seed, BATCHES_SYNCED if form.sync == "always" else None)
        finally:
            journal.close()


def _until_ready(journal: StreamJournal) -> None:
    """The cluster's nodes have found each other, and made the stream. Raises StoreUnavailableError."""
    until_s = steady_s() + READY_S
    while True:
        try:
            journal.check()
        except StoreUnavailableError:
            if steady_s() > until_s:
                raise
            time.sleep(0.2)
        else:
            return


def commits(journal: Journal | StreamJournal, rounds: int, seed: int, most: int | None) -> Samples:
    """Frames a second, a value a round; the first round is not measured."""
    now_s, everyone, values = int(time.time()), terminals(), list[float]()
    for number, raw in enumerate(windows(rounds + 1, random.Random(seed).randrange(1000), now_s)):
        rate = frames_per_s(journal, list(batches(everyone, raw, number, OF_A_BURST, now_s))[:most])
        values += [rate] if number else []
    return Samples(values)


def burst(workers: int, folder: Path, rounds: int, seed: int) -> Samples:
    """Seconds from the first publish to the last ack of a province, shared by so many workers; 0: by SQLite's one."""
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(MOSQUITTO, folder / "broker", BROKER))
        broker.start()
        servers: list[str] = []
        if workers:
            cluster = stack.enter_context(Cluster(NATS, folder / "nats", NODES))
            cluster.start()
            servers = cluster.servers
        gateways = [_gateway(folder / f"gateway{number}", broker.port, servers, stack.enter_context)
                    for number in range(max(workers, 1))]  # fmt: skip
        for one in gateways:
            one.start()
        for one in gateways:
            one.wait_for_line(r'^\{"ready": true', READY_S)
        words = (broker.port, TERMINALS, rounds + 1, 1, 1, seed)
        pair = Running(gateways[0], started("ingest.load", words, folder, stack))
        return Samples([pair.phase() for _ in range(rounds + 1)][1:])


def _gateway(
    folder: Path, port: int, servers: list[str], enter: Callable[[AbstractContextManager[Process]], Process]
) -> Process:
    """With a journal of its own, or as a worker of these servers; not started yet."""
    folder.mkdir()
    config = write_config(folder, port, map(Admitted, names(TERMINALS)))
    if servers:
        make_worker(config, folder.name, servers)
    return enter(Process(folder.name, [*GATEWAY, str(config)], folder / "gateway.log"))


def _figure(name: str, samples: Samples, unit: str, goal: str = "") -> Figure:
    digits = 0 if unit == "frames/s" else 2
    return Figure(name, round(samples.median, digits), unit, round(samples.spread, digits), "", goal)
