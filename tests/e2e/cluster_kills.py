"""`python -m tests.e2e.cluster_kills`: three workers on a cluster of three, a follower; any of them dies or is cut off.

Terminals send, each frame until its ack comes. In each round a worker, a node, two nodes or the follower is killed with
-9, or a node is cut off from the others, with a word or in silence; then it comes back, and acks must flow again. In
the end every record that was ever acknowledged must be in the follower's journal, and none twice, and at its sink.
What replays a run is printed: `--seed`.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.journal.audit import Audit, Fault
from gateway.journal.reader import Reader
from hil.broker import Broker
from hil.nats import make_worker
from hil.nats_cluster import Cluster
from hil.process import Process
from tests.e2e.gateway_kills import Terminal
from tests.gateway.jetstream.support import NATS
from tests.gateway.support import Device, Sender, mosquitto, write_config

TERMINALS, WORKERS, NODES = 4, 3, 3
IN_FLIGHT = 2  # frames of a terminal without an ack: the cluster and the workers share this machine's processors
STEP_S = 0.02
TROUBLE_S, PEACE_S = (1.0, 4.0), (0.5, 2.0)
WAIT_S = 240.0  # for anything: elections of a busy machine take their time
NORTH = "north/readings"
GATEWAY = [sys.executable, "-c", "from gateway.cli import app; app()"]


@dataclass
class Found:
    """What came of it. deaf_s: by trouble, the longest time without any ack, from its beginning on."""

    troubles: list[str] = field(default_factory=list)
    acknowledged: int = 0
    lost: list[tuple[str, int]] = field(default_factory=list)
    twice: list[tuple[str, int]] = field(default_factory=list)
    lost_at_sink: list[tuple[str, int]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    deaf_s: dict[str, float] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Nothing lost, nothing twice, nothing broken."""
        return not (self.lost or self.twice or self.lost_at_sink or self.broken)


class Site:
    """All of it, running."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.broker = opened.enter_context(Broker(mosquitto(), folder / "broker", {"max_inflight_messages": 1000}))
        self.broker.start()
        self.cluster = opened.enter_context(Cluster(NATS, folder / "nats", NODES, can_be_cut=True))
        self.cluster.start()
        senders = [Sender(f"T{number:04d}") for number in range(TERMINALS)]
        names = [*(f"worker{number}" for number in range(WORKERS)), "follower"]
        processes = [self._process(folder / name, senders, opened) for name in names]
        *self.workers, self.follower = processes
        self.data = folder / "follower" / "data"
        for one in processes:
            one.start()
        for one in processes:
            one.wait_for_line(r'^\{"ready": true', WAIT_S)
        begin_s = int(time.time()) // 900 * 900 - 900 * 20_000
        self.devices = [Device(self.broker.port, sender.name) for sender in senders]
        pairs = zip(self.devices, senders, strict=True)
        self.terminals = [Terminal(device, sender, begin_s, IN_FLIGHT) for device, sender in pairs]
        self.heard_s, self.deaf_s = time.monotonic(), 0.0
        self._north = Device(self.broker.port, "north")
        self._north.client.subscribe(f"{NORTH}/#", qos=1)
        self._sunk: set[tuple[str, int]] = set()
        self._told = 0

    def sunk(self) -> set[tuple[str, int]]:
        """What the follower's sink has delivered so far."""
        documents = self._north.down(self._told)
        found = [json.loads(data) for data in documents[self._told :]]
        self._sunk |= {(one["terminal"], one["seq"]) for one in found}
        self._told = len(documents)
        return self._sunk

    def _process(self, folder: Path, senders: list[Sender], opened: ExitStack) -> Process:
        sink = f'[[sink]]\nname = "north"\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {self.broker.port}\n'
        sink += f'prefix = "{NORTH}"\n'
        config = write_config(folder, self.broker.port, senders, sink)
        make_worker(config, folder.name, self.cluster.servers)
        what = "follow" if folder.name == "follower" else "run"
        return opened.enter_context(Process(folder.name, [*GATEWAY, what, "--config", str(config)], folder / "log"))

    def play(self, seconds: float, *, fresh: bool = True) -> None:
        """The terminals go on for so long."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            before = self.acknowledged
            for one in self.terminals:
                one.step(fresh=fresh)
            now_s = time.monotonic()
            if self.acknowledged > before:
                self.heard_s = now_s
            self.deaf_s = max(self.deaf_s, now_s - self.heard_s)
            time.sleep(STEP_S)

    def until(self, what: str, happened: Callable[[], bool]) -> None:
        """They go on without new records until it happened. Raises TimeoutError."""
        deadline = time.monotonic() + WAIT_S
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {WAIT_S:g} s: {what}")
            self.play(STEP_S, fresh=False)

    def until_heard(self) -> None:
        """They go on until a record that is sent from now on is acknowledged. Raises TimeoutError."""
        newest = [max(one.acked, default=0) + IN_FLIGHT for one in self.terminals]
        deadline = time.monotonic() + WAIT_S
        while not any(max(one.acked, default=0) > seq for one, seq in zip(self.terminals, newest, strict=True)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no acks for {WAIT_S:g} s after the trouble")
            self.play(STEP_S)

    @property
    def acknowledged(self) -> int:
        return sum(len(one.acked) for one in self.terminals)

    def close(self) -> None:
        for one in (*self.devices, self._north):
            one.close()


def trouble(site: Site, kind: str, chance: random.Random, seconds: float) -> None:
    """Have it, and have it end."""
    numbers = chance.sample(range(NODES), 2 if kind == "two_nodes_killed" else 1)
    killed: list[Process] = []
    if "node" in kind and "killed" in kind:
        killed = [site.cluster.nodes[number].process for number in numbers]
    elif kind == "worker_killed":
        killed = [chance.choice(site.workers)]
    elif kind == "follower_killed":
        killed = [site.follower]
    for one in killed:
        one.kill()
    if "node_cut_off" in kind:
        site.cluster.partition(numbers[0], silent="silent" in kind)
    site.play(seconds)
    for one in killed:
        one.start()
    if "node_cut_off" in kind:
        site.cluster.heal(numbers[0])


KINDS = [
    "worker_killed",
    "node_killed",
    "node_cut_off",
    "node_cut_off_silent",
    "two_nodes_killed",
    "follower_killed",
]


def run(rounds: int, seed: int, folder: Path) -> Found:
    """So many troubles, each kind in its turn before any comes again."""
    chance, found = random.Random(seed), Found()
    kinds = [kind for _ in range(rounds // len(KINDS) + 1) for kind in chance.sample(KINDS, len(KINDS))][:rounds]
    with ExitStack() as opened:
        site = Site(folder, opened)
        site.until_heard()
        for kind in kinds:
            site.deaf_s, site.heard_s = 0.0, time.monotonic()
            trouble(site, kind, chance, chance.uniform(*TROUBLE_S))
            site.until_heard()
            site.play(chance.uniform(*PEACE_S))
            found.deaf_s[kind] = max(found.deaf_s.get(kind, 0.0), round(site.deaf_s, 1))
            found.troubles.append(kind)
        site.until("the last acks", lambda: not any(one.waiting for one in site.terminals))
        found.acknowledged = site.acknowledged
        acknowledged = {(f"T{number:04d}", seq) for number, one in enumerate(site.terminals) for seq in one.acked}
        site.until("all in the follower's journal", lambda: _count(site.data) >= found.acknowledged)
        site.until("all at the sink", lambda: acknowledged <= site.sunk())
        site.follower.stop()
        site.close()
        found.lost_at_sink = sorted(acknowledged - site.sunk())
        check(site.data, acknowledged, found)
    return found


def _count(data: Path) -> int:
    """Records in the follower's journal."""
    reader = Reader(data)
    found = reader.last_id()
    reader.close()
    return found


def check(data: Path, acknowledged: set[tuple[str, int]], found: Found) -> None:
    """The follower's journal against what was acknowledged."""
    reader = Reader(data)
    stored = [(one.terminal, one.seq) for one in reader.records_after(0, 1 << 30)]
    reader.close()
    found.lost = sorted(acknowledged - set(stored))
    found.twice = sorted(one for one in set(stored) if stored.count(one) > 1) if len(set(stored)) < len(stored) else []
    audit = Audit(data)
    found.broken = [f"{one.what} at {one.record}" for one in audit.links() if isinstance(one, Fault)]
    audit.close()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--keep", type=Path, help="a folder for all files, which stay")
    chosen = parser.parse_args()
    sys.stderr.write(f"seed {chosen.seed}\n")
    with tempfile.TemporaryDirectory() as name:
        found = run(chosen.rounds, chosen.seed, chosen.keep or Path(name))
    sys.stdout.write(json.dumps({**asdict(found), "seed": chosen.seed}) + "\n")
    sys.exit(not found.well)


if __name__ == "__main__":
    main()
