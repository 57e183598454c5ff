"""Other gateways beside ours, end to end: the same readings in by a broker, each with one upstream."""

from dataclasses import dataclass, field

from hil.benchmarks.peers.arena import Load, Outcome, run
from hil.benchmarks.peers.contenders import ALL
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.process import BenchError

ROUNDS_MAX = 3
LIMIT_S = 120.0
# messages: enough for a second or more of each; the same readings, of which the slow see fewer
LOADS = {
    "ours": Load(105, 10_080, 0, 20.0, LIMIT_S),
    "naive": Load(105, 5_040, 0, 20.0, LIMIT_S),
    "nodered": Load(105, 5_040, 0, 20.0, LIMIT_S),
    "thingsboard": Load(21, 1_512, 0, 4.0, LIMIT_S),
}
TITLES = {
    "ours": "Wattline",
    "naive": "obvious Python",
    "nodered": "Node-RED",
    "thingsboard": "ThingsBoard IoT Gateway",
}
GOALS = {
    "thingsboard.rate_ratio": "at least 60",
    "thingsboard.cpu_ratio": "at least 150",
    "nodered.rate_ratio": "at least 2.5",
    "nodered.cpu_ratio": "at least 5",
    "naive.cpu_ratio": "at least 10",
}
NOTES = [
    "A message is a window of 9 points: our frame of 450 bytes (Wattline, obvious Python) or JSON of 2.4 KB.",
    "All messages are published at once to a mosquitto; the platform records each before it acknowledges it.",
    "Rate: messages over the time from the first publish to the last one at the platform.",
    "CPU: user and system, all threads of the gateway's process, from the first publish to the end.",
    "ThingsBoard: MQTT connector, JSON converter, SQLite storage; a point is a device, all known beforehand.",
    "Node-RED: mqtt in, JSON, range check, JSON, mqtt out; it stores nothing. Neither verifies a signature.",
    "Obvious Python: a row a reading, committed (FULL) before the ack; forwards JSON (hil/benchmarks/peers/naive.py).",
    "Wattline forwards frames as they came, by its own sink for brokers (kind mqtt, format frames).",
]


@dataclass
class Measured:
    """Of one contender: a value a round; or why there is none."""

    rates: list[float] = field(default_factory=list)  # messages/s
    cpu_us: list[float] = field(default_factory=list)  # a message
    rss_mib: list[float] = field(default_factory=list)
    failure: str = ""

    def add(self, load: Load, outcome: Outcome) -> None:
        """Another round."""
        if outcome.lost:
            raise BenchError(f"{outcome.lost} of {outcome.due} readings did not arrive without any fault")
        self.rates.append(load.messages / outcome.seconds)
        self.cpu_us.append(outcome.cpu_us)
        self.rss_mib.append(outcome.rss_mib)


def measure(options: Options) -> Result:
    """See the module. A contender that does not start is a failure, and the others are measured all the same."""
    found = {name: Measured() for name in ALL}
    order = list(ALL)
    for _ in range(max(2, min(options.rounds, ROUNDS_MAX))):
        for name in order:
            one, load = found[name], LOADS[name]
            if not one.failure:
                try:
                    one.add(load, run(ALL[name], load._replace(seed=options.seed)))
                except BenchError as error:
                    one.failure = f"{name}: {error}"
        order.append(order.pop(0))
    failures = [one.failure for one in found.values() if one.failure]
    good = {name: one for name, one in found.items() if not one.failure}
    versions = {name: f"{TITLES[name]} {ALL[name].version()}" for name in good}
    figures = [figure for name, one in good.items() for figure in _costs(name, one, versions[name])]
    if "ours" in good:
        figures = [
            figure
            for name, one in good.items()
            if name != "ours"
            for figure in _ratios(name, good["ours"], one, versions[name])
        ] + figures
    rates = [Bar(versions[name], Samples(one.rates).median, name == "ours") for name, one in good.items()]
    cpus = [Bar(versions[name], Samples(one.cpu_us).median, name == "ours") for name, one in good.items()]
    charts = [Chart("Messages a second, end to end", "messages/s", rates), Chart("CPU a message", "µs", cpus)]
    return Result(figures, charts, notes=NOTES, failures=failures)


def _ratios(name: str, ours: Measured, theirs: Measured, peer: str) -> list[Figure]:
    """Round by round; larger is better for us."""
    rate, cpu = Samples(ours.rates).over(Samples(theirs.rates)), Samples(theirs.cpu_us).over(Samples(ours.cpu_us))
    return [
        Figure(
            f"{name}.{what}", round(one.median, 2), "ratio", round(one.spread, 2), peer, GOALS.get(f"{name}.{what}", "")
        )
        for what, one in (("rate_ratio", rate), ("cpu_ratio", cpu))
    ]


def _costs(name: str, one: Measured, peer: str) -> list[Figure]:
    rate, cpu, rss = Samples(one.rates), Samples(one.cpu_us), Samples(one.rss_mib)
    return [
        Figure(f"{name}.messages_per_s", round(rate.median), "messages/s", round(rate.spread), peer),
        Figure(f"{name}.cpu_us_per_message", round(cpu.median, 1), "us", round(cpu.spread, 1), peer),
        Figure(f"{name}.rss_mib", round(rss.median, 1), "MiB", round(rss.spread, 1), peer),
    ]
