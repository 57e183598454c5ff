"""Tariff periods and the grid's factor: what energy costs, and what it weighs. A part of enterprises.toml. No I/O.

[tariff]
utc_offset_h = 8
grid_co2_g_per_kwh = 570                     # of the grid that supplies them, as its operator publishes it

[[tariff.period]]
name = "valley"
from = "23:00"
to = "07:00"
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from protocol import limits
from protocol.host.strict import Problem
from protocol.host.tables import Name, Section

DAY_MIN = 24 * 60
SLOT_S = limits.WINDOW_S
SLOT_MIN = SLOT_S // 60
ALL_DAY = "all"  # the name of the one period where none is given
# on quarters of an hour: a window lies in one period as a whole
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):(00|15|30|45)$|^24:00$")]


class PeriodEntry(Section, frozen=True, rename={"from_": "from"}):
    """[[tariff.period]]: local time; one that ends before it begins goes over midnight."""

    name: Name
    from_: Clock
    to: Clock


class TariffEntry(Section, frozen=True):
    """[tariff]."""

    utc_offset_h: Annotated[int, msgspec.Meta(ge=-12, le=14)] = 8
    grid_co2_g_per_kwh: Annotated[int, msgspec.Meta(ge=0, le=2_000)] | None = None
    period: list[PeriodEntry] = msgspec.field(default_factory=list)


class Tariff(NamedTuple):
    """Which period each quarter of an hour of a local day is in."""

    offset_s: int
    co2_g_per_kwh: int | None
    of_slot: tuple[str, ...]

    def period(self, start_s: int) -> str:
        """The period of the window that begins then."""
        return self.of_slot[(start_s + self.offset_s) % (DAY_MIN * 60) // SLOT_S]

    @property
    def periods(self) -> list[str]:
        """Their names, as they come in a day."""
        return list(dict.fromkeys(self.of_slot))


def of_entry(entry: TariffEntry) -> Tariff:
    """What the file says; without periods one that lasts all day."""
    slots = [ALL_DAY] * (DAY_MIN // SLOT_MIN)
    for one in entry.period:
        for at in _slots(one):
            slots[at] = one.name
    return Tariff(entry.utc_offset_h * 3600, entry.grid_co2_g_per_kwh, tuple(slots))


def problems(path: Path, entry: TariffEntry) -> Iterator[Problem]:
    """Times of a day that are in no period, or in two."""
    if not entry.period:
        return
    times = [0] * (DAY_MIN // SLOT_MIN)
    for one in entry.period:
        for at in _slots(one):
            times[at] += 1
    wrong = [at for at, count in enumerate(times) if count != 1]
    if wrong:
        text = f"{_clock(wrong[0])}: in {times[wrong[0]]} periods / 所属时段数不为 1; allowed / 允许: one / 恰好一个"
        yield Problem(path, "tariff.period", text)


def _slots(one: PeriodEntry) -> Sequence[int]:
    first, last = _minutes(one.from_) // SLOT_MIN, _minutes(one.to) // SLOT_MIN
    whole = DAY_MIN // SLOT_MIN
    return range(first, last) if first < last else [*range(first, whole), *range(last)]


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(slot: int) -> str:
    return f"{slot * SLOT_MIN // 60:02}:{slot * SLOT_MIN % 60:02}"
