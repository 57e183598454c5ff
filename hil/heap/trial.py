"""One life of the whole terminal in a heap of a given size, on real parts: meters, mosquitto by TLS, the gateway."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple, TypedDict

from hil.lone_terminal import provisioned, scenario
from hil.scenario import WINDOW_S
from hil.terminal import Terminal

BACKLOG = 7 * 96  # windows: a week
FACTOR = 1200  # nine meters are read in a fifth of a second; more would leave slots out
SAMPLE_INTERVAL_S = 300
DRAIN_S = 60.0  # a week's backlog takes some ten seconds here, longer where each allocation collects first
LOOK_S = 0.2
_STATUS = re.compile(r"^(?P<s>\d+)\.\d+ status: .* heap (?P<heap>\d+) ", re.MULTILINE)


class Outcome(NamedTuple):
    """What became of it. fault: "" if it worked. heap: (process s, bytes in use after a collection), each hour."""

    fault: str
    windows: int  # in the gateway's journal
    drained_s: float  # real, from the start until the backlog was there
    heap: list[tuple[int, int]]


class Part(TypedDict):
    """A part of the terminal, and the bytes that it keeps in use."""

    part: str
    bytes: int


def live(folder: Path, heap_kib: int, hours: int) -> Outcome:
    """Let it live so long, of its own time, in so much heap; it ends with the first fault. Raises BenchError."""
    with provisioned(folder, scenario(hours, FACTOR, SAMPLE_INTERVAL_S), BACKLOG) as one:
        terminal, gateway, clock = one.terminal, one.gateway, one.clock
        terminal.process.command[1:1] = ["-X", f"heapsize={heap_kib}k"]
        one.broker.start()
        gateway.start()
        gateway.wait_until_ready()
        terminal.start()
        begun, begun_ms = time.monotonic(), clock.now_ms()
        end_ms = begun_ms + hours * 3_600_000
        drained_s = 0.0
        while not (fault := _fault(terminal)):
            real_s = time.monotonic() - begun
            windows = gateway.windows()
            if not drained_s and windows >= BACKLOG:
                drained_s = round(real_s, 1)
            closed = max(0, (clock.now_ms() - begun_ms) // (1000 * WINDOW_S) - 1)
            if clock.now_ms() >= end_ms and windows >= BACKLOG + min(closed, hours * 3600 // WINDOW_S - 1):
                break
            if real_s > DRAIN_S + hours * 3600 / FACTOR:
                fault = f"{windows} windows of {BACKLOG} and {closed} came in {real_s:.0f} s"
                break
            time.sleep(LOOK_S)
        terminal.kill()
        told = [(int(one["s"]), int(one["heap"])) for one in _STATUS.finditer(terminal.process.text())]
        return Outcome(fault, gateway.windows(), drained_s, told)


def _fault(terminal: Terminal) -> str:
    """Out of memory anywhere is a fault, though the terminal might get over it."""
    found = re.search(r"^.*MemoryError.*$", terminal.process.text(), re.MULTILINE)
    if found:
        return found[0]
    return "" if terminal.process.running else f"ended with status {terminal.process.status}"


def parts(folder: Path) -> list[Part]:
    """What each part has on the heap once it is there (hil/vm/heap_parts.py). Raises BenchError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with provisioned(folder, scenario(1, FACTOR, SAMPLE_INTERVAL_S), BACKLOG) as one:
        return [json.loads(line) for line in one.terminal.run_vm("heap_parts.py").splitlines()]
