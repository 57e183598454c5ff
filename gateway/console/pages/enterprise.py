"""An enterprise: production against treatment, with alarms, gaps and quality, over a span."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Annotated

import msgspec

from gateway.console.pages.alarms import Alarm, alarm_of
from gateway.console.route import Call, Nothing, RefusedError, Route, not_found
from gateway.console.users import Role
from gateway.export.rows import marks_of
from gateway.journal.index import Powers
from gateway.journal.spans import Entry, Spans
from gateway.registry import Registry
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.slots import SLOT_S
from gateway.watch.store import Store
from gateway.watch.words import MEANING

DAYS_MAX = 62  # two months of a point are 6,000 numbers: as many as a chart has columns
ALARMS_MAX = 500  # of a span: a chart with more is a wall
Second = Annotated[int, msgspec.Meta(ge=0, le=2**32)]


class LinkageShown(msgspec.Struct, frozen=True):
    """Which treatment belongs to which production, by TERMINAL/POINT, and from which power on each runs."""

    name: str
    production: list[str]
    treatment: list[str]
    production_on_w: int
    treatment_on_w: int


class KindShown(msgspec.Struct, frozen=True):
    """How many alarms of a kind. meaning: English and Chinese."""

    kind: str
    meaning: list[str]
    alarms: int


class Place(msgspec.Struct, frozen=True):
    """Degrees north and east."""

    latitude: float
    longitude: float


class EnterpriseShown(msgspec.Struct, frozen=True):
    """Its alarms: that nobody has closed; kinds: of them, the most frequent first; place: null: not known."""

    id: str
    name: str
    alarms: int
    kinds: list[KindShown]
    linkages: list[LinkageShown]
    place: Place | None


class AskCurves(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[from_s, to_s) in Unix seconds."""

    from_s: Second
    to_s: Second


class Curve(msgspec.Struct, frozen=True):
    """A point's mean power by quarter of an hour; null: not measured. marked: places whose reading verify marked."""

    point: str
    name: str
    kind: str
    power_w: list[int | None]
    marked: list[int]


class Curves(msgspec.Struct, frozen=True):
    """Place i of each curve is the quarter of an hour that begins at from_s + 900 i.

    name: of the enterprise; with its linkages, so that a page asks once.
    """

    name: str
    linkages: list[LinkageShown]
    from_s: int
    to_s: int
    step_s: int
    curves: list[Curve]
    alarms: list[Alarm]


def _list(call: Call) -> list[EnterpriseShown]:
    with closing(Store(call.house.folder)) as store:
        kinds = store.open_kinds()
    return [_enterprise(one, kinds.get(one.id, {})) for one in call.house.enterprises()]


def _curves(call: Call) -> Curves:
    asked: AskCurves = call.asked
    enterprise = _find(call.house.enterprises(), call.path["id"])
    from_s, to_s = asked.from_s // SLOT_S * SLOT_S, -(-asked.to_s // SLOT_S) * SLOT_S
    if not from_s < to_s <= from_s + DAYS_MAX * 86_400:
        raise RefusedError(400, "span", f"a span has up to {DAYS_MAX} days", f"时间跨度最多 {DAYS_MAX} 天")
    terminals = sorted({point.terminal for point in enterprise.points})
    with closing(Spans(call.house.folder)) as spans:
        found = ((name, spans.powers(name, from_s, to_s)) for name in terminals)
        curves = drawn(enterprise, call.house.registry(), found, from_s, (to_s - from_s) // SLOT_S)
    with closing(Store(call.house.folder)) as store:
        alarms = [alarm_of(row) for row in store.meeting(enterprise.id, from_s, to_s, ALARMS_MAX)]
    linkages = [_linkage(one) for one in enterprise.linkages]
    return Curves(enterprise.name, linkages, from_s, to_s, SLOT_S, curves, alarms)


ROUTES = [
    Route("GET", "/api/enterprises", Role.VIEWER, "All enterprises", Nothing, list[EnterpriseShown], _list),
    Route("GET", "/api/enterprises/{id}/curves", Role.VIEWER, "An enterprise's powers", AskCurves, Curves, _curves),
]


def drawn(
    enterprise: Enterprise,
    registry: Registry,
    found: Iterable[tuple[str, Sequence[tuple[Entry, Powers]]]],
    from_s: int,
    count: int,
) -> list[Curve]:
    """Each point's curve of `count` quarters of an hour from from_s on. found: each terminal's windows of that span."""
    powers: dict[PointId, list[int | None]] = {point: [None] * count for point in sorted(enterprise.points)}
    marked: dict[PointId, list[int]] = {point: [] for point in powers}
    for terminal_id, windows in found:
        points = [point for point in powers if point.terminal == terminal_id]
        for entry, powers_w in windows:
            place = ((entry.start_s or 0) - from_s) // SLOT_S
            for point in points:
                if point.number <= len(powers_w) and powers_w[point.number - 1] is not None:
                    powers[point][place] = powers_w[point.number - 1]
                    if entry.marks and marks_of(entry, point.number):
                        marked[point].append(place)
    curves = []
    for point, power_w in powers.items():
        terminal = registry.get(point.terminal) or registry.revoked(point.terminal)
        known = terminal.points.get(point.number) if terminal else None
        name, kind = (known.name, known.kind) if known else (str(point), "other")
        curves.append(Curve(str(point), name, kind, power_w, marked[point]))
    return curves


def _find(known: Sequence[Enterprise], identity: str) -> Enterprise:
    for one in known:
        if one.id == identity:
            return one
    raise not_found(identity)


def _enterprise(one: Enterprise, kinds: Mapping[str, int]) -> EnterpriseShown:
    shown = [KindShown(kind, MEANING[kind].split(" / "), count) for kind, count in kinds.items()]
    place = Place(*one.position) if one.position else None
    linkages = [_linkage(each) for each in one.linkages]
    return EnterpriseShown(one.id, one.name, sum(kinds.values()), shown, linkages, place)


def _linkage(one: Linkage) -> LinkageShown:
    production, treatment = list(map(str, one.production)), list(map(str, one.treatment))
    return LinkageShown(one.name, production, treatment, one.production_on_w, one.treatment_on_w)
