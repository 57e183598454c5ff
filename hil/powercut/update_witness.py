"""What a board said that it did to its applications, held against what is there after a cut.

- what runs next is what ran, or the release that was being taken; the latter for certain once `take` has returned
- what runs next, what it goes back to, and the technician's are whole, byte for byte
- the newest number that was taken is not forgotten, and the file system can be written to
"""

import json
from dataclasses import dataclass, field

from hil.powercut.releases import FIRST, application_of
from hil.powercut.witness import WitnessError, hold


@dataclass
class UpdateWitness:
    """What is known of one image."""

    active: set[int] = field(default_factory=set)  # one of these runs next; none: nobody knows yet
    good: int = 0
    newest: int = 0
    operations: int = 0  # of the last run, if it was not cut

    def hear(self, _run: int, said: str) -> None:
        """What a run of update_work.py printed. Raises WitnessError."""
        self.operations = 0
        for line in said.split("\n")[:-1]:  # what has no end of line was not said
            word, *words = line.split()
            if word not in {"B", "P", "p", "C", "c", "T", "t", "END"}:
                raise WitnessError(f"the run said: {said[-2000:]}")
            self._hear(word, [int(one) for one in words])

    def _hear(self, word: str, numbers: list[int]) -> None:
        if word == "B":
            self._begins(*numbers)
        elif word in {"P", "C"}:
            self.active.add(self.good)
        elif word in {"p", "c"}:
            self.active, self.good = {numbers[0]}, numbers[1]
        elif word == "T":
            self.active.add(numbers[0])
        elif word == "t":
            self.active, self.newest = {numbers[0]}, numbers[0]
        elif word == "END":
            self.operations = numbers[0]

    def _begins(self, active: int, good: int, newest: int) -> None:
        hold(not self.active or active in self.active | {self.good}, f"{active} runs, not one of {self.active}")
        hold(newest >= self.newest, f"{self.newest} is forgotten: {newest}")
        self.active, self.good, self.newest = {active}, good, newest

    def check(self, dumped: str) -> None:
        """What update_dump.py printed after the run. Raises WitnessError."""
        try:
            told = json.loads(dumped)
        except ValueError:
            raise WitnessError(f"the file system does not open: {dumped[-2000:]}") from None
        hold(not self.active or told["active"] in self.active, f"{told['active']} runs, not one of {self.active}")
        hold(told["newest"] >= self.newest, f"{self.newest} is forgotten: {told['newest']}")
        hold(told.get("writable", True), "the file system can't be written any more")
        for number, name in told["applications"].items():
            hold(name is not None, f"the application of release {number} is not whole")
            hold(int(number) < FIRST or name == application_of(int(number)), f"release {number} is another one")
