"""Which subjects need an exact look: of a province's quarter of an hour nearly none.

Windows that follow those before them are judged as they come, from a few numbers kept of each subject. A screen may
suspect what is well, never the other way round; what comes late, or after a start, is always looked at exactly.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.registry import Registry, Terminal
from gateway.watch import honesty, linkage, service
from gateway.watch.came import WINDOW_CODE, Came, Values
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.heard import Heard, after
from gateway.watch.honesty import Shown
from gateway.watch.linkage import Standing
from gateway.watch.meters import CODES
from gateway.watch.rules import Rules
from gateway.watch.slots import SLOT_S, seen_by
from protocol import record
from protocol.record import Reading

SETTLE_S = 600  # after a record came: what belongs to its quarter of an hour is there by then, or its link is down
_AT = {name: Reading._fields.index(name) for name in Reading._fields}
_POWER, _EXPORT, _FACTOR = (_AT[name] for name in ("p_mean_w", "e_export_wh", "pf_milli"))
_VOLTAGES = slice(_AT["ua_dv"], _AT["uc_dv"] + 1)
_CURRENTS = slice(_AT["ia_ma"], _AT["ic_ma"] + 1)
_COMPARED = slice(_AT["ua_dv"], _AT["pf_milli"] + 1)
_NOTHING: Mapping[int, Values] = {}
_TOLD = frozenset(
    {
        *(record.BOOT, record.MAINS_LOST, record.MAINS_BACK, record.LOG_FULL, record.LOW_VOLTAGE),
        *CODES,
    }
)


class Span(NamedTuple):
    """[from_s, to_s)."""

    from_s: int
    to_s: int

    def with_(self, from_s: int, to_s: int) -> "Span":
        """The span of both."""
        return Span(min(self.from_s, from_s), max(self.to_s, to_s))


@dataclass
class Suspects:
    """What needs an exact look, and of when. Linkages by (enterprise's id, linkage's name)."""

    linkages: dict[tuple[str, str], Span] = field(default_factory=dict)
    points: dict[str, Span] = field(default_factory=dict)  # by terminal
    service: dict[str, Span] = field(default_factory=dict)


class _Whole(NamedTuple):
    """A terminal's newest whole window."""

    to_s: int
    readings: Mapping[int, Values]


class Screen:
    """Of the terminals and enterprises of a gateway. heard: as it was when we stopped."""

    def __init__(
        self, rules: Rules, registry: Registry, enterprises: Sequence[Enterprise], heard: Mapping[str, Heard]
    ) -> None:
        self._rules, self._registry = rules, registry
        self.heard = dict(heard)
        self._told: dict[str, int] = {}  # the quarter of an hour up to which a terminal's silence was told
        self._whole: dict[str, _Whole] = {}
        self._standing: dict[tuple[str, str], Standing] = {}
        self._alarm_to_s: dict[tuple[str, str], int] = {}
        self._linked: dict[str, list[tuple[Enterprise, Linkage]]] = {}  # by terminal
        for enterprise in enterprises:
            for one in enterprise.linkages:
                for terminal in {point.terminal for point in (*one.production, *one.treatment)}:
                    self._linked.setdefault(terminal, []).append((enterprise, one))

    def suspects(self, came: Sequence[Came], remarked: Sequence[Came]) -> Suspects:
        """What of this needs an exact look. came: in the order of acceptance; remarked: their marks changed."""
        found = Suspects()
        for one in came:
            self._service(one, found.service)
        for one in remarked:
            span = Span(one.from_s, one.to_s)
            found.service[one.terminal] = found.service.get(one.terminal, span).with_(*span)
        windows = [one for one in came if one.readings]
        for one in windows:
            self._honesty(one, found.points)
        self._linkages(windows, found.linkages)
        return found

    def silent(self, until_s: int, unsettled_s: Mapping[str, int]) -> dict[str, Span]:
        """Terminals of which nothing came for too long, once a quarter of an hour each."""
        limit_s, found = self._rules.silent.after_min * 60, {}
        for name, heard in self.heard.items():
            heard_s = heard.at_s
            if until_s - max(heard_s, unsettled_s.get(name, 0)) > limit_s and until_s // SLOT_S != self._told.get(name):
                self._told[name] = until_s // SLOT_S
                found[name] = Span(heard_s, until_s + 1)
        return found

    def looked(self, enterprise: Enterprise, one: Linkage, alarm_to_s: int, standing: Standing) -> None:
        """An exact look was taken: alarm_to_s is the end of the last finding, 0 if there is none."""
        key = (enterprise.id, one.name)
        before = self._standing.get(key)
        if before is not None and before.next_s > standing.next_s:  # an earlier look saw more: so does the next one
            standing, alarm_to_s = before, before.next_s
        self._standing[key], self._alarm_to_s[key] = standing, alarm_to_s

    # --- service

    def _service(self, one: Came, found: dict[str, Span]) -> None:
        name, span = one.terminal, None
        before = self.heard.get(name)
        if before is not None and one.received_s - before.at_s > self._rules.silent.after_min * 60:
            span = Span(before.at_s, one.received_s + 1)
        self.heard[name] = after(before, one)
        if before is None or one.received_s >= before.at_s:
            self._told.pop(name, None)
        if self._is_told(one):
            span = Span(one.from_s, one.to_s + SLOT_S).with_(*(span or (one.from_s, one.to_s)))
        if span is not None:
            found[name] = found.get(name, span).with_(*span)

    def _is_told(self, one: Came) -> bool:
        """Whether a rule of service may find something in this record."""
        rules = self._rules
        if one.code == WINDOW_CODE:
            return (
                # what comes after the look at a silence may tell why it was silent
                one.received_s - one.to_s > min(rules.late.after_min * 60, SETTLE_S)
                or one.clock_error_s > rules.clock.error_max_s
                or any(check in service.REGISTER_CHECKS for check, _ in one.marks)
            )
        return one.code in _TOLD or any(True for _ in (*service.clock([one], rules.clock), *self._filling(one)))

    def _filling(self, one: Came) -> Iterable[object]:
        return service.log_filling([one], self._rules.log_filling)

    # --- honesty

    def _honesty(self, one: Came, found: dict[str, Span]) -> None:
        terminal = self._registry.get(one.terminal)
        if terminal is None or one.to_s - one.from_s != SLOT_S:
            return
        before = self._whole.get(one.terminal)
        is_next = before is not None and one.from_s >= before.to_s
        # of what came before a start nothing else is known; of several that come at once all but the newest are late
        is_late = one.from_s < (self.heard[one.terminal].window_s or 0)
        if is_late or before is None or not is_next or self._is_odd(terminal, one.readings, before.readings):
            span = Span(one.from_s, one.to_s + SLOT_S)  # what registers rose by in the window after it is known by it
            found[one.terminal] = found.get(one.terminal, span).with_(*span)
        if is_next or before is None:
            self._whole[one.terminal] = _Whole(one.to_s, one.readings)

    def _is_odd(self, terminal: Terminal, readings: Mapping[int, Values], before: Mapping[int, Values]) -> bool:
        powers_w = [one[_POWER] for one in readings.values() if one[_POWER] is not None]
        if len(set(powers_w)) < len(powers_w) and _has_alike(readings.values()):
            return True
        return any(self._is_suspect(terminal, number, one, before.get(number)) for number, one in readings.items())

    def _is_suspect(self, terminal: Terminal, number: int, values: Values, before: Values | None) -> bool:
        """Whether a point's reading, by itself or with the one before it, could be part of a finding."""
        power_w = values[_POWER]
        if power_w is None:
            return False
        if before is None or _is_same(values, before):
            return True
        export_wh = values[_EXPORT]
        rises = export_wh is not None and export_wh != before[_EXPORT]
        shown = Shown(0, power_w, values[_FACTOR], values[_CURRENTS], int(rises), None)
        rated_w = terminal.points[number].rated_power_w if number in terminal.points else None
        return honesty.may_be_wrong(shown, rated_w, self._rules.transformer)

    # --- linkage

    def _linkages(self, windows: Iterable[Came], found: dict[tuple[str, str], Span]) -> None:
        shown: dict[int, dict[str, Mapping[int, Values]]] = {}  # by slot and terminal
        touched: dict[tuple[str, str], tuple[Enterprise, Linkage, set[int]]] = {}
        for one in windows:
            start_s = one.from_s // SLOT_S * SLOT_S
            of_slot = shown.setdefault(start_s, {})
            is_part = one.terminal in of_slot or one.to_s - one.from_s != SLOT_S
            of_slot[one.terminal] = one.readings
            for enterprise, each in self._linked.get(one.terminal, ()):
                key = enterprise.id, each.name
                touched.setdefault(key, (enterprise, each, set()))[2].add(start_s)
                if is_part:  # parts of a slot are joined by an exact look
                    self._standing.pop(key, None)
        for key, (enterprise, each, starts) in touched.items():
            if not self._goes_on(key, enterprise, each, sorted(starts), shown):
                found[key] = Span(min(starts), max(starts) + SLOT_S)

    def _goes_on(
        self,
        key: tuple[str, str],
        enterprise: Enterprise,
        one: Linkage,
        starts: Sequence[int],
        shown: Mapping[int, Mapping[str, Mapping[int, Values]]],
    ) -> bool:
        """Whether these slots follow those before, and nothing in them is or becomes part of a finding."""
        standing = self._standing.get(key)
        for start_s in starts:
            if standing is None or start_s != standing.next_s or self._alarm_to_s[key] >= start_s:
                return False
            of_slot = shown[start_s]
            seen = seen_by(one, _powers_w(one.production, of_slot), _powers_w(one.treatment, of_slot))
            if linkage.is_wrong(one, enterprise.orders, standing, seen):
                return False
            standing = linkage.stepped(standing, seen)
            self._standing[key] = standing
        return True


def _is_same(values: Values, other: Values) -> bool:
    """All that is compared: no registers, for they may rise by the same while all else differs."""
    return values[_POWER] == other[_POWER] and values[_COMPARED] == other[_COMPARED]


def _has_alike(readings: Collection[Values]) -> bool:
    return len({(values[_POWER], values[_COMPARED]) for values in readings}) < len(readings)


def _powers_w(points: Iterable[PointId], of_slot: Mapping[str, Mapping[int, Values]]) -> list[int | None]:
    """What each point's mean power was in a slot; None: not measured."""
    found = [of_slot.get(terminal, _NOTHING).get(number) for terminal, number in points]
    return [None if values is None else values[_POWER] for values in found]
