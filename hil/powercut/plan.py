"""Which power cuts there are. Pure.

A trial's id is `KIND-VM-SEED/CUT` or `KIND-VM-SEED/CUT+CUT`: a kind of work, on the 64- or 32-bit VM, drawn by the
seed, cut, and cut again in the start that follows. CUT is `OPERATION.PERCENT.NOISE.ORDER.SEED` (hil/vm/cut_flash.py).

Or `KIND-VM-SEED/full.STEP.FREE`: before a step of the work, somebody else's file leaves so many blocks of the file
system free; it is still there in the start that follows, and goes at its end (hil/vm/log_work.py). Of the log alone.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

OUT_OF_ORDER = 1
# how an operation is left: percent of its bytes done, random bytes after them, blocks in order or not
TEARS = [
    (percent, noise, order)
    for order in (0, OUT_OF_ORDER)
    for noise in (0, 16, 4096)
    for percent in (0, 50, 99, 100)
    if percent < 100 or not noise
]
AGAIN_EVERY = 4  # one trial in so many is cut once more
FREE_MAX = 14  # blocks that are left free: more than a segment and the small files take
START_OPERATIONS = 40  # a start has so many at most: mounting, counting, recovery


class Kind(NamedTuple):
    """A kind of work. mix: weights of append, free, recall, renumber. With `updates` it is the board's root file system
    on which an application is updated, and not the log: without segments, steps and mix.
    """

    title: str
    segments: int
    blocks: int
    runs_before: int
    steps: int
    mix: str
    updates: bool = False


# No kind recalls and renumbers: a gateway has no reason to ask for a number of which it has another record.
KINDS = {
    "first": Kind("from the erased flash on", 8, 64, 0, 30, "60.20.20.0"),
    "roomy": Kind("a log with room", 8, 64, 1, 30, "60.20.20.0"),
    "tight": Kind("a full log: its oldest records go", 3, 64, 3, 40, "80.10.0.8"),
    "freed": Kind("a full log: what is acknowledged goes", 3, 64, 3, 40, "50.40.10.0"),
    "moved": Kind("the gateway has other records by these names", 8, 64, 1, 30, "40.15.0.40"),
    "update": Kind("an application comes, is tried out, and passes or goes back", 0, 96, 3, 0, "", updates=True),
}


class Cut(NamedTuple):
    """One cut."""

    operation: int
    percent: int
    noise: int
    order: int
    seed: int

    def __str__(self) -> str:
        """As the VM takes it."""
        return ".".join(str(one) for one in self)


class Full(NamedTuple):
    """The file system gets full."""

    step: int
    free: int

    def __str__(self) -> str:
        """As the VM takes it."""
        return f"full.{self.step}.{self.free}"


class Start(NamedTuple):
    """What a trial begins with."""

    kind: str
    vm: int
    seed: int

    def __str__(self) -> str:
        """The first half of an id."""
        return f"{self.kind}-{self.vm}-{self.seed}"


class Trial(NamedTuple):
    """A start, and its cuts: the second one is in the start after the first. Or how its file system gets full."""

    start: Start
    cuts: tuple[Cut | Full, ...]

    def __str__(self) -> str:
        """Its id."""
        return f"{self.start}/{'+'.join(str(cut) for cut in self.cuts)}"


class BadIdError(Exception):
    """Not a trial's id; says what one looks like."""


def trial_of(text: str) -> Trial:
    """The trial of an id. Raises BadIdError."""
    found = re.fullmatch(r"(\w+)-(32|64)-(\d+)/((?:\d+\.){4}\d+(?:\+(?:\d+\.){4}\d+)*|full\.\d+\.\d+)", text)
    if not found or found[1] not in KINDS:
        raise BadIdError(f"{text}: an id is KIND-VM-SEED/CUT, as a failure prints it, KIND one of {', '.join(KINDS)}")
    start = Start(found[1], int(found[2]), int(found[3]))
    if found[4].startswith("full."):
        return Trial(start, (Full(*(int(number) for number in found[4].split(".")[1:])),))
    return Trial(start, tuple(Cut(*(int(number) for number in cut.split("."))) for cut in found[4].split("+")))


def starts(seed: int) -> list[Start]:
    """One round: every kind, on either VM by turns."""
    return [Start(kind, (64, 32)[(seed + number) % 2], seed) for number, kind in enumerate(KINDS)]


def fillings(start: Start) -> Iterator[Trial]:
    """The file system gets full before each step of a start's work, or some blocks later."""
    for step in range(KINDS[start.kind].steps):
        yield Trial(start, (Full(step, (step * 5 + start.seed) % FREE_MAX),))


def trials(start: Start, operations: int) -> Iterator[Trial]:
    """A cut at every operation of a start's work, each torn in another way."""
    for at in range(1, operations + 1):
        cut = Cut(at, *TEARS[(at + start.seed) % len(TEARS)], at)
        again = at * 7919 % START_OPERATIONS + 1
        second = Cut(again, *TEARS[(at * 5 + start.seed) % len(TEARS)], at)
        yield Trial(start, (cut, second) if at % AGAIN_EVERY == 0 else (cut,))
