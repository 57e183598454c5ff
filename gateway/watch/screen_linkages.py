"""Which linkages need an exact look: those of which a window is late, or begins, is or ends something wrong. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from gateway.watch import linkage
from gateway.watch.came import Came, Values
from gateway.watch.enterprises import Enterprise, Linkage, PointId
from gateway.watch.linkage import Standing
from gateway.watch.slots import SLOT_S, seen_by
from protocol.record import Reading

Key = tuple[str, str]  # the enterprise's id, the linkage's name
_Shown = Mapping[str, Mapping[int, Values]]  # of a slot, by terminal and point
_NOTHING: Mapping[int, Values] = {}
_POWER = Reading._fields.index("p_mean_w")


class LinkageScreen:
    """Goes on with each linkage where windows follow those before. known: as it was when we stopped."""

    def __init__(self, enterprises: Sequence[Enterprise], known: Mapping[Key, Standing]) -> None:
        self._standing = dict(known)
        self._changed: set[Key] = set()
        self._of_terminal: dict[str, list[tuple[Enterprise, Linkage]]] = {}
        for enterprise in enterprises:
            for one in enterprise.linkages:
                for terminal in {point.terminal for point in (*one.production, *one.treatment)}:
                    self._of_terminal.setdefault(terminal, []).append((enterprise, one))

    def suspects(self, windows: Iterable[Came]) -> dict[Key, list[int]]:
        """Starts of the slots that need an exact look, in order."""
        shown: dict[int, dict[str, Mapping[int, Values]]] = {}
        touched: dict[Key, tuple[Enterprise, Linkage, set[int]]] = {}
        parts: set[Key] = set()  # of a slot there is more than one window, or will be: an exact look joins them
        for one in windows:
            start_s = one.from_s // SLOT_S * SLOT_S
            of_slot = shown.setdefault(start_s, {})
            is_part = one.terminal in of_slot or one.to_s - one.from_s != SLOT_S
            of_slot[one.terminal] = one.readings
            for enterprise, each in self._of_terminal.get(one.terminal, ()):
                key = enterprise.id, each.name
                touched.setdefault(key, (enterprise, each, set()))[2].add(start_s)
                if is_part:
                    parts.add(key)
        self._changed |= touched.keys()
        found: dict[Key, list[int]] = {}
        for key, (enterprise, each, some) in touched.items():
            starts = sorted(some)
            if key in parts or not self._goes_on(key, enterprise, each, starts, shown):
                found[key] = starts
        return found

    def looked(self, key: Key, standing: Standing, newest_s: int) -> None:
        """An exact look was taken. newest_s: the end of the newest slot of which anything came."""
        self._changed.add(key)
        if standing.next_s < newest_s:  # it saw nothing of what came later: the next look is exact, too
            self._standing.pop(key, None)
        else:
            self._standing[key] = standing

    def changed(self) -> dict[Key, Standing | None]:
        """How those stand that changed since this was asked last; None: not known."""
        found = {key: self._standing.get(key) for key in self._changed}
        self._changed.clear()
        return found

    def _goes_on(
        self, key: Key, enterprise: Enterprise, one: Linkage, starts: Sequence[int], shown: Mapping[int, _Shown]
    ) -> bool:
        """Whether these slots follow those before, and nothing in them is or becomes part of a finding."""
        standing = self._standing.get(key)
        for start_s in starts:
            if standing is None or start_s != standing.next_s or standing.told_to_s >= start_s:
                return False
            seen = seen_by(one, _powers_w(one.production, shown[start_s]), _powers_w(one.treatment, shown[start_s]))
            if linkage.is_wrong(one, enterprise.orders, standing, seen):
                return False
            standing = linkage.stepped(standing, seen)
            self._standing[key] = standing
        return True


def made_of(one: Linkage) -> str:
    """What tells a linkage from another one of its name."""
    return sha256(repr(one).encode()).hexdigest()[:32]


def _powers_w(points: Iterable[PointId], of_slot: _Shown) -> list[int | None]:
    """What each point's mean power was in a slot; None: not measured."""
    found = [of_slot.get(terminal, _NOTHING).get(number) for terminal, number in points]
    return [None if values is None else values[_POWER] for values in found]
