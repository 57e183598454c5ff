"""The gateway as a process of the bench: the product's composition root, with its own configuration and data."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from gateway.cli_common import NOT_WELL
from hil import stores
from hil.clock import ScaledClock
from hil.disk import Disk
from hil.process import BenchError, Process

READY_S = 60.0  # a busy machine imports slowly
BURST_WAIT_S = 4.0  # a gateway that has just been started needs one or two to import and connect


class Gateway:
    """A gateway in `folder` (gateway.toml, keys, data/). frail: its disk can be made to fail; more: its environment."""

    def __init__(
        self, config: Path, clock: ScaledClock, *, frail: bool = False, more: Mapping[str, str] | None = None
    ) -> None:
        self.data = config.parent / "data"
        self.metrics = config.parent / "metrics.txt"
        command = [sys.executable, "-m", "hil.gateway_process", str(config)]
        self._disk = Disk(self.data) if frail else None
        env = {**clock.env(), **(self._disk.env() if self._disk else {}), **(more or {})}
        self.process = Process("gateway", command, config.parent / "gateway.log", env)
        self._start = 0
        self._is_wanted = False

    def start(self) -> None:
        """Start it; it connects as soon as there is a broker."""
        self._is_wanted = True
        self._start = len(self.process.text().encode())
        self.process.start()

    def wait_until_ready(self) -> None:
        """Return once it has subscribed. Raises BenchError."""
        self.process.wait_for_line(r'^\{"ready": true', READY_S, self._start)

    def keep_alive(self) -> str | None:
        """Start it again if it has ended by itself, as a service manager does. Returns what to find in that: nothing if
        its disk can be made to fail, and it has said what keeps it from running.
        """
        if not self._is_wanted or self.process.running:
            return None
        said = self.process.text(self._start)
        status = self.process.status
        found = f"the gateway ended with status {status}: {said[-2000:]}"
        self.start()
        return None if self._disk is not None and status == NOT_WELL and "Traceback" not in said else found

    def kill(self) -> None:
        """kill -9."""
        self._is_wanted = False
        self.process.kill()

    def kill_after_commit(self) -> None:
        """kill -9 right after its next commit: what it has committed it has not acknowledged yet, or only just."""
        before = self.frames()
        deadline = time.monotonic() + BURST_WAIT_S
        while self.frames() == before and time.monotonic() < deadline:
            time.sleep(0.001)
        self.kill()

    def stop(self) -> None:
        """SIGTERM: it commits what it has taken."""
        self._is_wanted = False
        self.process.stop()

    def scrape(self) -> None:
        """Keep what its /metrics says now; nothing if it has not told its port yet."""
        for line in self.process.text(self._start).splitlines():
            if line.startswith('{"ready": true'):
                port = int(json.loads(line)["metrics_port"])
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                        self.metrics.write_bytes(answer.read())
                except (urllib.error.URLError, TimeoutError) as error:
                    self.metrics.write_text(f"# not to be had: {error}\n", encoding="utf-8")

    def fail_disk(self, number: int | None) -> None:
        """Its disk answers with this errno from now on; None: it works again."""
        if self._disk is None:
            raise BenchError("this gateway's disk is not frail")
        self._disk.fail(number)

    def frames(self) -> int:
        """Frames in its journal now."""
        return self.counters().get("frames", 0)

    def windows(self) -> int:
        """Windows in its journal now."""
        return self.counters().get("windows", 0)

    def counters(self) -> dict[str, int]:
        """The journal's own counters, over all its starts."""
        return stores.counters(self.data)

    def quarantined(self) -> dict[str, int]:
        """Frames and records in quarantine, by the reason."""
        return stores.quarantined(self.data)

    def rollouts(self) -> dict[str, int]:
        """Rollouts of releases, by state."""
        return stores.rollouts(self.data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
