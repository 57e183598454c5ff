"""Which versions of the firmware a terminal ran, as it said at its starts."""

from itertools import groupby

from hil.oracle.evidence import Journal
from protocol.record import BOOT, Event


def versions_of(journal: Journal) -> list[str]:
    """In the order of its starts; one that follows itself is told once."""
    starts = [
        (record.body.boot, record.body.values[1])
        for record in journal.kept
        if isinstance(record.body, Event) and record.body.code == BOOT and len(record.body.values) > 1
    ]
    return [_text(number) for number, _ in groupby(number for _, number in sorted(starts))]


def _text(number: int) -> str:
    """As people say the version that the event tells (protocol/SPEC.md, section 4)."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
