"""A broker and a gateway as they are deployed, in a folder of their own; and what the gateway says of itself."""

import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hil.bench import MOSQUITTO
from hil.benchmarks import processes
from hil.benchmarks.deployed import Admitted, write_config
from hil.broker import Broker
from hil.process import Process

READY_S = 120.0  # 20,000 terminals on a busy machine
# as deploy/example/mosquitto.conf; and no log, which mosquitto writes line by line
BROKER: dict[str, int | str] = {"max_inflight_messages": 1000, "max_queued_messages": 20_000, "log_type": "none"}


class Stand:
    """The running pair."""

    def __init__(self, folder: Path, broker: Broker, gateway: Process) -> None:
        self.data = folder / "data"
        self.port = broker.port
        self._gateway = gateway
        ready = json.loads(gateway.wait_for_line(r'^\{"ready": true.*\}$', READY_S)[0])
        self._metrics = f"http://127.0.0.1:{ready['metrics_port']}/metrics"

    def cpu_s(self) -> float:
        """CPU time of the gateway's threads, user and system."""
        return processes.cpu_s(self._gateway.pid)

    def rss_mib(self, *, peak: bool = False) -> float:
        """Of the gateway's process: now, or the most it ever had."""
        return processes.rss_mib(self._gateway.pid, peak=peak)

    def written_bytes(self) -> int:
        """What the gateway's process has written to the disk."""
        return processes.written_bytes(self._gateway.pid)

    def metrics(self) -> dict[str, float]:
        """Every sample of the gateway's metrics, by its name and labels as they stand there."""
        with urllib.request.urlopen(self._metrics, timeout=10) as answer:  # noqa: S310  (the gateway's own)
            text = answer.read().decode()
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


@contextmanager
def stand(terminals: Sequence[Admitted], more: str = "") -> Iterator[Stand]:
    """Broker and gateway, for these terminals. more: of gateway.toml. Raises BenchError."""
    with tempfile.TemporaryDirectory() as name, Broker(MOSQUITTO, Path(name) / "broker", BROKER) as broker:
        broker.start()
        folder = Path(name)
        config = write_config(folder, broker.port, terminals, more)
        command = [sys.executable, "-m", "hil.benchmarks.ingest.gateway", str(config), "stream"]
        with Process("gateway", command, folder / "gateway.log") as gateway:
            gateway.start()
            yield Stand(folder, broker, gateway)
