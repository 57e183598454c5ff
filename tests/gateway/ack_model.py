"""Acks as a page of Python: what the compiled ones are held to."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Outcome(NamedTuple):
    """What became of one record. reason: 0 durable, else why it is refused for good (protocol.ack)."""

    seq: int
    reason: int


Ranges = tuple[list[tuple[int, int]], list[tuple[int, int, int]]]


def merge(outcomes: Iterable[Outcome]) -> Ranges:
    """(durable ranges, refused ranges with reason), ascending, disjoint."""
    durable: list[tuple[int, int]] = []
    refused: list[tuple[int, int, int]] = []
    for seq, reason in sorted(set(outcomes)):
        if reason == 0:
            if durable and seq == durable[-1][1] + 1:
                durable[-1] = (durable[-1][0], seq)
            else:
                durable.append((seq, seq))
        elif refused and seq <= refused[-1][1]:
            continue  # two reasons for one record: one will do
        elif refused and (seq, reason) == (refused[-1][1] + 1, refused[-1][2]):
            refused[-1] = (refused[-1][0], seq, reason)
        else:
            refused.append((seq, seq, reason))
    return durable, refused


def split(outcomes: Sequence[Outcome], most: int) -> Iterator[Ranges]:
    """The ranges in as many parts as acks are needed to carry them."""
    durable, refused = merge(outcomes)
    for begin in range(0, max(len(durable), len(refused)), most):
        yield durable[begin : begin + most], refused[begin : begin + most]
