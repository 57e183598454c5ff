"""Faults that are put into gateway and terminal on purpose: each must be caught by some seed, else the bench proves
nothing. A mutant is a small patch of this process (patch.py), with the seed that is known to catch it soon.
"""

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hil.sim import fuzz, micropython

micropython.install()  # the terminal's modules are patched as they run here

from hil.sim.mutants import of_conflicts, of_gateway, of_terminal  # noqa: E402
from hil.sim.mutants.patch import Patch, applied  # noqa: E402


class Mutant(NamedTuple):
    """A fault by name; `seed` is known to catch it."""

    name: str
    says: str
    patches: Callable[[], Iterator[Patch]]
    seed: int


class Caught(NamedTuple):
    """By which seed (None: by none), the finding's invariant, code and text, and how long it took."""

    name: str
    seed: int | None
    invariant: int
    code: str
    text: str
    cpu_s: float


# by mutant, the seed that catches it soonest; where a change of the bench moves that, the search finds another
SEEDS = {
    "ack_before_commit": 0,
    "acked_forgotten": 84,
    "append_not_flushed": 0,
    "backlog_first": 17,
    "clone_accepted": 8,
    "conflict_overwrites": 8,
    "cursor_not_kept": 12,
    "dedup_forgets": 5,
    "dropped_fsync": 0,
    "energy_reckoned": 15,
    "epoch_lost": 18,
    "free_at_puback": 0,
    "gap_filled": 87,
    "last_window_dropped": 20,
    "line_dropped": 10,
    "number_reused": 23,
    "numbers_begin_anew": 12,
    "quarantine_lost": 13,
    "release_before_commit": 0,
    "replayed_ack_sets_clock": 6,
    "sent_is_confirmed": 16,
    "stale_values": 15,
    "time_guessed": 3,
    "torn_counter_believed": 317,
    "unauthenticated_accept": 13,
}


def _all() -> Iterator[Mutant]:
    for module in (of_gateway, of_conflicts, of_terminal):
        for name, found in vars(module).items():
            if inspect.isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_"):
                yield Mutant(name, (found.__doc__ or "").strip(), found, SEEDS[name])


MUTANTS = {one.name: one for one in _all()}


def catch(mutant: Mutant, seeds: Sequence[int]) -> Caught:
    """Play the seed that is known to catch it, then the others, until one does."""
    began_s = time.process_time()
    with applied(mutant.patches()):
        for seed in (mutant.seed, *(one for one in seeds if one != mutant.seed)):
            run = fuzz.run(seed)
            if not run.passed:
                finding = run.findings[0]
                spent_s = time.process_time() - began_s
                return Caught(mutant.name, seed, finding.invariant, finding.code, finding.text, spent_s)
    return Caught(mutant.name, None, 0, "", "", time.process_time() - began_s)
