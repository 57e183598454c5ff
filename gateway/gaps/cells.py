"""What the journal has of one terminal's cells. Whatever the order in which windows come, the cells end the same."""

from itertools import zip_longest
from typing import NamedTuple

from gateway.gaps.slots import Slots
from gateway.gaps.words import CELL_S, GRACE_S


class Cell(NamedTuple):
    """One cell; points as bits. A reading that came in time goes before a late one, a late one before none."""

    in_time: int = 0
    late: int = 0
    silent: int = 0
    reasons: bytes = b""

    @property
    def received(self) -> int:
        """Points with a reading."""
        return self.in_time | self.late


def joined(cell: Cell, start_s: int, slots: Slots, received_s: int) -> Cell:
    """The cell that begins at start_s, with one more window in it."""
    in_time = received_s <= start_s + CELL_S + GRACE_S
    return Cell(
        cell.in_time | (slots.readings if in_time else 0),
        cell.late | (0 if in_time else slots.readings),
        cell.silent | slots.silent,
        bytes(map(max, zip_longest(cell.reasons, slots.reasons, fillvalue=0))) if slots.silent else cell.reasons,
    )
