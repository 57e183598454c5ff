"""Subjects looked at exactly, over the journal: what each rule finds of them in a span.

A rule that throws is switched off, alone, and says so: its alarms stay as they are until the watch is started again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from gateway.export.columns import NAMES, Row
from gateway.export.rows import rows
from gateway.forward import health
from gateway.forward.outbox import file_of
from gateway.journal.reader import Reader
from gateway.journal.spans import Spans
from gateway.registry import Terminal
from gateway.watch import honesty, linkage, service
from gateway.watch.came import Asked, Came, came_of
from gateway.watch.enterprises import Enterprise, Linkage
from gateway.watch.finding import Finding
from gateway.watch.honesty import Shown, shown_of
from gateway.watch.linkage import CONTEXT_SLOTS, Standing
from gateway.watch.meters import Told
from gateway.watch.rules import Rules
from gateway.watch.slots import DAY_S, SLOT_S, slots_of
from gateway.watch.store import Look

CONTEXT_S = CONTEXT_SLOTS * SLOT_S
BESIDE_S = 2 * SLOT_S  # before a span: a window across its beginning, and the one beside it, make a finding together
_POINT = NAMES.index("point")
# what alarms a rule has, by family (alarms.py)
FAMILIES = {
    "linkage": ("treatment", "silence", "order"),
    "transformer": (honesty.REVERSED, honesty.PHASE_LOST, honesty.FACTOR_LOW),
    "silent": ("silent",),
    "clock": (service.CLOCK_WRONG, service.CLOCK_STEPPED),
    "meter": (service.METER_SWAPPED, service.RATIO_CHANGED),
    "supply": (service.SUPPLY_LOW,),
    "sink": (service.SINK_FAILING,),
    "certificate": ("certificate",),
}
PointFinding = tuple[int, Finding]
T = TypeVar("T")


class Looks:
    """Looks over a journal. future_s: as verify allows. failed: called with a rule's name and why it is off."""

    def __init__(self, folder: Path, rules: Rules, future_s: int, failed: Callable[[str, Exception], None]) -> None:
        """Raises as Reader and Spans do."""
        self.reader = Reader(folder)
        self.spans = Spans(folder, of_many=True)
        self._folder, self._rules, self._future_s, self._failed = folder, rules, future_s, failed
        # the shortest run of windows that a rule of points tells of
        self.run_s = max(rules.frozen.windows, rules.alike.windows, rules.transformer.windows) * SLOT_S
        self._off = {name for name in Rules.__struct_fields__ if not getattr(rules, name).enabled}

    def close(self) -> None:
        """Close the connections."""
        self.reader.close()
        self.spans.close()

    def kept_from_s(self) -> int:
        """Of windows that begin before this some may be retired: nothing can be disproved of then."""
        return -(-self.spans.kept_from_ms() // (1000 * SLOT_S)) * SLOT_S

    def linkages(
        self, enterprise: Enterprise, some: Sequence[Linkage], from_s: int, to_s: int
    ) -> Iterator[tuple[Linkage, Look, Standing]]:
        """Of each linkage what is found in [from_s, to_s), and how it stands after the last slot that was seen."""
        terminals = sorted({point.terminal for point in enterprise.points})
        found = rows(self.spans, terminals, from_s - CONTEXT_S, to_s)
        slots = slots_of(found, enterprise.points)
        for one in some:
            told = self._told("linkage", partial(linkage.findings, one, enterprise.orders, slots, from_s, to_s))
            if told is not None:
                told_to_s = max((each.to_s for each in told), default=0)
                stands = linkage.standing(one, slots, to_s)._replace(told_to_s=told_to_s)
                yield one, Look(enterprise.id, one.name, FAMILIES["linkage"], told, from_s, to_s), stands

    def points(self, enterprise: str, terminal: Terminal, from_s: int, to_s: int) -> Iterator[Look]:
        """Whether a terminal's readings in [from_s, to_s) are those of live meters on their own feeders."""
        shown = self.shown(terminal.id, from_s - self.run_s, to_s + self.run_s)
        for name, found in self.honest(terminal, shown):
            for subject in _subjects(name, terminal, shown):
                told = _meeting([one for each, one in found if each == subject], from_s, to_s)
                yield Look(enterprise, subject, FAMILIES.get(name, (name,)), told, from_s, to_s)

    def honest(
        self, terminal: Terminal, shown: dict[int, list[Shown]]
    ) -> Iterator[tuple[str, list[tuple[str, Finding]]]]:
        """(rule, (subject, finding) of each) of all that was shown; replays are sought by `replays`."""
        rules = self._rules
        yield from self._of_points("frozen", terminal, shown, lambda _, some: honesty.frozen(some, rules.frozen))
        yield from self._of_points(
            "transformer",
            terminal,
            shown,
            lambda number, some: honesty.transformers(some, _rated_w(terminal, number), rules.transformer),
        )
        found = self._told(
            "alike",
            lambda: [
                (pair_name(terminal.id, one, other), each)
                for one, other in combinations(shown, 2)
                for each in honesty.alike(shown[one], shown[other], rules.alike)
            ],
        )
        if found is not None:
            yield "alike", found

    def replays(self, enterprise: str, terminal: Terminal, from_s: int, to_s: int) -> Iterator[Look]:
        """Whether hours of [from_s, to_s) were shown before, within the rule's history."""
        shown = self.shown(terminal.id, from_s - self._rules.replayed.history_days * DAY_S, to_s)
        for name, found in self._of_points("replayed", terminal, shown, lambda _, some: honesty.replayed(some, from_s)):
            for number in shown:
                told = [one for subject, one in found if subject == point_name(terminal.id, number)]
                yield Look(enterprise, point_name(terminal.id, number), (name,), told, from_s, to_s)

    def service(
        self, enterprise: str, terminal: Terminal, span: tuple[int, int], until_s: int, meters: Sequence[Told]
    ) -> Iterator[Look]:
        """How the terminal served in [from, to). until_s: end of what is known. meters: told of them, at any time."""
        from_s, to_s = span
        came, rules = self._came(terminal.id, from_s), self._rules
        heard = [one for one in came if one.received_s >= from_s]
        within = [one for one in came if one.to_s > from_s]  # of a silence before nothing is known
        due_s = self._due_s(terminal, from_s)
        silent = self._told("silent", lambda: list(service.silences(heard, rules.silent, until_s, due_s)))
        by_terminal: dict[str, Callable[[], Iterable[Finding]]] = {
            "silent": lambda: silent or [],
            "late": lambda: service.late(within, rules.late, silent or []),
            "clock": lambda: service.clock(came, rules.clock),
            "log_filling": lambda: service.log_filling(came, rules.log_filling),
            "log_full": lambda: service.log_full(came),
            "supply": lambda: service.supply(came),
            "cloned": lambda: service.cloned(came),
        }
        for name, find in by_terminal.items():
            found = self._told(name, find)
            if found is not None:
                told = _meeting(found, from_s, to_s)
                yield Look(enterprise, terminal.id, FAMILIES.get(name, (name,)), told, from_s, to_s)
        by_point: dict[str, Callable[[], Iterable[PointFinding]]] = {
            "meter": lambda: service.meter(came, meters),
            "register": lambda: service.register(came),
        }
        for name, of_points in by_point.items():
            told_of = self._told(name, of_points)
            for number in terminal.points if told_of is not None else ():
                told = [
                    one for each, one in told_of or [] if each == number and one.to_s > from_s and one.from_s < to_s
                ]
                subject = point_name(terminal.id, number)
                yield Look(enterprise, subject, FAMILIES.get(name, (name,)), told, from_s, to_s)

    def sinks(self, names: Iterable[str], now_s: int) -> Iterator[Look]:
        """How the gateway's sinks are, since they are so."""
        for name in names:
            state = health.since(file_of(self._folder, name))
            if state is not None and state[0] // 1000 < now_s:
                since_s, is_failing = state[0] // 1000, state[1]
                told = self._told("sink", partial(service.sink_failing, since_s, self._rules.sink, now_s))
                if told is not None:
                    yield Look("", f"sink {name}", FAMILIES["sink"], told if is_failing else [], since_s, now_s)

    def certificates(self, ends: Iterable[tuple[str, str, int]], now_s: int) -> Iterator[Look]:
        """(enterprise, subject, when its certificate ends) of those that end soon; a renewed one's alarm just ends."""
        for enterprise, subject, end_s in ends:
            find = partial(service.certificate, end_s, self._rules.certificate, now_s)
            for one in self._told("certificate", find) or []:
                yield Look(enterprise, subject, FAMILIES["certificate"], [one], one.from_s, now_s)

    def shown(self, terminal: str, from_s: int, to_s: int) -> dict[int, list[Shown]]:
        """What a terminal's meters showed in [from_s, to_s), by point."""
        of_points: defaultdict[int, list[Row]] = defaultdict(list)
        for row in rows(self.spans, [terminal], from_s, to_s):
            of_points[row[_POINT]].append(row)
        return {point: shown_of(some) for point, some in sorted(of_points.items())}

    def _due_s(self, terminal: Terminal, from_s: int) -> int | None:
        """When a terminal of which nothing had come was commissioned; None: before from_s, or it had been heard."""
        due_s, row = terminal.commissioned_s, self.spans.terminals().get(terminal.id)
        if due_s is None or due_s < max(from_s, self.kept_from_s()):
            return None
        is_new = row is None or all(one.received_ms > due_s * 1000 for one in self.spans.log(row))
        return due_s if is_new else None

    def _came(self, terminal: str, from_s: int) -> list[Came]:
        """What came from a terminal since then, and what tells of then: its clock may be ahead."""
        row = self.spans.terminals().get(terminal)
        if row is None:
            return []
        entries = [
            one
            for one in self.spans.log(row, self.spans.first_id((from_s - self._future_s) * 1000))
            if one.received_ms >= from_s * 1000 or (one.start_s or 0) >= from_s - BESIDE_S
        ]
        asked = [Asked(terminal, one.start_s, one.marks, one.epoch) for one in entries]
        return list(came_of(asked, self.reader.decoded([one.id for one in entries])))

    def _of_points(
        self,
        name: str,
        terminal: Terminal,
        shown: dict[int, list[Shown]],
        find: Callable[[int, list[Shown]], Iterable[Finding]],
    ) -> Iterator[tuple[str, list[tuple[str, Finding]]]]:
        """(rule, (point, finding) of each), unless the rule is off."""
        found = self._told(
            name,
            lambda: [
                (point_name(terminal.id, number), one) for number, some in shown.items() for one in find(number, some)
            ],
        )
        if found is not None:
            yield name, found

    def _told(self, name: str, find: Callable[[], Iterable[T]]) -> list[T] | None:
        """What a rule finds; None: it is off."""
        if name in self._off:
            return None
        try:
            return list(find())
        except Exception as error:  # noqa: BLE001  a rule's bug must not cost the others
            self._off.add(name)
            self._failed(name, error)
            return None


def point_name(terminal: str, number: int) -> str:
    """A point as a subject of alarms."""
    return f"{terminal}/{number}"


def pair_name(terminal: str, one: int, other: int) -> str:
    """Two points of a terminal, likewise."""
    return f"{terminal}/{one} = {terminal}/{other}"


def _meeting(found: Iterable[Finding], from_s: int, to_s: int) -> list[Finding]:
    return [one for one in found if one.to_s > from_s and one.from_s < to_s]


def _subjects(rule: str, terminal: Terminal, shown: dict[int, list[Shown]]) -> list[str]:
    """All that a rule has looked at."""
    if rule == "alike":
        return [pair_name(terminal.id, *pair) for pair in combinations(shown, 2)]
    return [point_name(terminal.id, number) for number in shown]


def _rated_w(terminal: Terminal, number: int) -> int | None:
    return terminal.points[number].rated_power_w if number in terminal.points else None
