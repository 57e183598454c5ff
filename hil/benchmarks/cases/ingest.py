"""A frame's cost from receive to ack through a real broker: gateway and carrier alone, with either carrier."""

import time
from dataclasses import dataclass, field
from importlib.metadata import version

from hil.benchmarks.ingest.bench import Shape, running
from hil.benchmarks.ingest.load import POINTS, PUBLISHERS
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples

TERMINALS = 7056  # the province's
PHASES = 4  # measured, after one that is not: topics are known then, and files have grown
SUSTAINED_PHASES = 11  # 77,616 frames: the journal's index is written once, and checkpoints are made
SETTLE_S = 2.0  # after the last ack, for what the gateway does later
ROUNDS_MAX = 3  # of half a minute each; the CPU time of 28,000 frames varies little
PAHO = f"paho-mqtt {version('paho-mqtt')}"
CONTENDERS = [("gateway", "stream"), ("gateway", "paho"), ("carry", "stream"), ("carry", "paho")]
NOTES = [
    f"{TERMINALS} terminals, a window of {POINTS} points each, at once over {PUBLISHERS} connections, {PHASES} times.",
    "CPU time, user and system, of all threads of the gateway's process, from the first publish to the last ack.",
    "cpu_us_per_message: receive, authenticate, decode, check, commit (FULL sync), seal and publish acks, PUBACK.",
    "carrier_us_per_message: the carrier alone: receive, publish a ready ack, PUBACK.",
    f"sustained_cpu_us_per_message: over {SUSTAINED_PHASES} phases and {SETTLE_S:g} s after the last ack.",
    "It has also the journal's index, its checkpoints, and the gauges of missing windows.",
]


@dataclass
class Measured:
    """Of one contender: a value a round."""

    cpu_us: list[float] = field(default_factory=list)  # a message
    sustained_us: list[float] = field(default_factory=list)  # a message


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
        _figure("ingest.sustained_cpu_us_per_message", Samples(found["gateway", "stream"].sustained_us), "us"),
        _figure("ingest.carrier_us_per_message", alone, "us"),
        _figure("ingest.paho_cpu_us_per_message", paho_whole, "us", PAHO),
        _figure("ingest.paho_carrier_us_per_message", paho_alone, "us", PAHO),
        _figure("ingest.ratio_paho", paho_whole.over(whole), "ratio", PAHO),
        _figure("ingest.carrier_ratio_paho", paho_alone.over(alone), "ratio", PAHO),
    ]
    bars = [
        Bar(
            f"{'gateway' if work == 'gateway' else 'carrier alone'}, {carrier}",
            cpu[work, carrier].median,
            carrier == "stream",
        )
        for work, carrier in CONTENDERS
    ]
    return Result(figures, [Chart("CPU a message", "µs", bars, line=8)], notes=NOTES)


def run(contender: tuple[str, str], seed: int, into: Measured) -> None:
    """One contender through all phases. Raises BenchError."""
    module, carrier = contender
    phases = SUSTAINED_PHASES if contender == ("gateway", "stream") else PHASES
    with running(module, carrier, Shape(TERMINALS, phases + 1), seed) as pair:
        pair.phase()
        before_us = pair.cpu_us()
        for number in range(1, phases + 1):
            pair.phase()
            if number == PHASES:
                into.cpu_us.append((pair.cpu_us() - before_us) / TERMINALS / PHASES)
        time.sleep(SETTLE_S)
        into.sustained_us.append((pair.cpu_us() - before_us) / TERMINALS / phases)


def _figure(name: str, samples: Samples, unit: str, peer: str = "", goal: str = "") -> Figure:
    return Figure(name, round(samples.median, 2), unit, round(samples.spread, 2), peer, goal)
