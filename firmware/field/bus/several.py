"""Several DL/T 645 meters on one line, told apart by shortened addresses (DL/T 645-2007, 5.2: AAH is left out).

Their numbers' last two digits are asked for, a hundred questions; where two have the same, the two digits before as
well. Meters of one delivery have numbers that follow each other, so the first round finds them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from terminal.bus import Line

from firmware.field.bus import order, who
from firmware.field.bus.asking import GARBLED
from firmware.field.bus.reach import WHO, Reach

QUESTIONS_MAX = 400  # the first round, and three numbers' last digits that are alike; 6 minutes at 2400 baud
_EACH = 100  # what two digits can be
_SHARED_MAX = 50  # of a round's ends, by two meters each: more are not on one line, and that is noise


class Search:
    """One line's meters.

    is_whole: nobody is left that could not be told apart. is_noise: more ends are garbled than meters can be.
    """

    def __init__(self, reach: Reach, line: Line) -> None:
        self.is_whole = self.is_noise = False
        self._reach = reach
        self._line = line

    def addresses(self) -> Iterator[str]:
        """Each meter's number, as it is found. Raises ReachError."""
        known: set[str] = set()
        ends, left, unparted = deque([""]), QUESTIONS_MAX, False
        while ends and left >= _EACH:
            asked = [f"{one:02d}{ends[0]}" for one in range(_EACH)]
            ends.popleft()
            left -= _EACH
            questions, garbled = [order.probe(self._line, WHO, one) for one in asked], 0
            for end, heard in zip(asked, self._reach.ask(questions), strict=True):
                told = who.addresses_in(heard.late + heard.heard)
                yield from (one for one in told if one not in known)
                known.update(told)
                garbled += heard.said == GARBLED
                if heard.said == GARBLED or len({one for one in told if one.endswith(end)}) > 1:
                    unparted = unparted or len(end) >= who.END_DIGITS_MAX
                    ends.extend([end] if len(end) < who.END_DIGITS_MAX else [])
            if garbled > _SHARED_MAX:
                self.is_noise = True
                return
        self.is_whole = bool(known) and not ends and not unparted
