"""What a scenario expects besides the invariants: counted from the evidence, and a failure where it is not seen."""

import ast
import dataclasses
from pathlib import Path

import msgspec
import pytest

import hil
from hil import runner, scenario, spans
from hil.expectations import ALLOWED, Expectation, Seen, held_against
from hil.oracle.evidence import Finding, Journal, Kept
from hil.oracle.words import FINDINGS
from protocol.host.strict import ConfigError
from protocol.record import CLOCK_NONE, CLOCK_SET, Event

HOUR_MS = 3_600_000
LOST = Finding(1, "window_lost", "2 windows lost", "", HOUR_MS, HOUR_MS + 1_800_000, "T0001", 2)
LATER = Finding(1, "window_lost", "1 window lost", "", 3 * HOUR_MS, 3 * HOUR_MS + 900_000, "T0001")
SET = Kept(1, 5, Event(None, 1, 10, CLOCK_NONE, 0, CLOCK_SET, None, (0,)), b"")
EXCUSE = Expectation(finding="window_lost", at_most=2, at="01:00", lasts="1 h")
SEEN = Seen([LOST], {"mac": 3}, [Journal([SET], [])], {"frames_repeated": 7})


def span_of(one: Expectation) -> tuple[int, int]:
    return spans.span_ms(one, 0)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (EXCUSE, 2),
        (Expectation(quarantined="mac"), 3),
        (Expectation(quarantined="tag"), 0),
        (Expectation(event="clock_set"), 1),
        (Expectation(event="log_full"), 0),
        (Expectation(counter="frames_repeated"), 7),
        (Expectation(counter="records_conflict"), 0),
    ],
)
def test_what_is_expected_is_counted_and_missed_where_it_was_seen_too_seldom(expected: Expectation, seen: int) -> None:
    """P-203"""
    for at_least in (seen, seen + 1):
        asked = msgspec.structs.replace(expected, at_least=max(at_least, 1))
        (result,), findings = held_against([asked], SEEN, span_of)
        assert result.seen == seen
        unmet = [one for one in findings if one.code == "expectation_unmet"]
        assert bool(unmet) == (seen < asked.at_least)


def left(excuse: Expectation, findings: list[Finding]) -> list[str]:
    """The findings that still count, by what they say; those of the expectation by their code."""
    found = held_against([excuse], SEEN._replace(findings=findings), span_of)[1]
    return [one.text if one in findings else one.code for one in found]


def test_an_expected_finding_is_no_failure_and_every_other_one_is() -> None:
    """P-203"""
    assert left(EXCUSE, [LOST]) == []
    assert left(Expectation(quarantined="mac"), [LOST]) == [LOST.text]


def test_an_excuse_covers_so_many_windows_in_its_stretch_and_of_its_terminal_and_no_more() -> None:
    """P-182: where there are more of them than it says, none of them is excused."""
    assert left(EXCUSE, [LOST, LATER]) == [LATER.text]
    assert left(msgspec.structs.replace(EXCUSE, at_most=1), [LOST]) == [LOST.text, "expectation_unmet"]
    for other in ({"at": "01:01"}, {"lasts": "29 min"}, {"day": 2}, {"terminal": "T0002"}):
        assert left(msgspec.structs.replace(EXCUSE, **other), [LOST]) == [LOST.text, "expectation_unmet"]
    assert left(msgspec.structs.replace(EXCUSE, terminal="T0001"), [LOST]) == []
    timeless = dataclasses.replace(LOST, from_ms=0, to_ms=0)
    assert left(EXCUSE, [LOST, timeless]) == [timeless.text]


def test_more_events_than_at_most_fail_too() -> None:
    """P-182"""
    assert left(Expectation(quarantined="mac", at_most=3), []) == []
    assert left(Expectation(quarantined="mac", at_most=2), []) == ["expectation_unmet"]


def test_a_full_log_excuses_no_window_lost_at_another_time() -> None:
    """P-182: one window more, in the hours after the link is back, fails the run though the scenario expects losses."""
    chosen = scenario.load("full_log")
    excuse = next(one for one in chosen.expect if one.finding)
    assert excuse.at_most is not None
    from_ms, to_ms = chosen.span_ms(excuse)
    down_ms = chosen.span_ms(chosen.faults[0])
    assert (to_ms - from_ms) // 900_000 == excuse.at_most < (down_ms[1] - down_ms[0]) // 900_000 / 3
    late = Finding(1, "window_lost", "after it", "", chosen.end_ms - 900_000, chosen.end_ms)
    within = Finding(1, "window_lost", "in it", "", from_ms, to_ms, count=excuse.at_most)
    seen = SEEN._replace(findings=[within, late])
    assert held_against([excuse], seen, chosen.span_ms)[1] == [late]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{ finding = "window_los" }', 'expect[0].finding: unknown / 未知 "window_los"'),
        ('{ quarantined = "mac", event = "boot" }', "exactly one of"),
        ("{ at_least = 2 }", "exactly one of"),
        ('{ event = "bot" }', "did you mean / 是否想写: boot"),
        ('{ counter = "frames_repeated", at_least = -1 }', "an integer 0 to"),
        ('{ finding = "window_lost" }', "expect[0].at_most: missing: an excuse is bounded by number and time"),
        ('{ finding = "window_lost", at_most = 3, at = "08:15" }', "expect[0].lasts: missing"),
        ('{ finding = "window_lost", at_most = 3, at = "07:00", lasts = "1 h" }', "is outside the scenario"),
        ('{ event = "boot", at = "08:15" }', "expect[0].at: of a finding alone"),
        ('{ event = "boot", at_least = 3, at_most = 2 }', "expect[0].at_most: not below at_least, 3"),
        (
            '{ finding = "window_lost", at_most = 3, at = "08:15", lasts = "1 h", terminal = "T0009" }',
            'expect[0].terminal: unknown / 未知 "T0009"',
        ),
    ],
)
def test_an_expectation_that_means_nothing_is_refused(line: str, said: str, tmp_path: Path) -> None:
    """P-182"""
    file = tmp_path / "changed.toml"
    text = (scenario.FOLDER / "platform_silent.toml").read_text(encoding="utf-8")
    file.write_text(f"{text}expect = [\n{line},\n]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        scenario.load(str(file))
    assert said in str(error.value)
    assert f"changed.toml:{text.count(chr(10)) + 2}: expect[0]" in str(error.value)


def test_a_run_in_which_it_is_not_seen_does_not_pass(tmp_path: Path) -> None:
    """P-203"""
    quiet = msgspec.structs.replace(
        scenario.load("platform_silent"), target="sim", faults=[], expect=[Expectation(quarantined="mac")], hours=1
    )
    report = runner.run(quiet, tmp_path / "run", lambda _share, _text: None).report
    assert report.verdict == "fail"
    assert [(one.invariant, one.code) for one in report.findings] == [(0, "expectation_unmet")]
    assert [(one.what, one.seen) for one in report.expected] == [("quarantined mac", 0)]


def test_every_code_of_a_finding_is_known() -> None:
    """Whatever the bench can object to can be named in a scenario."""
    used = set()
    for file in Path(hil.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"Finding", "ViolationError"}
            ):
                used |= {one.value for one in node.args[1:2] if isinstance(one, ast.Constant)}
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and file.name == "readings.py":
                used |= {one.value for one in node.value.elts[:1] if isinstance(one, ast.Constant)}
    assert {"window_lost", "crash", "energy_altered"} <= used <= set(FINDINGS)
    assert ALLOWED["finding"] == tuple(FINDINGS)
