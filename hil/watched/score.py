"""What a rule made of what was done: found, missed, how late; and what it said where nothing was done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DAYS_A_YEAR = 365
MISSED_SHOWN = 5  # each with what replays it


@dataclass
class Score:
    """Of one kind of deed. goal: the most `delay` that is well; unit: of delays.

    false: what was said where nothing was done, over watched_days; None: another row has it.
    """

    rule: str
    deed: str
    load: str
    goal: int
    unit: str = "windows"
    least_recall: float = 1.0
    done: int = 0
    delays: Counter[int] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    false: list[str] | None = None
    watched_days: float = 0

    @property
    def found(self) -> int:
        """How many were found."""
        return sum(self.delays.values())

    @property
    def in_time(self) -> int:
        """How many of them within the goal."""
        return sum(count for delay, count in self.delays.items() if delay <= self.goal)

    @property
    def recall(self) -> float | None:
        """Share of what was done that was found within the goal; None: nothing was done."""
        return self.in_time / self.done if self.done else None

    @property
    def precision(self) -> float | None:
        """Share of what was said that was true; None: nothing was said, or another row has it."""
        said = None if self.false is None else self.found + len(self.false)
        return self.found / said if said else None

    @property
    def false_a_year(self) -> float | None:
        """False alarms a year of one factory, meter or terminal; None: nobody watched."""
        return (
            len(self.false) * DAYS_A_YEAR / self.watched_days if self.false is not None and self.watched_days else None
        )

    def told(self, is_found: bool, delay: int, replays: str) -> None:
        """One deed more. delay: from its beginning until it was told."""
        self.done += 1
        if is_found:
            self.delays[delay] += 1
        if not is_found or delay > self.goal:
            self.missed.append(replays)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        named = ("rule", "deed", "load", "done", "found", "in_time", "recall", "precision", "goal", "unit")
        found = {name: getattr(self, name) for name in named}
        found |= {"delays": dict(sorted(self.delays.items())), "missed": self.missed[:MISSED_SHOWN]}
        false = None if self.false is None else len(self.false)
        return found | {"false": false, "false_a_year": self.false_a_year, "watched_days": round(self.watched_days, 1)}


_HEAD = ("rule", "what was done", "load", "done", "recall", "precision", "delay: usual, most", "false alarms")


def table(scores: Sequence[Score]) -> str:
    """As Markdown."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_row, scores)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(one: Score) -> tuple[str, ...]:
    false = "-" if one.false is None else f"{len(one.false)} in {one.watched_days / DAYS_A_YEAR:.2g} years"
    return (
        f"`{one.rule}`",
        one.deed,
        one.load,
        str(one.done) if one.done else "-",
        _share(one.recall),
        _share(one.precision),
        f"{_usual(one.delays)}, {max(one.delays)} {one.unit}" if one.delays else "-",
        false,
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.4g} %"


def _usual(delays: Mapping[int, int]) -> int:
    return max(sorted(delays), key=lambda delay: delays[delay])
