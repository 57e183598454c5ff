"""The report that people look at: one file, escaped, with a story for each window that was lost or late."""

import dataclasses
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.expectations import Expected
from hil.oracle import judge_all
from hil.oracle.evidence import Case, Count, Finding, Journal, Kept, Trouble
from hil.report import measures, stories
from hil.report.axis import Axis
from hil.report.charts import curves
from hil.report.details import tail
from hil.report.junit import junit
from hil.report.page import Seen, page
from hil.report.result import Frames, Report
from hil.scenario import Point
from hil.scenario import load as scenario_of
from tests.hil import oracle_world as world

POINTS = [Point(name, "other", "sdm630", number, 10_000) for number, name in enumerate(("one", "two"), 1)]
LOST, LATE = 2, 4  # windows
AWAY = Trouble("broker_outage", world.START_MS + LATE * 900_000, world.START_MS + (LATE + 3) * 900_000)
HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\ud800"


@cache
def outcome() -> tuple[Case, list[Finding], list[stories.Story]]:
    """Eight windows, of which one is lost and one comes when the broker is back."""
    truth = dataclasses.replace(world.truth(), troubles=[AWAY])
    kept = [_committed(one, number) for number, one in enumerate(world.true_records(truth)) if number != LOST]
    case = Case("T0001", ["one", "two"], truth, world.journal(kept), {"platform": world.sink(kept)})
    found = judge_all([case]).findings
    return case, found, stories.tell(case, found, measures.late_ms(0))


def _committed(one: Kept, number: int) -> Kept:
    end_ms = world.START_MS + (number + 1) * 900_000
    at_ms = AWAY.to_ms + 5_000 if number == LATE else end_ms + 30_000
    return dataclasses.replace(
        one, committed_ms=at_ms, sent_boot=1, sent_uptime_ms=at_ms - 2_000 - world.START_MS + 120_000
    )


def seen(folder: Path, text: str = "plain") -> Seen:
    """What the page shows; `text` stands wherever something from outside may."""
    case, found, told = outcome()
    truth = case.truth
    found = [*found, Finding(6, "crash", text, text)]
    report = Report(
        scenario=text, seed=1, target="sim", windows=Count(closed=8, journalled=7, lost=1), readings=14,
        frames=Frames(7, 7, 0, 0), sinks={}, verdict="fail", findings=found, factor=0, virtual_hours=2, real_s=1.5,
        drained=False, faults=[], commit=text, versions={text: text}, late=1,
        measurements=measures.take_all([(truth, told)], 0),
    )  # fmt: skip
    points = [named(point, text) for point in POINTS]
    axis = Axis(truth.start_ms, truth.end_ms, scenario_of("day").zone)
    troubles = [*truth.troubles, Trouble(text, truth.start_ms, truth.end_ms)]
    (folder / "terminal.log").write_text(text, encoding="utf-8", errors="replace")
    return Seen(report, (text, text), axis, troubles, told, curves(points, case), text, folder)


def named(point: Point, name: str) -> Point:
    return Point(name, point.kind, point.profile, point.address, point.rated_w)


class Elements(HTMLParser):
    """The elements of a page; fails where one is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_one_file_that_needs_nothing_and_says_the_verdict_first(tmp_path: Path) -> None:
    """P-210: no element names another file or host, and the policy lets nothing in."""
    elements = Elements(page(seen(tmp_path)))
    body = [tag for tag, _ in elements.found]
    assert body.index("header") < body.index("section")
    for tag, attributes in elements.found:
        assert tag not in {"link", "img", "iframe", "object"}
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith("#")
    (policy,) = [one["content"] for tag, one in elements.found if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    words = "".join(elements.text)
    for word in (
        "NOT PASSED",
        "未通过",
        "window_lost",
        "Measured",
        "versions",
        "broker outage",
        "消息代理正常停止",
        "Logs",
    ):
        assert word in words


def test_a_lost_and_a_late_window_can_be_clicked_to_their_story(tmp_path: Path) -> None:
    """P-211: when it was closed, sent, journalled, and what was wrong then."""
    elements = Elements(page(seen(tmp_path)))
    ids = {one.get("id") for _, one in elements.found}
    links = {(one.get("class") or ""): one["href"] for tag, one in elements.found if tag == "a"}
    for kind in ("cell lost", "cell late", "chip lost", "chip late"):
        href = links[kind]
        assert href is not None
        assert href.removeprefix("#") in ids
    told = outcome()[2]
    lost, late = told[LOST], told[LATE]
    assert (lost.state, lost.sent_ms, lost.journalled_ms) == ("lost", None, None)
    assert [one.code for one in lost.findings] == ["window_lost"]
    assert (late.state, late.to_ms) == ("late", world.START_MS + (LATE + 1) * 900_000)
    assert late.journalled_ms == AWAY.to_ms + 5_000
    assert late.sent_ms == AWAY.to_ms + 3_000
    assert late.troubles == [AWAY]
    assert [one.state for one in told].count("well") == 6


@given(st.text(st.characters(codec=None), min_size=1, max_size=60) | st.just(HOSTILE))
def test_nothing_from_outside_is_taken_for_html(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """P-212: whatever names, findings, versions, logs and troubles are, the page has the same elements."""
    folder = tmp_path_factory.getbasetemp() / "page"  # one for all examples, and of no other test
    folder.mkdir(exist_ok=True)
    hostile = seen(folder, text)
    assert shape(Elements(page(hostile))) == plain_shape(folder)
    ET.fromstring(junit(hostile.report))  # noqa: S314  our own


@cache
def plain_shape(folder: Path) -> list[tuple[str, tuple[str, ...]]]:
    return shape(Elements(page(seen(folder))))


def shape(elements: Elements) -> list[tuple[str, tuple[str, ...]]]:
    """The elements with their attributes' names; a text that is empty in one language has no second one."""
    return [(tag, tuple(attributes)) for tag, attributes in elements.found if attributes.get("lang") != "zh"]


def test_measurements_are_declared_with_limits_and_recorded(tmp_path: Path) -> None:
    """P-213: each leaves a record, and one that is missed is seen."""
    case, _found, told = outcome()
    taken = {one.name: one for one in measures.take_all([(case.truth, told)], 0)}
    assert taken.keys() == {one.name for one in measures.DECLARED}
    assert (taken["live_journal_s"].value, taken["catch_up_s"].value) == (None, 30)  # there was no time of peace
    well = dataclasses.replace(case.truth, troubles=[])
    missed = {one.name: one for one in measures.take_all([(well, told)], 0)}["live_journal_s"]
    assert missed.value == (AWAY.to_ms + 5_000 - told[LATE].to_ms) / 1000
    assert not missed.held
    report = seen(tmp_path).report
    report.measurements = [missed]
    suite = ET.fromstring(junit(report))  # noqa: S314  our own
    assert suite.get("failures") == "2"  # nothing lost, always comes back
    assert [case.find("skipped") is not None for case in suite.iter("testcase")][-1]


def test_what_a_scenario_expects_is_shown_and_no_sentence_denies_it(tmp_path: Path) -> None:
    run = seen(tmp_path)
    run.report.verdict, run.report.findings = "pass", []
    run.report.expected = [Expected("finding window_lost", 1, 1)]
    words = "".join(Elements(page(run)).text)
    assert "finding window_lost" in words
    assert "Nothing was lost" not in words


def test_a_run_of_which_nothing_arrived_has_a_page(tmp_path: Path) -> None:
    case = dataclasses.replace(outcome()[0], journal=Journal([], []), sinks={})
    told = stories.tell(case, judge_all([case]).findings, measures.late_ms(0))
    assert [one.state for one in told] == 8 * ["lost"]
    empty = dataclasses.replace(seen(tmp_path), stories=told, curves=curves(POINTS, case))
    Elements(page(empty))


def test_a_long_log_is_shown_by_its_end(tmp_path: Path) -> None:
    file = tmp_path / "trace.txt"
    file.write_text("".join(f"{number} {'x' * 1000}\n" for number in range(10_000)), encoding="utf-8")
    lines = tail(file).splitlines()
    assert lines[-1].startswith("9999 x")
    assert len("".join(lines)) < 30_000
