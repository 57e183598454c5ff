"""How a scenario's file says when: local time of day, and how long."""

import re
from typing import Annotated, Protocol

import msgspec

LocalTime = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Duration = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,4} ?(h|min|s)$")]
Day = Annotated[int, msgspec.Meta(ge=1, le=366)]
DAY_MS = 86_400_000


class Spanned(Protocol):
    """Something that has a stretch of time: a fault, an expectation."""

    @property
    def at(self) -> str | None: ...
    @property
    def lasts(self) -> str | None: ...
    @property
    def day(self) -> int: ...


def duration_s(text: str) -> int:
    """Seconds of "2 h", "50min", "30 s"."""
    number, unit = re.fullmatch(r"(\d+) ?(h|min|s)", text).groups()  # type: ignore[union-attr]  # schema-checked
    return int(number) * {"h": 3600, "min": 60, "s": 1}[unit]


def span_ms(one: Spanned, midnight_ms: int) -> tuple[int, int]:
    """(from, to) in virtual Unix ms; midnight_ms: the local midnight before the scenario's beginning. `at` and `lasts`
    are there.
    """
    from_ms = instant_ms(str(one.at), one.day, midnight_ms)
    return from_ms, from_ms + duration_s(str(one.lasts)) * 1000


def instant_ms(at: str, day: int, midnight_ms: int) -> int:
    """Virtual Unix ms of a local time of day, likewise."""
    hour, minute = (int(part) for part in at.split(":"))
    return midnight_ms + (day - 1) * DAY_MS + (hour * 60 + minute) * 60_000
