"""All rules of the watch over a province's quarter of an hour, on one core."""

import random
import tempfile
import time
from pathlib import Path

from gateway.config import VerifyConfig
from gateway.journal.journal import Journal
from gateway.registry import Registry, Terminal
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.rules import Rules
from gateway.watch.screen import SETTLE_S
from gateway.watch.store import Store
from gateway.watch.watcher import Watched, Watcher
from hil.benchmarks.cases.journal import OF_A_BURST, TERMINALS, batches, terminals
from hil.benchmarks.realistic import POINTS, WINDOW_S, windows
from hil.benchmarks.result import Bar, Chart, Figure, Options, Result
from hil.benchmarks.timing import Samples
from hil.terminal import ROOT

PRODUCTION = 6  # of a terminal's points: the other three clean
BEFORE = 2  # quarters of an hour that are looked at exactly: nothing is known of what was before
NOTES = [
    f"{TERMINALS} terminals, each an enterprise with a linkage of {POINTS} points, on a journal of their own.",
    "CPU time of a look at a quarter of an hour in which nothing is wrong: linkage, honesty, service; replays of 4.",
    "first_look: nothing was looked at before, all of it exactly; look_after_start: a watch that was started again.",
]


class _Now:
    """The gateway's clock, as the case sets it."""

    now_s = 0

    def now_ms(self) -> int:
        return self.now_s * 1000


def measure(options: Options) -> Result:
    """See the module."""
    quarters = BEFORE + max(3, min(options.rounds, 5)) + 1
    now_s = int(time.time()) // WINDOW_S * WINDOW_S
    raws = windows(quarters, random.Random(options.seed).randrange(1000), now_s)
    everyone, clock = terminals(), _Now()
    known = [_enterprise(one) for one in everyone]
    (ROOT / "build").mkdir(exist_ok=True)
    cpu_s = []
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        journal, store = Journal(Path(name), VerifyConfig()), Store(Path(name))
        watched = Watched(Registry(everyone), known, Rules(), VerifyConfig().future_refuse_s)
        watcher = Watcher(Path(name), store, clock, watched, _off)
        for number, raw in enumerate(raws):
            ended_s = now_s - (quarters - number - 1) * WINDOW_S
            for batch in batches(everyone, raw, number, OF_A_BURST, ended_s + 5):
                journal.commit(batch)
            clock.now_s = ended_s + SETTLE_S + 10
            begun_s = time.process_time()
            if number == quarters - 1:
                watcher.close()
                watcher = Watcher(Path(name), store, clock, watched, _off)
            watcher.look()
            cpu_s.append(time.process_time() - begun_s)
        found = [row.kind for row in store.rows()]
        for each in (watcher, store, journal):
            each.close()
    if found:
        raise RuntimeError(f"nothing is wrong in this province, and the watch says {found[:5]}")
    samples = Samples(cpu_s[BEFORE:-1])
    figures = [
        Figure("watch.look_s", round(samples.median, 2), "s", round(samples.spread, 2), "", "at most 1"),
        Figure("watch.look_after_start_s", round(cpu_s[-1], 1), "s", 0.0, ""),
        Figure("watch.first_look_s", round(cpu_s[0], 1), "s", 0.0, ""),
    ]
    bars = [Bar("a quarter of an hour", samples.median, ours=True)]
    return Result(figures, [Chart("CPU of all rules over 60,414 readings", "s", bars, line=1)], notes=NOTES)


def _enterprise(terminal: Terminal) -> Enterprise:
    points = [PointId(terminal.id, number) for number in range(1, POINTS + 1)]
    production, treatment = tuple(points[:PRODUCTION]), tuple(points[PRODUCTION:])
    linkage = Linkage("line", production, treatment, 5_000, 500, 500, needs_all=True, start_slots=1, run_on_slots=0)
    return Enterprise(terminal.id, terminal.id, (linkage,), ())


def _off(rule: str, error: Exception) -> None:
    raise RuntimeError(rule) from error
