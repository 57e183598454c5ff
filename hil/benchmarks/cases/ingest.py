"""A frame's cost from receive to ack through a real broker: gateway and carrier alone, with either carrier."""

import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from hil.bench import MOSQUITTO
from hil.benchmarks.ingest.load import POINTS, PUBLISHERS, SECRET, names
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.broker import Broker
from hil.process import Process

TERMINALS = 7056  # the province's
PHASES = 3  # measured, after one that is not: topics are known then, and files have grown
ROUNDS_MAX = 5  # of half a minute each; the CPU time of 21,000 frames varies little
READY_S = 60.0
PHASE_S = 90.0
PAHO = f"paho-mqtt {version('paho-mqtt')}"
# mosquitto's defaults are 20 acks under way, and 1000 frames kept for a subscriber
BROKER: dict[str, int | str] = {"max_inflight_messages": 1000, "max_queued_messages": 20_000, "log_type": "none"}
CONTENDERS = [("gateway", "stream"), ("gateway", "paho"), ("carry", "stream"), ("carry", "paho")]
NOTES = [
    f"{TERMINALS} terminals, a window of {POINTS} points each, at once over {PUBLISHERS} connections, {PHASES} times.",
    "CPU time, user and system, of all threads of the gateway's process, from the first publish to the last ack.",
    "cpu_us_per_message: receive, authenticate, decode, check, commit (FULL sync), seal and publish acks, PUBACK.",
    "carrier_us_per_message: the carrier alone: receive, publish a ready ack, PUBACK.",
]


@dataclass
class Measured:
    """Of one contender: a value a round."""

    cpu_us: list[float] = field(default_factory=list)  # a message
    seconds: list[float] = field(default_factory=list)  # first publish to last ack, of a phase


def measure(options: Options) -> Result:
    """See the module."""
    found = {contender: Measured() for contender in CONTENDERS}
    for number in range(min(options.rounds, ROUNDS_MAX)):
        for contender in CONTENDERS[number % 4 :] + CONTENDERS[: number % 4]:
            run(contender, options.seed, found[contender])
    cpu = {contender: Samples(one.cpu_us) for contender, one in found.items()}
    whole, paho_whole = cpu["gateway", "stream"], cpu["gateway", "paho"]
    alone, paho_alone = cpu["carry", "stream"], cpu["carry", "paho"]
    figures = [
        _figure("ingest.cpu_us_per_message", whole, "us", goal="at most 8"),
        _figure("ingest.carrier_us_per_message", alone, "us"),
        _figure("ingest.paho_cpu_us_per_message", paho_whole, "us", PAHO),
        _figure("ingest.paho_carrier_us_per_message", paho_alone, "us", PAHO),
        _figure("ingest.ratio_paho", paho_whole.over(whole), "ratio", PAHO),
        _figure("ingest.carrier_ratio_paho", paho_alone.over(alone), "ratio", PAHO),
        _figure("ingest.last_ack_s", Samples(found["gateway", "stream"].seconds), "s"),
    ]
    bars = [
        Bar(
            f"{'gateway' if work == 'gateway' else 'carrier alone'}, {carrier}",
            cpu[work, carrier].median,
            carrier == "stream",
        )
        for work, carrier in CONTENDERS
    ]
    return Result(figures, [Chart("CPU a message", "µs", bars, line=8)], NOTES)


def run(contender: tuple[str, str], seed: int, into: Measured) -> None:
    """One contender through all phases, with a broker and files of its own. Raises BenchError."""
    module, carrier = contender
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker = Broker(MOSQUITTO, folder / "broker", BROKER)
        running.enter_context(broker)
        broker.start()
        config = write_config(folder, broker.port, names(TERMINALS))
        measured = _child(module, [str(config), carrier], folder, running)
        words = [str(word) for word in (broker.port, TERMINALS, PHASES + 1, seed)]
        load = _child("load", words, folder, running)
        publish(load)
        before_ns = cpu_ns(measured.pid)
        into.seconds += [publish(load) for _ in range(PHASES)]
        into.cpu_us.append((cpu_ns(measured.pid) - before_ns) / 1000 / TERMINALS / PHASES)


def publish(load: Process) -> float:
    """Have a phase published; seconds to its last ack."""
    seen = len(load.text().encode())
    os.kill(load.pid, signal.SIGUSR1)
    line = load.wait_for_line(r"^\{\"seconds\".*\}$", PHASE_S, seen)
    return float(json.loads(line[0])["seconds"])


def cpu_ns(pid: int) -> int:
    """CPU time of the process's threads that live."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))


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


def _child(module: str, words: list[str], folder: Path, running: ExitStack) -> Process:
    command = [sys.executable, "-m", f"hil.benchmarks.ingest.{module}", *words]
    process = running.enter_context(Process(module, command, folder / f"{module}.log"))
    process.start()
    process.wait_for_line(r'^\{"ready": true', READY_S)
    return process


def _figure(name: str, samples: Samples, unit: str, peer: str = "", goal: str = "") -> Figure:
    return Figure(name, round(samples.median, 2), unit, round(samples.spread, 2), peer, goal)
