"""A day's backlog of a province at once: how long until all is acknowledged, and how much memory that takes."""

from hil.benchmarks.ingest.bench import Shape, running
from hil.benchmarks.ingest.load import POINTS, UNDER_WAY_MAX
from hil.benchmarks.result import Figure, Options, Result

TERMINALS = 7056
FRAMES, WINDOWS = 12, 8  # of a terminal: 24 h in frames of 3.4 KB, which is what fits one
NOTES = [
    f"{TERMINALS} terminals, {FRAMES} frames each of {WINDOWS} windows of {POINTS} points, {UNDER_WAY_MAX} under way.",
    f"{TERMINALS * FRAMES * WINDOWS:,} windows, published as fast as mosquitto takes them. Measured once.",
    "Memory: the gateway process's largest resident set; the journal's index and its checkpoints are in the time.",
]


def measure(options: Options) -> Result:
    """See the module."""
    shape = Shape(TERMINALS, 1, FRAMES, WINDOWS)
    with running("gateway", "stream", shape, options.seed) as pair:
        before_us = pair.cpu_us()
        seconds = pair.phase()
        cpu_us, rss_mib = pair.cpu_us() - before_us, pair.peak_rss_mib()
    windows = shape.phase_frames * WINDOWS
    figures = [
        Figure("backlog.seconds", round(seconds, 2), "s", 0, "", "at most 15"),
        Figure("backlog.rss_mib", round(rss_mib, 1), "MiB", 0, "", "below 256"),
        Figure("backlog.windows_per_s", round(windows / seconds), "windows/s", 0, ""),
        Figure("backlog.cpu_us_per_window", round(cpu_us / windows, 2), "us", 0, ""),
    ]
    return Result(figures, notes=NOTES)
