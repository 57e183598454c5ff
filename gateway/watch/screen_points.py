"""Which terminals' readings need an exact look: those that came late, or may be no live meter's. No I/O."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from gateway.registry import Terminal
from gateway.watch import honesty
from gateway.watch.came import Came, Values
from gateway.watch.honesty import Shown
from gateway.watch.rules import Transformer
from protocol.record import Reading

_AT = {name: Reading._fields.index(name) for name in Reading._fields}
_POWER, _EXPORT, _FACTOR = (_AT[name] for name in ("p_mean_w", "e_export_wh", "pf_milli"))
_VOLTAGES = slice(_AT["ua_dv"], _AT["uc_dv"] + 1)
_CURRENTS = slice(_AT["ia_ma"], _AT["ic_ma"] + 1)
_COMPARED = slice(_AT["ua_dv"], _AT["pf_milli"] + 1)


class _Whole(NamedTuple):
    """A terminal's newest whole window."""

    to_s: int
    readings: Mapping[int, Values]


class PointScreen:
    """Holds each window against the terminal's one before."""

    def __init__(self, rule: Transformer) -> None:
        self._rule = rule
        self._whole: dict[str, _Whole] = {}

    def recall(self, one: Came) -> None:
        """A terminal's newest whole window, as it was when we stopped."""
        self._whole.setdefault(one.terminal, _Whole(one.to_s, one.readings))

    def is_suspect(self, one: Came, terminal: Terminal, newest_s: int) -> bool:
        """Whether a whole window needs an exact look. newest_s: when the terminal's newest window began."""
        before = self._whole.get(one.terminal)
        is_next = before is None or one.from_s >= before.to_s
        if is_next:
            self._whole[one.terminal] = _Whole(one.to_s, one.readings)
        # of several that come at once all but the newest are late
        is_known = before is not None and is_next and one.from_s >= newest_s
        return not is_known or before is None or self._is_odd(terminal, one.readings, before.readings)

    def _is_odd(self, terminal: Terminal, readings: Mapping[int, Values], before: Mapping[int, Values]) -> bool:
        powers_w = [one[_POWER] for one in readings.values() if one[_POWER] is not None]
        if len(set(powers_w)) < len(powers_w) and _has_alike(readings.values()):
            return True
        return any(self._may_be_wrong(terminal, number, one, before.get(number)) for number, one in readings.items())

    def _may_be_wrong(self, terminal: Terminal, number: int, values: Values, before: Values | None) -> bool:
        """Whether a point's reading, by itself or with the one before it, could be part of a finding."""
        power_w = values[_POWER]
        if power_w is None:
            return False
        if before is None or _is_same(values, before):
            return True
        export_wh = values[_EXPORT]
        rises = export_wh is not None and export_wh != before[_EXPORT]
        apparent_va = honesty.apparent_va(values[_VOLTAGES], values[_CURRENTS])
        shown = Shown(
            0, power_w, values[_FACTOR], values[_CURRENTS], int(rises), None, apparent_va, vector_va=abs(power_w)
        )
        rated_w = terminal.points[number].rated_power_w if number in terminal.points else None
        return honesty.may_be_wrong(shown, rated_w, self._rule)


def _is_same(values: Values, other: Values) -> bool:
    """All that is compared: no registers, for they may rise by the same while all else differs."""
    return values[_POWER] == other[_POWER] and values[_COMPARED] == other[_COMPARED]


def _has_alike(readings: Collection[Values]) -> bool:
    return len({(values[_POWER], values[_COMPARED]) for values in readings}) < len(readings)
