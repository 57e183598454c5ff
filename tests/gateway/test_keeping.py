"""Retention at work, and what an operator sees of it."""

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config import JournalConfig, VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.forward import outbox
from gateway.forward.outbox import BACKLOG, PLACEMENTS, Outbox, Taken
from gateway.hj212.packet import Packet
from gateway.journal.chain import Head
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Retired, Settled
from gateway.keeping import DAY_S, LOOK_EVERY_S, TRUSTED_AFTER_S, Keeping
from gateway.logs import make_logger
from gateway.metrics import Metrics
from tests.gateway.support import NOW_S, Sender, StillClock, accept, commit, event, window, write_config

SENDER = Sender()


class World:
    """A journal with a record a day, and a Keeping over it; time passes when told."""

    def __init__(self, folder: Path, days: int = 20, keep_days: int = 7) -> None:
        self.journal = Journal(folder, VerifyConfig())
        for day in range(days):
            at_s = NOW_S - DAY_S * (days - day)
            commit(self.journal, [accept(SENDER, SENDER.frame([window(day, at_s - 900)]), now_s=at_s)])
        self.folder, self.clock, self.log, self.metrics = folder, StillClock(), io.StringIO(), Metrics()
        self.steady_s = 50.0
        self.sinks: dict[str, Settled] = {}
        config = JournalConfig(keep_days=keep_days)
        log = make_logger(self.clock, self.log)
        self.keeping = Keeping(
            self.journal, config, lambda: self.sinks, self.clock, lambda: self.steady_s, self.metrics, log
        )

    def pass_s(self, seconds: int, clock_s: int | None = None) -> None:
        """By the machine's steady clock; the time of day goes along, or on its own way."""
        self.steady_s += seconds
        self.clock.now_s += seconds if clock_s is None else clock_s
        for _ in range(10):  # turns of the loop, none of which takes time
            self.keeping.step()

    @property
    def retired(self) -> int:
        return Reader(self.folder).start().record

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.log.getvalue().splitlines()) if line["event"] == name]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def test_what_is_older_goes_and_is_counted_and_said_once(tmp_path: Path) -> None:
    """P-106"""
    world = World(tmp_path)
    world.pass_s(int(TRUSTED_AFTER_S))
    assert world.retired == 14
    assert [(one["frames"], one["records"], one["unplaced"]) for one in world.events("retired")] == [(14, 14, 0)]
    assert world.metric("wattline_journal_retired_total", what="records") == 14
    assert world.metric("wattline_journal_retired_total", what="unplaced") == 0
    world.pass_s(DAY_S)
    assert world.retired == 15
    assert len(world.events("retired")) == 2


def test_what_is_damaged_stays_and_keeps_nothing_from_being_taken_in(tmp_path: Path) -> None:
    """P-519: each try is counted and said; what was damaged is whole in a backup, and goes then."""
    world = World(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        ((whole,),) = connection.execute("SELECT frames FROM blocks WHERE first = 3").fetchall()
        connection.execute("UPDATE blocks SET frames = ? WHERE first = 3", (whole[:-3],))
    world.pass_s(int(TRUSTED_AFTER_S))
    assert world.retired == 0
    assert ["block ends" in one["error"] for one in world.events("store_unavailable")] == [True]
    assert world.metric("wattline_store_errors_total", store="journal") == 1
    assert commit(world.journal, [accept(SENDER, SENDER.frame([window(99)]))]) == [["new"]]
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE blocks SET frames = ? WHERE first = 3", (whole,))
    world.pass_s(int(LOOK_EVERY_S))
    assert world.retired == 14


def test_a_clock_that_was_set_is_not_believed_for_an_hour(tmp_path: Path) -> None:
    """P-107: evidence is not lost to a wrong clock that is put right."""
    world = World(tmp_path, keep_days=100)
    hour_s = int(TRUSTED_AFTER_S)
    for _ in range(20):
        world.pass_s(hour_s // 4, clock_s=40 * DAY_S)
        world.pass_s(hour_s // 4, clock_s=-40 * DAY_S)
    assert world.retired == 0
    world.pass_s(1, clock_s=95 * DAY_S)
    for _ in range(59):
        world.pass_s(hour_s // 60)
    assert world.retired == 0
    world.pass_s(2 * int(LOOK_EVERY_S))
    assert world.retired == 16


def test_a_sink_that_is_behind_holds_everything_and_is_named(tmp_path: Path) -> None:
    """P-107"""
    world = World(tmp_path)
    world.sinks = {"province": Settled(4, 0), "city": Settled(20, 0)}
    world.pass_s(int(TRUSTED_AFTER_S))
    assert world.retired == 4
    assert [one["sinks"] for one in world.events("retention_held")] == [["province"]]
    assert world.metric("wattline_journal_retention_held", sink="province") == 1
    world.sinks["province"] = Settled(19, 0)
    world.pass_s(int(LOOK_EVERY_S))
    assert world.retired == 14
    assert [one["sinks"] for one in world.events("retention_held")] == [["province"], []]
    assert world.metric("wattline_journal_retention_held", sink="province") == 0


def test_the_chains_head_is_told_daily(tmp_path: Path) -> None:
    """S-23: what an audit can be given, noted outside of the file."""
    world = World(tmp_path)
    world.pass_s(1)
    world.pass_s(DAY_S // 2)
    world.pass_s(DAY_S // 2)
    assert [one["head"] for one in world.events("journal_head")] == [str(world.journal.head())] * 2


def test_a_disk_that_refuses_is_counted_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)

    def refuse(*_: object) -> Retired:
        raise StoreUnavailableError("full")

    with monkeypatch.context() as patched:
        patched.setattr(world.journal, "retire", refuse)
        world.pass_s(int(TRUSTED_AFTER_S))
    assert world.metric("wattline_store_errors_total", store="journal") == 1
    world.pass_s(int(LOOK_EVERY_S))
    assert world.retired == 14


def test_a_sink_needs_what_it_has_not_taken_or_not_confirmed(tmp_path: Path) -> None:
    """P-107"""
    assert outbox.settled(tmp_path, "s") == (0, 0)
    sink = Outbox(tmp_path, "s")
    assert outbox.settled(tmp_path, "s") == (0, 0)
    packet = Packet("qn", "mn", b"data")
    sink.take(Taken(packets=[(7, [packet])], cursors={BACKLOG: 9, PLACEMENTS: 3}))
    assert outbox.settled(tmp_path, "s") == (6, 3)
    sink.confirm(["qn"])
    assert outbox.settled(tmp_path, "s") == (9, 3)
    sink.close()


def test_commands_say_what_was_retired_and_claim_nothing_of_it(tmp_path: Path) -> None:
    """P-106"""
    world = World(tmp_path / "data", days=30)
    config = write_config(tmp_path, 1883, [SENDER])
    commit(world.journal, [accept(SENDER, SENDER.frame([event(100)]))])
    world.pass_s(int(TRUSTED_AFTER_S))
    world.journal.close()

    def run(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(app, [words[0], "--config", str(config), *words[1:]])
        return answer.exit_code, answer.stdout

    retention = json.loads(run("status", "--json")[1])["retention"]
    assert (retention["keep_days"], retention["retired_to_record"]) == (366, 24)
    assert retention["retired_received_until"] == "2026-02-22T00:00:00Z"
    assert Head.parse(retention["head"]).record == 31
    span = ("--from", "2026-01-01", "--to", "2026-03-01")
    lines = [json.loads(line) for line in run("gaps", *span, "--json")[1].splitlines()]
    assert {"kind": "retired", "until": "2026-02-23T00:00:00Z"} in lines
    assert min(line["day"] for line in lines if line["kind"] == "day") == "2026-02-23"
    assert "retired" not in run("gaps", "--from", "2026-02-24", "--to", "2026-03-01", "--json")[1]
    said = json.loads(run("export", *span, "--out", str(tmp_path / "out.csv"), "--json")[1])
    assert (said["rows"], said["retired_until"]) == (6, "2026-02-22T00:00:00Z")
    later = ("--from", "2026-02-22", "--to", "2026-03-01", "--out", str(tmp_path / "later.csv"), "--json")
    assert "retired_until" not in json.loads(run("export", *later)[1])
