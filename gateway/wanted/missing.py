"""What is still missing of the numbers that were asked for."""

from sqlite3 import Connection
from typing import NamedTuple

from gateway.journal.journal import Journal
from gateway.wanted.ranges import Range, both, minus, size
from gateway.wanted.requests import GONE, REFUSED, Request, explained

RANGES_A_LOOK = 256  # that the journal is asked for at once
LOOKS_MAX = 16  # into one row: what has more holes than these show is looked into again when they are filled


class Missing(NamedTuple):
    """ranges: to be asked for, ascending; gone, refused: how many are explained so; all others came."""

    ranges: list[Range]
    gone: int
    refused: int

    @property
    def numbers(self) -> int:
        """How many are missing."""
        return size(self.ranges)


def missing_of(connection: Connection, journal: Journal, row: Request) -> Missing:
    """Of a log that is not the terminal's newest any more nothing can come: all that is absent is gone.

    Raises StoreUnavailableError.
    """
    absent: list[Range] = []
    last, looks = row.last, 0
    while last >= row.first and looks < LOOKS_MAX:
        some = journal.absent(row.terminal, row.epoch, row.first, last, RANGES_A_LOOK)
        absent += some
        last = some[-1][0] - 1 if len(some) == RANGES_A_LOOK else -1
        looks += 1
    if not absent:
        return Missing([], 0, 0)
    if journal.newest_epoch(row.terminal) != row.epoch:
        return Missing([], size(absent), 0)
    why = explained(connection, row.terminal, row.epoch)
    gone = both(absent, why[GONE])
    refused = minus(both(absent, why[REFUSED]), gone)
    return Missing(minus(absent, [*gone, *refused]), size(gone), size(refused))
