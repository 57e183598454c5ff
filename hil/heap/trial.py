"""One life of the whole terminal in a heap of a given size, on real parts: meters, mosquitto by TLS, the gateway."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypedDict

from firmware import image
from hil import wiring
from hil.authority import Authority
from hil.broker import Broker
from hil.clock import ScaledClock
from hil.gateway import Gateway
from hil.meter_bus import MeterBus
from hil.scenario import WINDOW_S, Point, Scenario
from hil.terminal import ROOT, Terminal

VM = ROOT / "build" / "vm32" / "micropython"
MOSQUITTO = ROOT / "build" / "mosquitto" / "mosquitto"
BACKLOG = 7 * 96  # windows: a week
BROKER = "localhost"
FACTOR = 1200  # nine meters are read in a fifth of a second; more would leave slots out
START = datetime(2026, 3, 2, tzinfo=UTC)
BUILT_S = int(START.timestamp()) - 86_400
LEAD_S = 4.0  # until everything is up
DRAIN_S = 60.0  # a week's backlog takes some ten seconds here, longer where each allocation collects first
LOOK_S = 0.2
# Nine points of six models: each model's profile is on the heap once.
MODELS = ("sdm630", "dtsu666", "adl400", "iem3155", "dtsu666", "sdm630", "adw300", "iem3255", "dtsu666")
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


def scenario(hours: int) -> Scenario:
    """The factory."""
    points = [
        Point(name=f"p{number}", kind="other", profile=model, address=number, rated_w=10_000 * number)
        for number, model in enumerate(MODELS, 1)
    ]
    return Scenario(
        name="heap", title="", title_zh="", start=START, hours=hours, factor=FACTOR, points=points,
        sample_interval_s=300,
    )  # fmt: skip


@contextmanager
def provisioned(folder: Path, hours: int = 1) -> Iterator[tuple[Terminal, Broker, Gateway, ScaledClock]]:
    """A terminal of the image with its backlog, and what it needs; of it only the meters run. Raises BenchError."""
    played = scenario(hours)
    authority = Authority()
    server = authority.server_files(authority.issue(BROKER), folder / "server")
    root = folder / "root"
    image.build("unix", root, (1, 0, 0), BUILT_S)
    clock = ScaledClock.starting_in(LEAD_S, played.start_ms, FACTOR)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(MOSQUITTO, folder / "broker", tls=server))
        config = wiring.write_gateway(played, folder / "gateway", broker.port, 1)
        gateway = stack.enter_context(Gateway(config, clock))
        meters = stack.enter_context(MeterBus(played, folder / "meters", clock))
        terminal = stack.enter_context(Terminal(VM, folder / "terminal", clock, meters.start(), "set", root=root))
        wanted = wiring.terminal_json(played, broker.port)
        wanted["mqtt"] |= {"port": broker.tls_port, "tls": {"server_name": BROKER}}
        files = authority.terminal_files(authority.issue(wiring.TERMINAL))
        terminal.provision(wanted, wiring.key_json(played.seed), files)
        terminal.run_vm("prefill.py", str(terminal.image), str(BACKLOG), str(len(MODELS)))
        yield terminal, broker, gateway, clock


def live(folder: Path, heap_kib: int, hours: int) -> Outcome:
    """Let it live so long, of its own time, in so much heap; it ends with the first fault. Raises BenchError."""
    with provisioned(folder, hours) as (terminal, broker, gateway, clock):
        terminal.process.command[1:1] = ["-X", f"heapsize={heap_kib}k"]
        broker.start()
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
    with provisioned(folder) as (terminal, _broker, _gateway, _clock):
        return [json.loads(line) for line in terminal.run_vm("heap_parts.py").splitlines()]
