"""What a benchmark gives: figures for the report, charts for the page."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Options:
    """How to measure."""

    rounds: int  # each measures every contender once; figures are medians over rounds
    seed: int  # of the data


@dataclass(frozen=True)
class Figure:
    """One line of report.json. Ratios are of the peer's cost to ours: larger is better for us."""

    name: str
    value: float
    unit: str
    spread: float  # between the quartiles over the rounds, in the figure's unit; 0: measured once
    peer: str  # who it is compared with, and the version; empty: nobody
    goal: str = ""  # what it should be, for the page


@dataclass(frozen=True)
class Bar:
    """A value in a chart."""

    label: str
    value: float
    ours: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars side by side; `line` is a value to be reached, or to stay under."""

    title: str
    unit: str
    bars: list[Bar]
    line: float | None = None


@dataclass(frozen=True)
class Table:
    """Text in rows, under a heading for each column."""

    title: str
    heading: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Result:
    """Of one benchmark. `notes` say what one must know to read the figures; `failures` what could not be measured."""

    figures: list[Figure]
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
