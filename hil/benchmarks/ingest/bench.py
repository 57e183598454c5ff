"""A gateway between a real broker and a load: started, fed phase by phase, and what that cost it."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil.bench import MOSQUITTO
from hil.benchmarks.ingest.load import POINTS, SECRET, names
from hil.broker import Broker
from hil.process import Process

READY_S = 90.0
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
        return peak_rss_mib(self.gateway.pid)


@contextmanager
def running(module: str, carrier: str, shape: Shape, seed: int) -> Iterator[Running]:
    """`gateway` or `carry` by this carrier, with a broker and files of its own. Raises BenchError."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = Broker(MOSQUITTO, folder / "broker", BROKER)
        stack.enter_context(broker)
        broker.start()
        config = write_config(folder, broker.port, names(shape.terminals))
        measured = child(module, [str(config), carrier], folder, stack)
        words = (broker.port, shape.terminals, shape.phases, shape.frames, shape.windows, seed)
        yield Running(measured, child("load", [str(word) for word in words], folder, stack))


def write_config(folder: Path, port: int, terminals: list[str]) -> Path:
    """gateway.toml, and these terminals, all with one key."""
    key = folder / "key.hex"
    key.write_text(SECRET.hex())
    key.chmod(0o600)
    points = ", ".join(
        f'{{number = {number}, name = "p{number}", kind = "production", rated_power_w = 200000}}'
        for number in range(1, POINTS + 1)
    )
    entry = f'keys = [{{generation = 1, file = "key.hex"}}]\npoints = [{points}]\n'
    (folder / "terminals.toml").write_text("".join(f'[[terminal]]\nid = "{name}"\n{entry}' for name in terminals))
    config = folder / "gateway.toml"
    config.write_text(
        'data_dir = "data"\nterminals = "terminals.toml"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[metrics]\nport = 0\n'
    )
    return config


def peak_rss_mib(pid: int) -> float:
    """The most memory that a process had at once."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def child(module: str, words: list[str], folder: Path, stack: ExitStack) -> Process:
    """A process of this package, ready; it ends with the stack. Raises BenchError."""
    command = [sys.executable, "-m", f"hil.benchmarks.ingest.{module}", *words]
    process = stack.enter_context(Process(module, command, folder / f"{module}.log"))
    process.start()
    process.wait_for_line(r'^\{"ready": true', READY_S)
    return process
