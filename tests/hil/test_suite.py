"""Scenarios one after the other: what did not pass or was not played is a failure, unless it is known, for a while."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

from hil import cli, known_failing, scenario, suite
from hil.known_failing import Entry, Known
from protocol.host.strict import ConfigError

TODAY = date(2026, 3, 2)
HEAD = """\
name = "{name}"
title = "One hour"
title_zh = "一小时"
start = 2026-03-02T08:00:00+08:00
hours = 1
factor = 900
target = "{target}"
points = [{{ name = "pump", kind = "other", profile = "sdm630", address = 1, rated_w = 9000 }}]
"""
UNSEEN = 'expect = [{ quarantined = "mac" }]\n'
SIM_ALONE = 'faults = [{ what = "rtc_moved", by = "+2 h", at = "08:10", lasts = "1 min" }]\n'


def file(folder: Path, name: str, more: str = "", target: str = "sim") -> str:
    path = folder / f"{name}.toml"
    path.write_text(HEAD.format(name=name, target=target) + more, encoding="utf-8")
    return str(path)


def entry(name: str, target: Literal["sim", "unix"] = "sim") -> Known:
    return {(name, target): Entry(name, target, "the reason", "the owner", TODAY)}


def results(folder: Path, names: list[str], known: Known) -> dict[str, tuple[str, str]]:
    told: list[suite.Result] = []
    found = suite.play(names, None, folder / "runs", known, told.append)
    assert found == told
    return {one.name: (one.status, one.reason) for one in found}


def test_what_was_not_played_or_failed_has_not_passed(tmp_path: Path) -> None:
    """P-207"""
    names = [file(tmp_path, "good"), file(tmp_path, "bad", UNSEEN), file(tmp_path, "unable", SIM_ALONE, "unix")]
    found = results(tmp_path, [*names, "no_such_scenario"], {})
    assert found["good"] == ("passed", "")
    assert found["bad"] == ("failed", "expectation_unmet")
    assert found["unable"][0] == "not_played"
    assert "--target sim" in found["unable"][1]
    assert found["no_such_scenario"][0] == "not_played"
    assert "NOT PASSED" in (tmp_path / "runs" / "bad" / "report.html").read_text(encoding="utf-8")
    assert CliRunner().invoke(cli.app, ["suite", *names, "--out", str(tmp_path / "runs")]).exit_code == 1


def test_a_known_failure_is_excused_on_its_target_alone_and_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-207: neither another target of it nor another file of the same name."""
    bad = file(tmp_path, "bad", UNSEEN)
    monkeypatch.setattr(scenario, "FOLDER", tmp_path)
    status, reason = results(tmp_path, ["bad"], entry("bad"))["bad"]
    assert status == "known_failing"
    assert "the reason (the owner, until / 截止 2026-03-02)" in reason
    assert results(tmp_path, ["bad"], entry("bad", "unix"))["bad"][0] == "failed"
    assert results(tmp_path, [bad], entry("bad"))["bad"][0] == "failed"
    file(tmp_path, "good")
    status, reason = results(tmp_path, ["good"], entry("good"))["good"]
    assert (status, "take it off the list" in reason) == ("passed", True)


def test_no_known_failure_of_the_bench_is_overdue() -> None:
    """P-207: this test fails on the day after an entry's."""
    known_failing.load(datetime.now(UTC).date())


def test_the_list_with_an_entry_whose_day_is_past_is_an_error(tmp_path: Path) -> None:
    """P-207"""
    path = tmp_path / "known.toml"
    more = 'reason = "the modem"\nowner = "firmware"\nuntil = 2026-03-02'
    path.write_text(f'[[scenario]]\nname = "monsoon"\ntarget = "unix"\n{more}\n', encoding="utf-8")
    assert list(known_failing.load(TODAY, path)) == [("monsoon", "unix")]
    with pytest.raises(ConfigError) as error:
        known_failing.load(date(2026, 3, 3), path)
    assert ":6: scenario[0].until: 2026-03-02 is past: mend monsoon, or ask firmware" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "monsoon"\nreason = "x"\nowner = "x"\nuntil = 2026-03-02', "scenario[0].target: missing"),
        (
            'name = "monsoonn"\ntarget = "sim"\nreason = "x"\nowner = "x"\nuntil = 2026-03-02',
            ":2: scenario[0].name: no scenario",
        ),
        ('name = "monsoon"\ntarget = "sim"\nreason = "x"\nowner = "x"', "scenario[0].until: missing"),
        ('name = "monsoon"\ntarget = "sim"\nreason = ""\nowner = "x"\nuntil = 2026-03-02', ":4: scenario[0].reason"),
    ],
)
def test_an_entry_without_scenario_reason_or_day_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(f"[[scenario]]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        known_failing.load(TODAY, path)
    assert said in str(error.value)
