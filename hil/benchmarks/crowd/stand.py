"""A broker and a gateway as they are deployed, in a folder of their own; and what the gateway says of itself."""

import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hil.bench import MOSQUITTO
from hil.benchmarks.ingest.load import POINTS, SECRET
from hil.benchmarks.timing import process_cpu_s
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
        return process_cpu_s(self._gateway.pid)

    def rss_mib(self, *, peak: bool = False) -> float:
        """Of the gateway's process: now, or the most it ever had."""
        lines = Path(f"/proc/{self._gateway.pid}/status").read_text().splitlines()
        name = "VmHWM" if peak else "VmRSS"
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

    def metrics(self) -> dict[str, float]:
        """Every sample of the gateway's metrics, by its name and labels as they stand there."""
        with urllib.request.urlopen(self._metrics, timeout=10) as answer:  # noqa: S310  (the gateway's own)
            text = answer.read().decode()
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


class Admitted(NamedTuple):
    """A terminal that the gateway knows; those of the benchmarks share a key and are alike."""

    name: str
    secret: bytes = SECRET
    points: int = POINTS


@contextmanager
def stand(terminals: Sequence[Admitted], more: str = "") -> Iterator[Stand]:
    """Broker and gateway, for these terminals. more: of gateway.toml. Raises BenchError."""
    with tempfile.TemporaryDirectory() as name, Broker(MOSQUITTO, Path(name) / "broker", BROKER) as broker:
        broker.start()
        folder = Path(name)
        config = _write_config(folder, broker.port, terminals, more)
        command = [sys.executable, "-m", "hil.benchmarks.ingest.gateway", str(config), "stream"]
        with Process("gateway", command, folder / "gateway.log") as gateway:
            gateway.start()
            yield Stand(folder, broker, gateway)


def _write_config(folder: Path, port: int, terminals: Sequence[Admitted], more: str) -> Path:
    keys: dict[bytes, str] = {}
    for one in terminals:
        if one.secret not in keys:
            keys[one.secret] = f"{len(keys)}.key"
            key = folder / keys[one.secret]
            key.touch(mode=0o600)
            key.write_text(one.secret.hex())
    entries = (
        f'[[terminal]]\nid = "{one.name}"\nkeys = [{{generation = 1, file = "{keys[one.secret]}"}}]\n'
        f"points = [{_points(one.points)}]\n"
        for one in terminals
    )
    (folder / "terminals.toml").write_text("".join(entries))
    config = folder / "gateway.toml"
    config.write_text(
        'data_dir = "data"\nterminals = "terminals.toml"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[metrics]\nport = 0\n{more}'
    )
    return config


@lru_cache
def _points(count: int) -> str:
    return ", ".join(
        f'{{number = {number}, name = "p{number}", kind = "production", rated_power_w = 200000}}'
        for number in range(1, count + 1)
    )
