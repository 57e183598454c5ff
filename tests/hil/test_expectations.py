"""What a scenario expects besides the invariants: counted from the evidence, and a failure where it is not seen."""

import ast
from pathlib import Path

import msgspec
import pytest

import hil
from hil import runner, scenario
from hil.expectations import ALLOWED, Expectation, Seen, held_against
from hil.oracle.evidence import Finding, Journal, Kept
from hil.oracle.words import FINDINGS
from protocol.host.strict import ConfigError
from protocol.record import CLOCK_NONE, CLOCK_SET, Event

LOST = Finding(1, "window_lost", "1 window lost")
SET = Kept(1, 5, Event(None, 1, 10, CLOCK_NONE, 0, CLOCK_SET, None, (0,)), b"")
SEEN = Seen([LOST, LOST], {"mac": 3}, [Journal([SET], [])], {"frames_repeated": 7})


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (Expectation(finding="window_lost"), 2),
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
        (result,), findings = held_against([asked], SEEN)
        assert result.seen == seen
        unmet = [one for one in findings if one.code == "expectation_unmet"]
        assert bool(unmet) == (seen < asked.at_least)


def test_an_expected_finding_is_no_failure_and_every_other_one_is() -> None:
    """P-203"""
    assert held_against([Expectation(finding="window_lost")], SEEN)[1] == []
    assert held_against([Expectation(quarantined="mac")], SEEN)[1] == [LOST, LOST]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{ finding = "window_los" }', 'expect[0].finding: unknown / 未知 "window_los"'),
        ('{ quarantined = "mac", event = "boot" }', "exactly one of"),
        ("{ at_least = 2 }", "exactly one of"),
        ('{ event = "bot" }', "did you mean / 是否想写: boot"),
        ('{ counter = "frames_repeated", at_least = -1 }', "an integer 0 to"),
    ],
)
def test_an_expectation_that_means_nothing_is_refused(line: str, said: str, tmp_path: Path) -> None:
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
