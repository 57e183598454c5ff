"""Each of our own benchmarks once, tiny; the names that were promised. How fast anything is, no test says."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hil.benchmarks import runner
from hil.benchmarks.__main__ import app
from hil.benchmarks.cases import backlog, burst, faults, hj212_sink, ingest, jetstream, journal, peers, postgres
from hil.benchmarks.growth import filling
from hil.benchmarks.peers.arena import Fault, Load, Outcome
from hil.benchmarks.peers.contenders import ALL
from hil.benchmarks.result import Options, Result
from hil.process import BenchError

TINY = Options(rounds=2, seed=3)
PEERS = [
    "thingsboard.rate_ratio",
    "thingsboard.cpu_ratio",
    "nodered.rate_ratio",
    "nodered.cpu_ratio",
    "naive.cpu_ratio",
]
OUTCOMES = {"ours": 0.1, "naive": 1.0, "nodered": 0.5, "thingsboard": 10.0}


def named(result: Result) -> dict[str, float]:
    assert not result.failures
    return {figure.name: figure.value for figure in result.figures}


@pytest.fixture
def everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contenders that need not be installed: each has the cost of OUTCOMES."""

    def pretend(contender: object, load: Load, fault: Fault | None = None) -> Outcome:
        seconds = OUTCOMES[contender.name] * load.messages  # type: ignore[attr-defined]
        lost = 9 if fault and contender.name == "nodered" else 0  # type: ignore[attr-defined]
        return Outcome(seconds, OUTCOMES[contender.name] * 100, 50.0, load.messages * 9, lost, 0)  # type: ignore[attr-defined]

    for case in (peers, faults):
        monkeypatch.setattr(case, "run", pretend)
        monkeypatch.setattr(case, "ALL", {name: replace(one, version=lambda: "1.0") for name, one in ALL.items()})


def test_ratios_of_the_peers_are_larger_where_we_are_better(everybody: None) -> None:
    found = named(peers.measure(TINY))
    assert [found[name] for name in PEERS] == [100, 100, 5, 5, 10]


def test_the_fault_table_has_each_gateway_with_what_it_lost(everybody: None) -> None:
    result = faults.measure(TINY)
    assert named(result)["faults.nodered_kill_lost"] == 9
    assert [row[0] for row in result.tables[0].rows] == [f"{peers.TITLES[name]} 1.0" for name in ALL]
    assert result.tables[0].rows[0][1:] == ["0"] * 4


def test_what_fails_is_in_the_report_with_its_reason_and_ends_the_command_with_1(
    everybody: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """P-110"""
    good = vars(peers)["run"]

    def run(contender: object, load: Load, fault: Fault | None = None) -> Outcome:
        if contender.name == "thingsboard":  # type: ignore[attr-defined]
            raise BenchError("it does not <start>")
        return good(contender, load, fault)  # type: ignore[no-any-return]

    monkeypatch.setattr(peers, "run", run)
    done = CliRunner().invoke(app, ["peers", "--rounds", "2", "--folder", str(tmp_path)])
    assert done.exit_code == 1
    report = {line["name"]: line for line in json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))}
    assert report["peers.failures"]["value"] == 1
    assert report["peers.failures"]["peer"] == "thingsboard: it does not <start>"
    assert "nodered.cpu_ratio" in report
    assert "thingsboard.cpu_ratio" not in report
    assert "it does not &lt;start&gt;" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_gateway_of_ours_that_loses_a_reading_is_a_failure(everybody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Outcome(1.0, 1.0, 1.0, 90, 1, 0)
    monkeypatch.setattr(faults, "run", lambda *_: lost)
    assert "ours, kill: 1 of 90 readings lost" in faults.measure(TINY).failures


def test_the_journal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-26: how many frames a second the journal stores, and decode and verify check, is in the report."""
    monkeypatch.setattr(journal, "TERMINALS", 60)
    monkeypatch.setattr(journal, "OF_A_BURST", 20)
    monkeypatch.setattr(journal, "OTHERS", (1,))
    found = named(journal.measure(TINY))
    assert math.isfinite(found["journal.frames_per_s"])
    assert found["journal.frames_per_s"] > 0


@pytest.mark.e2e
@pytest.mark.slow
def test_the_journal_on_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-110"""
    monkeypatch.setattr(journal, "TERMINALS", 24)
    monkeypatch.setattr(jetstream, "TERMINALS", 24)
    monkeypatch.setattr(jetstream, "FORMS", jetstream.FORMS[::3])
    monkeypatch.setattr(jetstream, "WORKERS", (2,))
    found = named(jetstream.measure(TINY))
    assert len(found) == 5
    assert all(value > 0 for value in found.values())


@pytest.mark.e2e
@pytest.mark.slow
def test_ingest_burst_and_backlog_through_the_real_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-110"""
    for case in (ingest, burst, backlog):
        monkeypatch.setattr(case, "TERMINALS", 24)
    monkeypatch.setattr(backlog, "FRAMES", 1)  # of so few terminals several would share a batch, and an ack
    monkeypatch.setattr(ingest, "PHASES", 1)
    monkeypatch.setattr(ingest, "SUSTAINED_PHASES", 2)
    monkeypatch.setattr(ingest, "SETTLE_S", 0.0)
    found: dict[str, float] = {}
    for name in ("ingest", "burst", "backlog"):
        found |= named(runner.run(name, TINY))
    for name in ("ingest.cpu_us_per_message", "burst.last_ack_s", "backlog.seconds", "backlog.rss_mib"):
        assert found[name] > 0


@pytest.mark.e2e
@pytest.mark.slow
def test_ours_loses_nothing_at_a_platform_and_doubles_a_batch_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-112"""
    monkeypatch.setattr(faults, "ALL", {"ours": ALL["ours"]})
    monkeypatch.setattr(faults, "LOADS", {"ours": (Load(30, 2000, 0, 60.0, 90.0), 0.05)})
    monkeypatch.setattr(faults, "AWAY_S", 0.5)
    found = faults.measure(TINY)
    assert not found.failures
    assert set(named(found)) == {
        f"faults.ours_{kind}_{what}" for kind in ("kill", "away") for what in ("lost", "doubled")
    }


@pytest.mark.slow
def test_postgres_is_fed_straight_merged_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-232"""
    monkeypatch.setattr(filling, "TERMINALS", 20)
    monkeypatch.setattr(postgres, "BATCH_WINDOWS", 20)
    monkeypatch.setattr(postgres, "BATCHES", 3)
    found = named(runner.run("postgres", TINY))
    for name in ("straight_readings_per_s", "merged_readings_per_s", "straight_cpu_ratio", "merged_cpu_ratio"):
        assert math.isfinite(found[f"postgres.{name}"])
        assert found[f"postgres.{name}"] > 0


@pytest.mark.slow
def test_a_platform_is_fed_over_one_connection_and_one_a_station(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-233"""
    monkeypatch.setattr(filling, "TERMINALS", 12)
    monkeypatch.setattr(hj212_sink, "CONNECTIONS", (1, 12))
    found = named(runner.run("hj212_sink", TINY))
    for connections in (1, 12):
        assert 0 < found[f"hj212_sink.{connections}.packets_per_s"] <= connections * 1000 / hj212_sink.DELAY_MS
