"""Which subjects need an exact look: of a province's quarter of an hour nearly none.

Windows that follow those before them are judged as they come, from a few numbers kept of each subject. A screen may
suspect what is well, never the other way round; what comes late is always looked at exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.registry import Registry
from gateway.watch import service
from gateway.watch.came import WINDOW_CODE, Came
from gateway.watch.enterprises import Enterprise, Linkage
from gateway.watch.heard import Heard, after
from gateway.watch.linkage import Standing
from gateway.watch.meters import CODES
from gateway.watch.rules import Rules
from gateway.watch.screen_linkages import Key, LinkageScreen
from gateway.watch.screen_points import PointScreen
from gateway.watch.slots import SLOT_S
from protocol import record

SETTLE_S = 600  # after a record came: what belongs to its quarter of an hour is there by then, or its link is down
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
    """What needs an exact look, and of when."""

    linkages: dict[Key, Span] = field(default_factory=dict)
    points: dict[str, Span] = field(default_factory=dict)  # by terminal
    service: dict[str, Span] = field(default_factory=dict)


class Remembered(NamedTuple):
    """As it was when we stopped. windows: the newest of the journal that were looked at, in order."""

    heard: Mapping[str, Heard]
    standing: Mapping[Key, Standing]
    windows: Iterable[Came]


class Screen:
    """Of the terminals and enterprises of a gateway."""

    def __init__(self, rules: Rules, registry: Registry, enterprises: Sequence[Enterprise], known: Remembered) -> None:
        self._rules, self._registry = rules, registry
        self.heard = dict(known.heard)
        self._due_s = _due_s(registry, self.heard)
        self._told: dict[str, int] = {}  # the quarter of an hour up to which a terminal's silence was told
        self._points = PointScreen(rules.transformer)
        for one in known.windows:
            heard = self.heard.get(one.terminal)
            if one.to_s - one.from_s == SLOT_S and heard is not None and heard.window_s == one.from_s:
                self._points.recall(one)
        self._linkages = LinkageScreen(enterprises, known.standing)

    def suspects(self, came: Sequence[Came], remarked: Sequence[Came]) -> Suspects:
        """What of this needs an exact look. came: in the order of acceptance; remarked: their marks changed."""
        found = Suspects()
        turning = {one.terminal for one in came if self._service(one, found.service)}
        for one in remarked:
            span = Span(one.from_s, one.to_s)
            found.service[one.terminal] = found.service.get(one.terminal, span).with_(*span)
        windows = [one for one in came if one.readings]
        for one in windows:
            terminal = self._registry.get(one.terminal) if one.to_s - one.from_s == SLOT_S else None
            newest_s = self.heard[one.terminal].window_s or 0
            if terminal and (self._points.is_suspect(one, terminal, newest_s) or one.terminal in turning):
                span = Span(one.from_s, one.to_s + SLOT_S)  # what registers rose by in the window after, it tells
                found.points[one.terminal] = found.points.get(one.terminal, span).with_(*span)
        for key, starts in self._linkages.suspects(windows).items():
            found.linkages[key] = Span(starts[0], starts[-1] + SLOT_S)
        return found

    def silent(self, until_s: int, unsettled_s: Mapping[str, int]) -> dict[str, Span]:
        """Terminals of which nothing came for too long, once a quarter of an hour each."""
        limit_s, found = self._rules.silent.after_min * 60, {}
        heard_at_s = {name: heard.at_s for name, heard in self.heard.items()}
        for name, heard_s in (self._due_s | heard_at_s).items():
            if until_s - max(heard_s, unsettled_s.get(name, 0)) > limit_s and until_s // SLOT_S != self._told.get(name):
                self._told[name] = until_s // SLOT_S
                found[name] = Span(heard_s, until_s + 1)
        return found

    def looked(self, enterprise: Enterprise, one: Linkage, standing: Standing) -> None:
        """An exact look was taken at a linkage, by which it stands so."""
        self._linkages.looked((enterprise.id, one.name), standing, self.newest_s([one]))

    def newest_s(self, some: Iterable[Linkage]) -> int:
        """The end of the newest slot of which anything came of these linkages' terminals, whose clocks may be ahead."""
        terminals = {point.terminal for one in some for point in (*one.production, *one.treatment)}
        windows_s = [heard.window_s or 0 for name in terminals if (heard := self.heard.get(name))]
        return max(windows_s, default=0) // SLOT_S * SLOT_S + SLOT_S

    def standing(self) -> dict[Key, Standing | None]:
        """How those linkages stand that changed since this was asked last; None: not known."""
        return self._linkages.changed()

    def _service(self, one: Came, found: dict[str, Span]) -> bool:
        """Whether the terminal's logs take turns."""
        name, span = one.terminal, None
        before = self.heard.get(name)
        heard_s = self._due_s.pop(name, None) if before is None else before.at_s
        if heard_s is not None and one.received_s - heard_s > self._rules.silent.after_min * 60:
            span = Span(heard_s, one.received_s + 1)
        self.heard[name] = after(before, one)
        if before is None or one.received_s >= before.at_s:
            self._told.pop(name, None)
        is_turn = before is not None and _is_of_another_log(one, before)
        if is_turn or self._is_told(one):
            span = Span(one.from_s, one.to_s + SLOT_S).with_(*(span or (one.from_s, one.to_s)))
        if span is not None:
            found[name] = found.get(name, span).with_(*span)
        return is_turn

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


def _due_s(registry: Registry, heard: Mapping[str, Heard]) -> dict[str, int]:
    """When terminals were commissioned of which nothing has come."""
    new = [one for one in registry.all() if one.revoked_s is None and one.id not in heard]
    return {one.id: one.commissioned_s for one in new if one.commissioned_s is not None}


def _is_of_another_log(one: Came, before: Heard) -> bool:
    """Whether a window may tell of a time of which another log of the terminal tells."""
    if one.code != WINDOW_CODE or before.epoch is None:
        return False
    return one.epoch != before.epoch or one.from_s < (before.epoch_from_s or 0)
