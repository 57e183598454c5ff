"""All terminals of a province at once: seconds from the first publish to the last terminal's ack."""

from hil.benchmarks.ingest.bench import Shape, running
from hil.benchmarks.ingest.load import POINTS
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples

TERMINALS = 7056
BURSTS_MAX = 8
GOAL_S = 0.5
NOTES = [
    f"{TERMINALS} terminals, a frame each of one window of {POINTS} points, through mosquitto and back.",
    "Broker, gateway and load share the machine's cores. In the first burst the gateway meets all terminals anew.",
]


def measure(options: Options) -> Result:
    """See the module."""
    bursts = max(2, min(options.rounds, BURSTS_MAX))
    with running("gateway", "stream", Shape(TERMINALS, bursts), options.seed) as pair:
        seconds = [pair.phase() for _ in range(bursts)]
    samples = Samples(seconds)
    figures = [
        Figure("burst.last_ack_s", round(samples.median, 3), "s", round(samples.spread, 3), "", "at most 0.5"),
        Figure("burst.slowest_last_ack_s", round(max(seconds), 3), "s", 0, ""),
        Figure("burst.frames_per_s", round(TERMINALS / samples.median), "frames/s", 0, ""),
    ]
    bars = [Bar(f"burst {number}", one, ours=True) for number, one in enumerate(seconds, start=1)]
    return Result(figures, [Chart("First publish to last ack", "s", bars, line=GOAL_S)], notes=NOTES)
