"""Hours and days of a station out of its windows: what a platform asks for by CN 2061 and 2031 (HJ 212-2017 6.6.6).

Nothing is filled in: a period is what its windows say, and its flag says whether enough of them were there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import groupby

from gateway.forward.hj212.encode import NORMAL, Head, WindowContent, item_of, letter_of, message
from gateway.forward.hj212.mapping import NONE_OTHER, PERIOD, Mapping, Station
from gateway.hj212.packet import Item, Packet
from gateway.hj212.times import start_of
from protocol.limits import WINDOW_S
from protocol.record import Reading

LENGTHS_S = {"2061": 3600, "2031": 86400}
NORMAL_PERCENT = 75  # of a period's windows: 6.4.5 has it so for gas, and nothing for electricity
_COUNTERS = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
_Values = dict[str, int | None]


def encode_periods(
    mapping: Mapping,
    station: Station,
    cn: str,
    windows: Iterable[WindowContent],
    next_qn: Callable[[], str],
) -> Iterator[Packet]:
    """The packets of each period of which `windows`, in the order of time, have something; labelled with its start."""
    length_s = LENGTHS_S[cn]
    for start_s, some in groupby(windows, lambda one: start_of(one.start_s, length_s)):
        period = period_of(mapping, list(some), start_s, length_s)
        for st in dict.fromkeys(item.st or station.st for item in station.items):
            items: list[Item] = []
            for item in station.items:
                if (item.st or station.st) == st:
                    letter = period.letters.get(item.point, "")
                    items += item_of(mapping, item, PERIOD, period.content, letter)
            if items:
                yield from message(mapping, Head(station, cn, st, start_s), items, next_qn, resent=True)


class Period:
    """A period as one long window, and the letter of each of its points."""

    def __init__(self, content: WindowContent, letters: dict[int, str]) -> None:
        self.content = content
        self.letters = letters


def period_of(mapping: Mapping, windows: list[WindowContent], start_s: int, length_s: int) -> Period:
    """What these windows of one period come to.

    Means are weighted by the windows' lengths, extremes are the windows' extremes, registers are those of the last
    window that has them, run times add up.
    """
    points: dict[int, dict[str, int | None] | str] = {}
    letters: dict[int, str] = {}
    for number in sorted({point for one in windows for point in one.points}):
        found = [(one.length_s, reading) for one in windows if isinstance(reading := one.points.get(number), dict)]
        points[number] = {name: _merged(name, found) for name in Reading._fields} if found else NONE_OTHER
        letters[number] = _letter(mapping, [letter_of(mapping, one, number) for one in windows], length_s)
    return Period(WindowContent(start_s, length_s, points, {}), letters)


def _merged(name: str, found: list[tuple[int, _Values]]) -> int | None:
    known = [(length_s, value) for length_s, reading in found if (value := reading[name]) is not None]
    values = [value for _, value in known]
    if not known:
        return None
    if name == "p_min_w":
        return min(values)
    if name == "p_max_w":
        return max(values)
    if name in _COUNTERS:
        return values[-1]
    if name == "run_s":
        return sum(values)
    return round(Fraction(sum(length_s * value for length_s, value in known), sum(length_s for length_s, _ in known)))


def _letter(mapping: Mapping, letters: list[str], length_s: int) -> str:
    """N where enough of the windows that were due are normal; else the commonest of the other letters."""
    due = length_s // WINDOW_S
    letters += [mapping.flags[NONE_OTHER]] * (due - len(letters))
    if 100 * letters.count(NORMAL) >= NORMAL_PERCENT * due:
        return NORMAL
    others = Counter(one for one in letters if one != NORMAL)
    return others.most_common(1)[0][0] if others else NORMAL
