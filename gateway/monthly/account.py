"""A month of an enterprise in numbers. No I/O: rows in, counts out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.export.columns import Row
from gateway.registry import Registry
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.measures import Measures, measures
from gateway.watch.slots import SLOT_S, Slot, Slots, slots_of
from gateway.watch.tariff import Tariff

DAY_S = 86_400
WH_A_KWH = 1_000
UNPLACED = "unplaced"  # of a register's rise over a gap nobody knows in which period it was


class PointMonth(NamedTuple):
    """A point. energy_wh: import by tariff period, and UNPLACED; completeness: measured share of the span's windows.

    has_register: False: the meter has none, and energy_wh is empty. steps: how often its register fell or jumped, which
    is in no energy; left_out_wh: what it rose by then, of which nobody knows how much was drawn.
    """

    point: PointId
    name: str
    kind: str
    energy_wh: Mapping[str, int]
    completeness: float
    has_register: bool
    steps: int = 0
    left_out_wh: int = 0

    @property
    def total_wh(self) -> int:
        """All of it."""
        return sum(self.energy_wh.values())


class LinkageMonth(NamedTuple):
    """A linkage, over the span and of each local day."""

    linkage: Linkage
    whole: Measures
    days: Sequence[Measures]


class Month(NamedTuple):
    """An enterprise in [from_s, to_s), which are local midnights."""

    enterprise: Enterprise
    tariff: Tariff
    from_s: int
    to_s: int
    linkages: Sequence[LinkageMonth]
    points: Sequence[PointMonth]

    @property
    def energy_wh(self) -> int:
        """Of all points of its linkages."""
        return sum(one.total_wh for one in self.points)

    @property
    def co2_kg(self) -> float | None:
        """By the grid's factor; None: the file has none."""
        factor = self.tariff.co2_g_per_kwh
        return None if factor is None else self.energy_wh / WH_A_KWH * factor / 1_000


def account(
    enterprise: Enterprise, registry: Registry, tariff: Tariff, rows: Iterable[Row], span: tuple[int, int]
) -> Month:
    """What the rows come to. span: [from_s, to_s), local midnights; rows: from a window before on."""
    from_s, to_s = span
    slots = slots_of(rows, enterprise.points)
    linkages = [_linkage(one, slots, span, tariff.offset_s) for one in enterprise.linkages]
    points = [_point(point, registry, slots[point], span, tariff) for point in sorted(enterprise.points)]
    return Month(enterprise, tariff, from_s, to_s, linkages, points)


def _linkage(one: Linkage, slots: Slots, span: tuple[int, int], offset_s: int) -> LinkageMonth:
    from_s, to_s = span
    days = [measures(one, slots, day_s, day_s + DAY_S, offset_s) for day_s in range(from_s, to_s, DAY_S)]
    return LinkageMonth(one, measures(one, slots, from_s, to_s, offset_s), days)


def _point(
    point: PointId, registry: Registry, slots: Mapping[int, Slot], span: tuple[int, int], tariff: Tariff
) -> PointMonth:
    from_s, to_s = span
    inside = sum(from_s <= start_s < to_s for start_s in slots)
    terminal = registry.get(point.terminal) or registry.revoked(point.terminal)
    known = terminal.points.get(point.number) if terminal else None
    name, kind = (known.name, known.kind) if known else (str(point), "other")
    has_register = any(slot.energy_wh is not None for slot in slots.values())
    energy, steps_wh = energy_by_period(slots, span, tariff), steps_of(slots, span)
    complete = inside * SLOT_S / (to_s - from_s)
    left_out_wh = sum(max(rise_wh, 0) for rise_wh in steps_wh)
    return PointMonth(point, name, kind, energy, complete, has_register, len(steps_wh), left_out_wh)


def steps_of(slots: Mapping[int, Slot], span: tuple[int, int]) -> list[int]:
    """What a register rose by, negative: fell, where that is no energy."""
    return [rise_wh for _, slot, rise_wh, _ in _rises(slots, span) if slot.is_step]


def energy_by_period(slots: Mapping[int, Slot], span: tuple[int, int], tariff: Tariff) -> dict[str, int]:
    """A register's rises in the span, by period; where windows are missing in between UNPLACED.

    Steps and falls count nothing.
    """
    found: Counter[str] = Counter()
    for start_s, slot, rise_wh, follows in _rises(slots, span):
        if rise_wh > 0 and not slot.is_step:
            found[tariff.period(start_s) if follows else UNPLACED] += rise_wh
    return {name: found[name] for name in [*tariff.periods, UNPLACED] if found[name]}


def _rises(slots: Mapping[int, Slot], span: tuple[int, int]) -> Iterator[tuple[int, Slot, int, bool]]:
    """(start, slot, what the register rose by since the slot before that has it, whether that lies beside it)."""
    from_s, to_s = span
    before: tuple[int, int] | None = None
    for start_s in sorted(slots):
        energy_wh = slots[start_s].energy_wh
        if energy_wh is None:
            continue
        if before is not None and from_s <= start_s < to_s:
            yield start_s, slots[start_s], energy_wh - before[1], start_s - before[0] == SLOT_S
        before = (start_s, energy_wh)
