"""Acks: what became of a batch's records, told to each terminal. Built only from what is durable."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.registry import Registry
from protocol import ack, limits


class Outcome(NamedTuple):
    """What became of one record. reason: 0 durable, else why it is refused for good (protocol.ack)."""

    seq: int
    reason: int


class Answered(NamedTuple):
    """A frame whose records have an outcome."""

    terminal: str
    generation: int
    epoch: int
    boot: int
    sent_ms: int
    outcomes: list[Outcome]


def build(answered: Iterable[Answered], registry: Registry, now_ms: Callable[[], int]) -> Iterator[tuple[str, bytes]]:
    """(terminal, ack) for a batch: one a terminal and epoch, more where the ranges do not fit one.

    Each echoes the newest frame that it answers, and is sealed with that frame's key, which the terminal surely has.
    """
    groups: dict[tuple[str, int], list[Answered]] = {}
    for one in answered:
        groups.setdefault((one.terminal, one.epoch), []).append(one)
    for (terminal, epoch), frames in groups.items():
        known = registry.get(terminal)
        newest = max(frames, key=lambda one: (one.boot, one.sent_ms))
        key = known.keys.get(newest.generation) if known else None
        if key is None:
            continue  # revoked since: it is no terminal of ours any more
        outcomes = [outcome for one in frames for outcome in one.outcomes]
        for durable, refused in _split(outcomes):
            echo = (newest.boot, newest.sent_ms)
            yield terminal, ack.seal_ack(key, terminal, epoch, durable, refused, now_ms(), echo)


def merge(outcomes: Iterable[Outcome]) -> tuple[list[tuple[int, int]], list[tuple[int, int, int]]]:
    """(durable ranges, refused ranges with reason), ascending, disjoint. A record that is durable was never refused
    for good: where a batch says both (a conflict), each list says so for itself.
    """
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


def _split(
    outcomes: Sequence[Outcome],
) -> Iterator[tuple[list[tuple[int, int]], list[tuple[int, int, int]]]]:
    """The ranges in as many parts as acks are needed to carry them (FR-34)."""
    durable, refused = merge(outcomes)
    most = limits.ACK_RANGES_MAX
    for begin in range(0, max(len(durable), len(refused)), most):
        yield durable[begin : begin + most], refused[begin : begin + most]
