"""The run's timeline: what went wrong when, and what became of each window, which one may click on."""

from collections.abc import Iterator, Mapping, Sequence

from hil.oracle.evidence import Trouble
from hil.report import words
from hil.report.axis import Axis
from hil.report.stories import STATES, Story
from protocol.host.markup import Markup, both, join, tag

LANES_MAX = 30  # kinds of trouble; what is more is counted
DENSE = 110  # windows of a terminal, some more than a day: so many have no room between them on a phone


def timeline(axis: Axis, troubles: Sequence[Trouble], stories: Sequence[Story], ids: Mapping[int, str]) -> Markup:
    """A lane for each kind of trouble; of each terminal one for the journal and one for each sink. ids: of the stories
    that are told.
    """
    kinds = list(dict.fromkeys(one.what for one in troubles))
    lanes = [_trouble(axis, kind, [one for one in troubles if one.what == kind]) for kind in kinds[:LANES_MAX]]
    if len(kinds) > LANES_MAX:
        lanes.append(tag("p", f"... {len(kinds) - LANES_MAX}"))
    for terminal in dict.fromkeys(story.terminal for story in stories):
        lanes += _windows(axis, terminal, stories, ids)
    terminals = max(1, len({story.terminal for story in stories}))
    dense = " dense" if len(stories) > terminals * DENSE else ""
    return tag("div", axis.ticks(), *lanes, _legend(stories), class_="lanes" + dense)


def _windows(axis: Axis, terminal: str, stories: Sequence[Story], ids: Mapping[int, str]) -> Iterator[Markup]:
    """What became of a terminal's windows."""
    own = [(story, ids.get(number)) for number, story in enumerate(stories) if story.terminal == terminal]
    cells = [_cell(axis, story, story.state, anchor) for story, anchor in own]
    yield _lane(join(terminal, " ", both("windows, journal", "窗口（入账）")), cells)
    for sink in dict.fromkeys(name for story, _anchor in own for name in story.at_sinks):
        cells = [_cell(axis, story, _at_sink(story, sink), anchor) for story, anchor in own]
        yield _lane(join(terminal, " → ", sink), cells)


def _trouble(axis: Axis, what: str, troubles: Sequence[Trouble]) -> Markup:
    english, chinese = words.trouble(what)
    bars = [
        tag(
            "div",
            class_="bar",
            style=axis.place(one.from_ms, one.to_ms),
            title=f"{english} {axis.shown(one.from_ms)} - {axis.shown(one.to_ms)}",
        )
        for one in troubles
    ]
    return _lane(both(english, chinese), bars)


def _lane(name: str, inside: Sequence[Markup]) -> Markup:
    return tag("div", tag("div", name, class_="name"), tag("div", *inside, class_="track"), class_="lane")


def _cell(axis: Axis, story: Story, state: str, anchor: str | None) -> Markup:
    english, _chinese = words.STATE[state]
    about = f"{axis.shown(story.from_ms)} - {axis.shown(story.to_ms)}: {english}"
    place = axis.place(story.from_ms, story.to_ms)
    if anchor is None:
        return tag("span", class_=f"cell {state}", style=place, title=about)
    return tag("a", class_=f"cell {state}", style=place, title=about, href=f"#{anchor}", aria_label=about)


def _at_sink(story: Story, sink: str) -> str:
    """As in the journal, but for what the sink lacks, or got later than it could."""
    came_ms = story.at_sinks[sink]
    if came_ms is None:
        return "lost"
    if story.state == "wrong" or story.delay_ms is None:
        return story.state
    return "late" if came_ms - story.to_ms > story.late_ms else "gap" if story.none else "well"


def _legend(stories: Sequence[Story]) -> Markup:
    there = {story.state for story in stories}
    shown = [
        tag("span", tag("i", class_=f"cell {state}"), both(*words.STATE[state]), class_="key")
        for state in STATES
        if state in there
    ]
    return tag("div", *shown, class_="legend")
