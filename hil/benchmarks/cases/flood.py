"""A flood of bad frames through the broker: how much later good ones get their acks, and what it costs (S-21)."""

import statistics
import sys
import time
from pathlib import Path

from hil.benchmarks.crowd.stand import Stand, stand
from hil.benchmarks.crowd.terminal import Crowd, Terminal
from hil.benchmarks.deployed import Admitted
from hil.benchmarks.ingest.load import names
from hil.benchmarks.realistic import windows
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.process import BenchError, Process

RATES = (0, 1000, 3000)  # bad frames a second
SECONDS = 10
TERMINALS = 20  # good ones, each with a frame without an ack at most
EVERY_S = 0.05  # a good frame, of each in turn
LIMIT_S = 60.0
QUARANTINE = "[quarantine]\nmax_frames = 5000\nmax_mib = 16\n"
NOTES = [
    f"{TERMINALS} terminals send a window each {EVERY_S:g} s in turn, for {SECONDS} s; from its publish to its ack.",
    "Meanwhile somebody publishes bad frames of terminals that are not admitted, under many names and under one.",
    "And others in a terminal's name: forged, cut, too long, bombs.",
    "Quarantine is full all the time: each refused frame is kept, with a sync, and another one goes.",
]


def measure(options: Options) -> Result:
    """See the module."""
    delays: dict[int, list[float]] = {}
    cpu_s: dict[int, float] = {}
    with stand([Admitted(name) for name in names(TERMINALS)], QUARANTINE) as pair:
        rss_mib = pair.rss_mib()
        for number, rate in enumerate(RATES):
            before_s = pair.cpu_s()
            delays[rate] = under(pair, rate, number, options.seed)
            cpu_s[rate] = pair.cpu_s() - before_s
        grown_mib = pair.rss_mib() - rss_mib
    at_goal = RATES[1]
    figures = [
        Figure("flood.delay_ms", _ms(max(delays[at_goal])), "ms", 0, "", "below 1000"),
        Figure("flood.delay_median_ms", _ms(statistics.median(delays[at_goal])), "ms", 0, ""),
        Figure("flood.calm_median_ms", _ms(statistics.median(delays[0])), "ms", 0, ""),
        Figure("flood.cpu_us_per_bad_frame", round((cpu_s[at_goal] - cpu_s[0]) / at_goal / SECONDS * 1e6), "us", 0, ""),
        Figure("flood.rss_growth_mib", round(grown_mib, 1), "MiB", 0, ""),
    ]
    bars = [Bar(f"{rate} bad frames/s", _ms(max(delays[rate])), ours=True) for rate in RATES]
    return Result(figures, [Chart("The longest wait for an ack under a flood", "ms", bars, line=1000)], NOTES)


def under(pair: Stand, rate: int, number: int, seed: int) -> list[float]:
    """Seconds from publish to ack of each good frame, under a flood of this rate. Raises BenchError."""
    count = int(SECONDS / EVERY_S) // TERMINALS
    first = number * count
    records = windows(len(RATES) * count, seed, int(time.time()))
    crowd = Crowd(Terminal(pair.port, name, flights_most=1) for name in names(TERMINALS))
    words = [str(word) for word in (pair.port, rate, SECONDS, seed, names(1)[0])]
    command = [sys.executable, "-m", "hil.benchmarks.crowd.flood", *words]
    with Process("flood", command, Path(pair.data).parent / f"flood-{rate}.log") as flood:
        flood.start()
        flood.wait_for_line('"ready"', LIMIT_S)
        began_s, sent, everyone = time.monotonic(), 0, list(crowd.terminals.values())
        while sent < count * TERMINALS or not all(one.done for one in everyone):
            if sent < count * TERMINALS and time.monotonic() >= began_s + sent * EVERY_S:
                one = everyone[sent % TERMINALS]
                one.live.append((first + sent // TERMINALS,))
                one.send(records, time.monotonic())
                sent += 1
            crowd.turn(records, EVERY_S / 10)
            if time.monotonic() > began_s + SECONDS + LIMIT_S:
                raise BenchError(f"good frames without an ack {LIMIT_S:g} s after a flood of {rate} a second")
    crowd.close()
    return [acked_s - one.sent_s[numbers] for one in everyone for numbers, acked_s in one.acked_s.items()]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
