"""Emulated meters on a pty, as processes: what an RS-485 adapter would reach."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hil.clock import ScaledClock
from hil.process import Process

LOAD = {"kind": "constant", "rated_w": 5000}
START_MS = 1772380800_000

Meters = Callable[[list[dict[str, Any]]], str]


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meters]:
    """Starts a bus with these meters (hil.meter_slave.MeterConfig); gives its pty."""
    with ExitStack() as running:

        def start(described: list[dict[str, Any]]) -> str:
            folder: Path = tmp_path_factory.mktemp("bus")
            config = folder / "meters.json"
            config.write_text(
                json.dumps({"meters": [{"load": LOAD, **one} for one in described], "log": "served.jsonl"})
            )
            command = [sys.executable, "-m", "hil.meters", "--config", str(config)]
            clock = ScaledClock(time.time_ns(), START_MS, 1)
            process = running.enter_context(Process("meters", command, folder / "log", clock.env()))
            process.start()
            return process.wait_for_line(r'^\{"pty": "(/dev/[^"]+)"\}$', 60)[1]

        yield start
