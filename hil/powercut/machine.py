"""The VM on a flash image, and the images that trials begin with."""

import copy
import itertools
import shutil
import threading
from pathlib import Path

from hil import micropython
from hil.powercut import releases
from hil.powercut.plan import KINDS, Full, Kind, Start, Trial
from hil.powercut.update_witness import UpdateWitness
from hil.powercut.witness import Witness, WitnessError
from hil.process import BenchError

CUT_STATUS = 77
RUNS_A_SEED = 16  # runs are numbered through, so that no two of one image make equal names


def counters_of(image: Path) -> Path:
    """The counters' flash of an image."""
    return image.with_name(image.name + ".counters")


def copy_image(source: Path, target: Path) -> None:
    """Both flashes; nothing where there is nothing yet."""
    for one, other in ((source, target), (counters_of(source), counters_of(target))):
        other.unlink(missing_ok=True)
        if one.exists():
            shutil.copyfile(one, other)


class Machine:
    """A flash image, and the witness of what is done with it."""

    def __init__(self, image: Path, kind: Kind, vm: int, run: int) -> None:
        self.image = image
        self.witness: Witness | UpdateWitness = UpdateWitness() if kind.updates else Witness()
        self._kind = kind
        self._vm = vm
        self._run = run

    def work(self, cut: str = "") -> int:
        """One start, and its work. Returns the status it ended with. Raises WitnessError."""
        status, said = micropython.run(self._script("work"), *self._next(), cut, vm=self._vm, blocks=self._kind.blocks)
        self.witness.hear(self._run, said)
        if status not in {0, CUT_STATUS}:
            raise WitnessError(f"the run ended with {status}: {said[-2000:]}")
        return status

    def work_until(self, lines: int) -> None:
        """One start, killed at some moment after it has said so many lines. Raises WitnessError."""
        with micropython.started(self._script("work"), *self._next(), vm=self._vm, blocks=self._kind.blocks) as process:
            if process.stdout is None:
                raise BenchError("the work has no output")
            heard = list(itertools.islice(process.stdout, lines))
            process.kill()
            heard += process.stdout
        self.witness.hear(self._run, "".join(heard))

    def _next(self) -> tuple[object, ...]:
        """The arguments of the next run."""
        self._run += 1
        if self._kind.updates:
            return self.image, self._run, releases.KEY.point.hex(), releases.written(self.image.parent, self._run)
        return self.image, self._kind.segments, self._run, self._kind.steps, self._kind.mix

    def check(self, *write: str) -> None:
        """Open what was worked on and hold it against what was said. Raises WitnessError."""
        segments = () if self._kind.updates else (self._kind.segments,)
        status, said = micropython.run(self._script("dump"), self.image, *segments, *write, vm=self._vm)
        if status:
            raise WitnessError(f"it does not open: {said[-2000:]}")
        self.witness.check(said)

    def _script(self, doing: str) -> str:
        return f"{'update' if self._kind.updates else 'log'}_{doing}"

    def copy_to(self, image: Path) -> "Machine":
        """Another one, in the same state."""
        copy_image(self.image, image)
        other = Machine(image, self._kind, self._vm, self._run)
        other.witness = copy.deepcopy(self.witness)
        return other


class Bases:
    """The images that trials begin with, made as they are needed. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[Start, Machine] = {}
        self._lock = threading.Lock()

    def of(self, start: Start) -> Machine:
        """What a start begins with. Raises WitnessError, BenchError."""
        with self._lock:
            if start not in self._made:
                kind = KINDS[start.kind]
                made = Machine(self._folder / f"{start}.img", kind, start.vm, start.seed * RUNS_A_SEED)
                for _ in range(kind.runs_before):
                    made.work()
                    made.check()
                self._made[start] = made
            return self._made[start]

    def operations(self, start: Start) -> int:
        """How many flash operations its work makes if nothing cuts it."""
        whole = self.of(start).copy_to(self._folder / f"{start}.whole.img")
        whole.work()
        whole.check()
        return whole.witness.operations


def play(bases: Bases, trial: Trial, image: Path) -> Witness | UpdateWitness:
    """One trial, on an image of its own. Raises WitnessError, BenchError."""
    machine = bases.of(trial.start).copy_to(image)
    for cut in trial.cuts:
        machine.work(str(cut))
    if isinstance(trial.cuts[0], Full):
        machine.work("full.gone")
    machine.check("write")
    return machine.witness
