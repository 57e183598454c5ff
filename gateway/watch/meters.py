"""What terminals tell of their meters' identities: what one learns is held against what was told before.

A terminal whose flash was erased, or another one in its place, learns its meters anew: it can't see that one was
swapped meanwhile. What was told before is kept longer than the journal (store.py). No I/O.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.watch.came import Came
from protocol import record

SERIAL, CT, PT = range(3)  # of an identity, as METER_LEARNT has it; 0: not told
# where an event that tells of a meter has (SERIAL, CT, PT)
_AT: dict[int, tuple[int | None, int | None, int | None]] = {
    record.METER_SWAPPED: (1, None, None),
    record.RATIO_CHANGED: (None, 1, 3),
    record.METER_LEARNT: (0, 1, 2),
}
CODES = frozenset(_AT)


class Told(NamedTuple):
    """What a terminal told at a time of the meter of a point, by an event of CODES."""

    terminal: str
    point: int
    at_s: int
    code: int
    serial: int
    ct_milli: int
    pt_milli: int


def told_of(came: Iterable[Came]) -> list[Told]:
    """What these records tell of meters."""
    return [
        Told(one.terminal, one.point, one.from_s, one.code, *(_value(one.values, at) for at in _AT[one.code]))
        for one in came
        if one.code in _AT
    ]


def others(learnt: Came, before: Iterable[Told]) -> list[int]:
    """Which of SERIAL, CT, PT this METER_LEARNT tells otherwise than what was told last before it."""
    known = [0, 0, 0]
    for one in sorted(before, key=lambda each: each.at_s):
        if one.point == learnt.point and one.at_s < learnt.from_s:
            known = [new or old for new, old in zip(one[-3:], known, strict=True)]
    ((*_, serial, ct_milli, pt_milli),) = told_of([learnt])
    now = (serial, ct_milli, pt_milli)
    return [which for which in (SERIAL, CT, PT) if known[which] and now[which] and known[which] != now[which]]


def _value(values: Sequence[int], at: int | None) -> int:
    return 0 if at is None or at >= len(values) else values[at]
