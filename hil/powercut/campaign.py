"""All trials, side by side. Every failure comes with the id that replays it."""

import itertools
import os
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hil.powercut.machine import Bases, play
from hil.powercut.plan import KINDS, Start, Trial, fillings, starts, trials
from hil.powercut.witness import WitnessError

ROUNDS_MAX = 1000  # a round is some thousand cuts


class Failure(NamedTuple):
    """What did not hold. id: of the trial; of its start, if that failed before any cut."""

    id: str
    what: str


class Outcome(NamedTuple):
    """Of a campaign. operations: of each start, each of them cut at least once unless fewer cuts were asked for."""

    trials: int
    cuts: int
    operations: dict[str, int]
    failures: list[Failure]


def run(cuts: int, seed: int, jobs: int = 0, watch: Callable[[int, int], None] = lambda _done, _all: None) -> Outcome:
    """At least about `cuts` trials: rounds in which each operation of each kind of work is cut once; if one round is
    too much, evenly chosen ones of it. watch(done, all). Raises BenchError.
    """
    with tempfile.TemporaryDirectory(prefix="wattline-powercut-") as name:
        folder = Path(name)
        bases = Bases(folder)
        operations: dict[str, int] = {}
        failures: list[Failure] = []
        chosen = list(_chosen(bases, cuts, seed, operations, failures))
        images, lock, done = threading.local(), threading.Lock(), itertools.count(1)
        numbers = itertools.count()

        def one(trial: Trial) -> None:
            if not hasattr(images, "path"):
                images.path = folder / f"trial{next(numbers)}.img"
            failure = failure_of(bases, trial, images.path)
            with lock:
                if failure is not None:
                    failures.append(failure)
                watch(next(done), len(chosen))

        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            list(pool.map(one, chosen))
    return Outcome(len(chosen), sum(len(trial.cuts) for trial in chosen), operations, failures)


def replay(trial: Trial) -> Failure | None:
    """One trial again. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="wattline-powercut-") as name:
        return failure_of(Bases(Path(name)), trial, Path(name) / "trial.img")


def failure_of(bases: Bases, trial: Trial, image: Path) -> Failure | None:
    """Play it; what does not hold, if anything."""
    try:
        play(bases, trial, image)
    except WitnessError as error:
        return Failure(str(trial), str(error))
    except (LookupError, ValueError) as error:  # what it heard makes no sense
        return Failure(str(trial), f"{type(error).__name__}: {error}")
    return None


def _chosen(bases: Bases, cuts: int, seed: int, operations: dict[str, int], failures: list[Failure]) -> Iterator[Trial]:
    """As many rounds as it takes; a part of the first one if that is more than is wanted."""
    count = 0
    for number in range(seed, seed + ROUNDS_MAX):
        if count >= cuts:
            return
        found = [trial for start in starts(number) for trial in _of_start(bases, start, operations, failures)]
        some = _evenly(found, max(1, len(found) // cuts) if number == seed else 1, random.Random(seed))
        yield from some
        count += len(some) if found else cuts


def _evenly(found: list[Trial], every: int, draw: random.Random) -> list[Trial]:
    """One of each `every`, drawn: a fixed step would fall in with the steps in which trials differ."""
    return [draw.choice(found[at : at + every]) for at in range(0, len(found), every)]


def _of_start(bases: Bases, start: Start, operations: dict[str, int], failures: list[Failure]) -> Iterator[Trial]:
    try:
        operations[str(start)] = bases.operations(start)
    except WitnessError as error:
        failures.append(Failure(str(start), f"before any cut: {error}"))
        return iter(())
    return itertools.chain(trials(start, operations[str(start)]), fillings(start))


def titles() -> dict[str, str]:
    """Each kind of work, in words."""
    return {name: kind.title for name, kind in KINDS.items()}
