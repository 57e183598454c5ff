"""`python -m tests.e2e.gateway_kills`: real gateway, real broker, and power cuts at any call to the disk.

A terminal sends, each frame until its ack comes. The gateway dies at a call to its disk, which is left with what was
synced and any part of the rest; then it is started anew on that. In the end every record that was ever acknowledged
must be in the journal, and none twice. What replays a run is printed: `--seed`.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.journal.audit import Audit, Fault
from gateway.journal.reader import Reader
from hil.broker import Broker
from hil.disk import Disk
from hil.process import Process
from tests.gateway.support import Device, Sender, mosquitto, window, write_config

CALLS_MOST = 250  # to the disk: a start takes some 80 with a new journal, a commit 4
IN_FLIGHT = 20  # frames without an ack, as a terminal has
WAIT_S = 60.0  # for anything: a busy machine starts a gateway slowly
AGAIN_S = 2.0  # after which a frame without an ack is sent again


@dataclass
class Found:
    """What came of it."""

    rounds: int = 0
    acknowledged: int = 0
    lost: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Nothing lost, nothing twice, nothing broken."""
        return not (self.lost or self.twice or self.broken)


class Terminal:
    """Sends its records, each again until its ack comes; then the next ones."""

    def __init__(self, device: Device, sender: Sender, begin_s: int, in_flight: int = IN_FLIGHT) -> None:
        self._device, self._sender, self._begin_s, self._in_flight = device, sender, begin_s, in_flight
        self._heard = 0
        self._sent_at_s: dict[int, float] = {}
        self._next = 1
        self.acked: set[int] = set()

    def step(self, *, fresh: bool) -> None:
        """Hear what came down; send what is due. fresh: new records too."""
        down = self._device.down(self._heard)
        for data in down[self._heard :]:
            ranges = self._sender.open_ack(data).durable
            self.acked |= {seq for first, last in ranges for seq in range(first, last + 1)}
        self._heard = len(down)
        for seq in self.acked & self._sent_at_s.keys():
            del self._sent_at_s[seq]
        now_s = time.monotonic()
        due = [seq for seq, at_s in self._sent_at_s.items() if now_s > at_s + AGAIN_S]
        while fresh and len(self._sent_at_s) + len(due) < self._in_flight:
            due.append(self._next)
            self._sent_at_s[self._next] = now_s
            self._next += 1
        for seq in due:
            self._sent_at_s[seq] = now_s
            record = window(seq, self._begin_s + 900 * seq, end_uptime_s=900 * seq + 900)
            self._device.client.publish(f"wattline/up/{self._sender.name}", self._sender.frame([record]), qos=1)

    @property
    def waiting(self) -> bool:
        """Whether a frame has no ack yet."""
        return bool(self._sent_at_s)


def run(rounds: int, seed: int, folder: Path) -> Found:
    """So many power cuts."""
    chance, sender = random.Random(seed), Sender()
    begin_s = int(time.time()) // 900 * 900 - 900 * 20_000
    with Broker(mosquitto(), folder / "broker", {"max_inflight_messages": 1000}) as broker:
        broker.start()
        config = write_config(folder / "gateway", broker.port, [sender])
        disk = Disk(folder / "gateway" / "data")
        command = [sys.executable, "-c", "from gateway.cli import app; app()", "run", "--config", str(config)]
        terminal = Terminal(Device(broker.port), sender, begin_s)
        for _ in range(rounds):
            die_at = chance.randint(1, CALLS_MOST)
            with Process("gateway", command, folder / "gateway.log", disk.env(die_at)) as gateway:
                gateway.start()
                until(f"the gateway's death at call {die_at}", lambda: not gateway.running, terminal, fresh=True)
            disk.cut(chance)
        with Process("gateway", command, folder / "gateway.log", disk.env()) as gateway:
            gateway.start()
            terminal.step(fresh=True)
            until("the last acks", lambda: not terminal.waiting, terminal, fresh=False)
            gateway.stop()
        terminal.step(fresh=False)
        terminal._device.close()
    found = Found(rounds, len(terminal.acked))
    check(disk.folder, terminal.acked, found)
    return found


def until(what: str, happened: Callable[[], bool], terminal: Terminal, *, fresh: bool) -> None:
    """The terminal goes on until it happened. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_S
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {WAIT_S:g} s: {what}")
        terminal.step(fresh=fresh)
        time.sleep(0.01)


def check(data: Path, acknowledged: set[int], found: Found) -> None:
    """The journal against what was acknowledged."""
    reader = Reader(data)
    stored = [one.seq for one in reader.records_after(0, 1 << 30)]
    reader.close()
    found.lost = sorted(acknowledged - set(stored))
    found.twice = sorted(one for one in set(stored) if stored.count(one) > 1)
    audit = Audit(data)
    found.broken = [f"{one.what} at {one.record}" for one in audit.links() if isinstance(one, Fault)]
    audit.close()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    chosen = parser.parse_args()
    sys.stderr.write(f"seed {chosen.seed}\n")
    with tempfile.TemporaryDirectory() as name:
        found = run(chosen.rounds, chosen.seed, Path(name))
    sys.stdout.write(json.dumps({**asdict(found), "seed": chosen.seed}) + "\n")
    sys.exit(not found.well)


if __name__ == "__main__":
    main()
