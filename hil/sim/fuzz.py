"""Many seeds: each a factory, its troubles and a verdict. A failure is a seed, and the seed is the failure again."""

import gc
import multiprocessing
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import msgspec

from hil.oracle import judge_all
from hil.oracle.evidence import Finding
from hil.runner import evidence, judge_run
from hil.sim import plan
from hil.sim.target import Sim, in_memory
from hil.sim.world import World
from hil.target import StoppedError

STEP_MS = 300_000


class Run(msgspec.Struct, frozen=True):
    """What came of a seed. trace: the digest over all that happened; story: its last lines, where it failed.

    virtual_s: what was played; cpu_s: what that took here.
    """

    seed: int
    findings: list[Finding]
    windows: int
    trace: str
    troubles: list[plan.Trouble]
    story: list[str]
    virtual_s: int
    cpu_s: float

    @property
    def passed(self) -> bool:
        """Whether every invariant held."""
        return not self.findings


Seen = Callable[[Sim, Sequence[plan.Trouble], list[Finding]], None]


def run(
    seed: int,
    troubles: Sequence[plan.Trouble] | None = None,
    write: Callable[[str], object] | None = None,
    seen: Seen | None = None,
    hours: int | None = None,
) -> Run:
    """Play a seed; with other troubles, and for another time, than it draws, if they are given. write: takes the lines
    of the trace; seen: is shown the run at its end.
    """
    scenario = plan.scenario_of(seed)
    if hours is not None:
        scenario = msgspec.structs.replace(scenario, hours=hours)
    chosen = plan.troubles_of(scenario) if troubles is None else list(troubles)
    began_s = time.process_time()
    gc.disable()  # cycles of one short run cost less than looking for them
    try:
        with in_memory() as folder, World(scenario, folder, write) as world:
            target = Sim(world)
            plan.arrange(world, chosen)
            target.bring_up({plan.CLONE} if plan.has_clone(scenario) else set())
            try:
                findings, windows = _verdict(target, plan.refusals(chosen))
            except StoppedError as stopped:
                findings, windows = [stopped.finding], 0
            if seen is not None:
                seen(target, chosen, findings)
            story = list(world.trace.lines) if findings else []
            virtual_s, cpu_s = world.loop.now_us // 1_000_000, time.process_time() - began_s
            return Run(seed, findings, windows, world.trace.digest(), chosen, story, virtual_s, cpu_s)
    finally:
        gc.enable()


def _verdict(target: Sim, refusals: Collection[str] | None) -> tuple[list[Finding], int]:
    """Play to the end, wait until all has arrived, and judge. refusals: see runner.judge_run."""
    end_ms = target.scenario.end_ms
    target.advance(end_ms)
    until_ms = end_ms + target.drain_ms
    while True:
        target.advance(target.now_ms() + STEP_MS)
        verdict = judge_all(evidence(target))
        if verdict.passed or target.now_ms() >= until_ms:
            break
    verdict.findings += [Finding(6, "crash", text) for text in target.world.crashes()]
    judge_run(target, verdict, refusals)
    return verdict.findings, verdict.windows.journalled


def campaign(seeds: Sequence[int], jobs: int) -> Iterator[Run]:
    """The runs of all seeds, as they end; in so many processes."""
    if jobs == 1:
        yield from map(run, seeds)
        return
    # not multiprocessing's own pool, which waits for ever for a process that was killed
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(run, seeds, chunksize=4)


class Shrunk(msgspec.Struct, frozen=True):
    """What is left of a run that still fails the same way."""

    troubles: list[plan.Trouble]
    hours: int


def shrink(failed: Run, said: Callable[[str], object]) -> Shrunk:
    """The fewest of its troubles, then the shortest run and the shortest spells, with which a seed still fails so."""
    codes = {finding.code for finding in failed.findings}
    hours = plan.scenario_of(failed.seed).hours
    kept = list(failed.troubles)

    def fails(troubles: list[plan.Trouble], hours: int) -> bool:
        return bool(codes & {finding.code for finding in run(failed.seed, troubles, hours=hours).findings})

    for one in failed.troubles:
        fewer = [other for other in kept if other != one]
        if fails(fewer, hours):
            kept = fewer
            said(f"still fails without {one.what}")
    for fewer_hours in range(1, hours):
        within = plan.within(kept, fewer_hours)
        if fails(within, fewer_hours):
            kept, hours = within, fewer_hours
            said(f"still fails in {hours} h")
            break
    for number in range(len(kept)):
        while (shorter := plan.shortened(kept[number])) is not None:
            others = [*kept[:number], shorter, *kept[number + 1 :]]
            if not fails(others, hours):
                break
            kept = others
            said(f"still fails with {shorter.what} for {(shorter.to_ms - shorter.from_ms) // 1000} s")
    return Shrunk(kept, hours)
