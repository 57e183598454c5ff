"""The parts of the page in words: what was found, each window's story, what was measured, the logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hil.expectations import Expected
from hil.oracle.evidence import Finding
from hil.report import words
from hil.report.axis import Axis, span_text
from hil.report.measures import DECLARED, Measurement
from hil.report.stories import STATES, Story
from protocol.host.markup import Markup, both, join, tag

FINDINGS_MAX = 200  # a page's worth; all of them are in report.json
STORIES_MAX = 1000  # some 600 bytes each; the worst come first
CHIPS_MAX = 36  # windows that are named below the timeline: three rows; each is in the timeline
LOGS_MAX = 16
LOG_LINES = 60  # of each log, the last
LINE_CHARS = 400


def told(stories: Sequence[Story]) -> dict[int, str]:
    """Which stories are told, by their number, and the anchor of each: the worst first, within the bound."""
    worst_first = sorted(range(len(stories)), key=lambda number: STATES.index(stories[number].state))
    return {number: f"w{number}" for number in worst_first[:STORIES_MAX]}


def findings(found: Sequence[Finding], stories: Sequence[Story], ids: Mapping[int, str]) -> Markup:
    """What must not be, each with the story of its window."""
    anchors = {finding: ids[number] for number in sorted(ids, reverse=True) for finding in stories[number].findings}
    rows = [_finding(one, anchors.get(one)) for one in found[:FINDINGS_MAX]]
    if len(found) > FINDINGS_MAX:
        rows.append(tag("li", f"... {len(found) - FINDINGS_MAX}, report.json"))
    return tag("ol", *rows, class_="findings")


def _finding(finding: Finding, anchor: str | None) -> Markup:
    invariant = both(*words.INVARIANT.get(finding.invariant, ("", "")))
    why = join(" ", tag("em", finding.cause)) if finding.cause else None
    link = tag("a", both("its story", "经过"), href=f"#{anchor}") if anchor else None
    head = tag("b", invariant)
    return tag("li", head, " ", tag("code", finding.code), " ", finding.text, why, " ", link)


def windows(axis: Axis, stories: Sequence[Story], ids: Mapping[int, str]) -> Markup:
    """Those that were not in time, to click on; and each window's story, of which the page shows the one asked for."""
    notable = [number for number in ids if stories[number].state != "well"]
    shown = sorted(notable[:CHIPS_MAX])
    names = len({story.terminal for story in stories}) > 1
    chips = [_chip(axis, stories[number], ids[number], named=names) for number in shown]
    if len(notable) > CHIPS_MAX:
        chips.append(tag("span", f"+ {len(notable) - CHIPS_MAX}"))
    articles = [_story(axis, stories[number], ids[number], named=names) for number in sorted(ids)]
    hint = tag("p", both("Click a window to see its story.", "点击窗口查看其经过。"), class_="soft")
    return join(tag("div", *chips, class_="chips"), hint, tag("div", *articles, class_="stories"))


def _chip(axis: Axis, story: Story, anchor: str, *, named: bool) -> Markup:
    about = f"{story.terminal} " if named else ""
    return tag("a", about + axis.shown(story.from_ms)[:-3], class_=f"chip {story.state}", href=f"#{anchor}")


def _story(axis: Axis, story: Story, anchor: str, *, named: bool) -> Markup:
    state = tag("span", both(*words.STATE[story.state]), class_=f"chip {story.state}")
    about = f"{story.terminal}, " if named else ""
    head = tag("h3", f"{about}{axis.shown(story.from_ms)} - {axis.shown(story.to_ms)} ", state)
    steps = [
        _step(axis, "closed at the terminal", "终端关闭窗口", story.to_ms, story),
        _step(axis, "sent in the frame that was taken", "发出（被接收的帧）", story.sent_ms, story),
        _step(axis, "committed to the journal", "入账", story.journalled_ms, story),
    ]
    steps += [_step(axis, f"at {sink}", f"到达 {sink}", came_ms, story) for sink, came_ms in story.at_sinks.items()]
    rows = [
        *steps,
        *(
            _row(
                "gave nothing",
                "无读数",
                join(point, ": ", both(*words.NONE.get(why, ("?", "?")))),
            )
            for point, why in story.none
        ),
        *(_row("meanwhile", "期间故障", _trouble(axis, one.what, one.from_ms, one.to_ms)) for one in story.troubles),
        *(_row("found", "发现", join(tag("code", one.code), " ", one.text)) for one in story.findings),
    ]
    if story.names:
        rows.append(_row("record", "记录", f"{story.terminal}, boot {story.names[0]}, seq {story.names[1]}"))
    return tag("article", head, tag("table", *rows), id=anchor, class_="story", tabindex=-1)


def _step(axis: Axis, english: str, chinese: str, at_ms: int | None, story: Story) -> Markup:
    if at_ms is None:
        never = both("never, or not known", "未发生或未知")
        return _row(english, chinese, never)
    after = f" (+{span_text(at_ms - story.to_ms)})" if at_ms > story.to_ms else ""
    return _row(english, chinese, join(axis.shown(at_ms), tag("small", after)))


def _row(english: str, chinese: str, value: object) -> Markup:
    return tag("tr", tag("th", both(english, chinese)), tag("td", value))


def _trouble(axis: Axis, what: str, from_ms: int, to_ms: int) -> Markup:
    english, chinese = words.trouble(what)
    return join(both(english, chinese), f" {axis.shown(from_ms)} - {axis.shown(to_ms)}")


def expected(found: Sequence[Expected]) -> Markup:
    """What the scenario says must be seen, and how often it was."""
    pairs = (("expected", "预期"), ("at least", "至少"), ("at most", "至多"), ("seen", "实际"))
    head = tag("tr", *(tag("th", both(*pair)) for pair in pairs))
    rows = [
        tag(
            "tr",
            *(tag("td", cell) for cell in _bounds(one)),
            tag("td", one.seen, class_="" if one.is_met else "missed"),
        )
        for one in found
    ]
    return tag("table", head, *rows)


def _bounds(one: Expected) -> tuple[str, int, int | str]:
    return one.what, one.at_least, "" if one.at_most is None else one.at_most


def measured(measurements: Sequence[Measurement]) -> Markup:
    """What was measured, beside what was declared."""
    declared = {one.name: one for one in DECLARED}
    head = tag(
        "tr", *(tag("th", both(*pair)) for pair in (("measured", "测量项"), ("value", "值"), ("at most", "上限")))
    )
    rows = []
    for one in measurements:
        about = declared.get(one.name)
        name = both(about.english, about.chinese) if about else one.name
        value = "-" if one.value is None else f"{one.value:g} {one.unit}"
        rows.append(
            tag(
                "tr",
                tag("td", name),
                tag("td", value, class_="" if one.held else "missed"),
                tag("td", f"{one.at_most:g} {one.unit}"),
            )
        )
    return tag("table", head, *rows)


def logs(folder: Path) -> Markup:
    """The last lines of each log of the run."""
    files = sorted([*folder.rglob("*.log"), *folder.glob("trace.txt")])[:LOGS_MAX]
    return join(
        *(tag("details", tag("summary", str(file.relative_to(folder))), tag("pre", tail(file))) for file in files)
    )


def tail(file: Path) -> str:
    """The last lines, none longer than LINE_CHARS."""
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - LOG_LINES * LINE_CHARS))
        lines = log.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
    return "\n".join(line if len(line) <= LINE_CHARS else line[:LINE_CHARS] + " ..." for line in lines)
