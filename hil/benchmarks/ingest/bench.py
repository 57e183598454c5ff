"""A gateway between a real broker and a load: started, fed phase by phase, and what that cost it."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil.bench import MOSQUITTO
from hil.benchmarks import processes
from hil.benchmarks.deployed import Admitted, write_config
from hil.benchmarks.ingest.load import names
from hil.broker import Broker
from hil.process import Process

PHASE_S = 150.0
# mosquitto's own: 20 acks under way, and 1000 frames kept for a subscriber
BROKER: dict[str, int | str] = {"max_inflight_messages": 1000, "max_queued_messages": 1_000_000, "log_type": "none"}


@dataclass(frozen=True)
class Shape:
    """What is published: in each phase `frames` of each terminal, of `windows` each, one after the other."""

    terminals: int
    phases: int
    frames: int = 1
    windows: int = 1

    @property
    def phase_frames(self) -> int:
        """Of all terminals, a phase."""
        return self.terminals * self.frames


class Running:
    """The gateway and the load, ready."""

    def __init__(self, gateway: Process, load: Process) -> None:
        self.gateway = gateway
        self._load = load

    def phase(self) -> float:
        """Have the next phase published; seconds from the first publish to the last ack. Raises BenchError."""
        seen = len(self._load.text().encode())
        os.kill(self._load.pid, signal.SIGUSR1)
        line = self._load.wait_for_line(r"^\{\"seconds\".*\}$", PHASE_S, seen)
        return float(json.loads(line[0])["seconds"])

    def cpu_us(self) -> float:
        """CPU time of the gateway's threads, user and system."""
        tasks = Path(f"/proc/{self.gateway.pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in tasks) / 1000

    def peak_rss_mib(self) -> float:
        """The most memory that the gateway had at once."""
        return processes.rss_mib(self.gateway.pid, peak=True)


@contextmanager
def running(module: str, carrier: str, shape: Shape, seed: int) -> Iterator[Running]:
    """`gateway` or `carry` by this carrier, with a broker and files of its own. Raises BenchError."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = Broker(MOSQUITTO, folder / "broker", BROKER)
        stack.enter_context(broker)
        broker.start()
        config = write_config(folder, broker.port, map(Admitted, names(shape.terminals)))
        measured = processes.started(f"ingest.{module}", (config, carrier), folder, stack)
        words = (broker.port, shape.terminals, shape.phases, shape.frames, shape.windows, seed)
        yield Running(measured, processes.started("ingest.load", words, folder, stack))
