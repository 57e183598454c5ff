"""What the gateway's journal has of what a province sent: by the bytes of its frames, which it keeps as they came.

A frame is authenticated by each terminal's own key; one that is the same to the byte as what was prepared for that
terminal says what was prepared, and any other one is invented.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hil.fleet.plan import Prepared
from hil.oracle.sources import stored_frames


class Verdict(msgspec.Struct, frozen=True):
    """In windows; invented: frames that nobody has sent."""

    expected: int
    journalled: int
    lost: int
    twice: int
    invented: int

    @property
    def passed(self) -> bool:
        """Whether everything is there once, and nothing else."""
        return (self.lost, self.twice, self.invented) == (0, 0, 0)


def judge(journal: Path, fleet: Iterable[Prepared]) -> Verdict:
    """The verdict over a run."""
    sent = {(one.name, data): numbers for one in fleet for numbers, data in one.frames.items()}
    taken: Counter[tuple[str, int]] = Counter()
    invented = 0
    for mask, name, data in stored_frames(journal):
        numbers = sent.get((name, data))
        if numbers is None:
            invented += 1
            continue
        taken.update((name, number) for at, number in enumerate(numbers) if mask >> at & 1)
    expected = sum(len(numbers) for numbers in sent.values())
    twice = sum(count - 1 for count in taken.values())
    return Verdict(expected, len(taken), expected - len(taken), twice, invented)
