"""PostgreSQL as a sink, against the real server: once in effect, whatever happens to it."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from gateway.forward import outbox as store
from gateway.forward import refeeds
from hil.postgres import Postgres
from protocol import record
from tests.gateway.forward.databases import Database
from tests.gateway.forward.world import DAY_S, old
from tests.gateway.support import NOW_S, ROOT, event, reading, window


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(ROOT / "build/postgres/bin", tmp_path_factory.mktemp("postgres") / "postgres.log") as one:
        one.start()
        yield one


@pytest.fixture
def database(tmp_path: Path, server: Postgres, request: pytest.FixtureRequest) -> Iterator[Database]:
    one = Database(tmp_path, server, f"t{abs(hash(request.node.name)) % 10**9}")
    yield one
    one.close()


def test_everything_that_a_record_says_is_there(database: Database) -> None:
    """P-150."""
    values = [1, 2, 3, 4000, 3500, 4500, 10**15, 7, 8, 9, 2201, 2202, 2203, 5000, 5001, 4999, -900, 3, 1, -77]
    full = record.Reading(*values)
    database.commit([old(1, full, None, record.NONE_SILENT), event(2, NOW_S, point=3, values=[5, -6])])
    database.run()
    rows = database.ask("SELECT * FROM readings ORDER BY point")
    assert rows[0][2:] == (1, 1, None, *full)
    assert rows[1][2:5] == (1, 3, record.NONE_SILENT)
    assert set(rows[1][5:]) == {None}
    assert len(rows) == 2
    ((start, _, seq, length_s, received, boot, uptime_s, due, source, error_s, placed, marks),) = database.ask(
        "SELECT * FROM windows"
    )
    assert (start.timestamp(), seq, length_s, received.timestamp()) == (NOW_S - DAY_S * 30 + 900, 1, 900, NOW_S)
    assert (boot, uptime_s, due, source, error_s, placed) == (1, 1800, 180, 3, 1, False)
    assert "point_unknown:3" in marks.split()
    assert database.ask("SELECT seq, extract(epoch FROM at)::bigint, code, point, parameters FROM events") == [
        (2, NOW_S, 1, 3, [5, -6])
    ]
    assert database.ask("SELECT terminal, epoch FROM logs") == [("T0001", 7)]
    assert len(database.ask("SELECT * FROM power")) == 2


def test_fed_twice_it_counts_once_and_late_marks_arrive(database: Database) -> None:
    """P-151."""
    database.commit([old(seq) for seq in range(100) if seq != 50][:60])
    database.commit([old(seq) for seq in range(100) if seq != 50][60:])
    database.run()
    assert (database.postgres.copied, database.postgres.merged) == (2, 0)
    refeeds.order_refeed(database.folder, "s", 0, database.reader.last_id())
    database.command("UPDATE windows SET marks = 'energy_fell:1' WHERE seq = 7")
    database.run()
    assert database.postgres.merged > 0
    assert database.seqs() == [seq for seq in range(100) if seq != 50]
    assert database.ask("SELECT count(*) FROM readings") == [(99,)]
    assert database.ask("SELECT marks FROM windows WHERE seq = 7") != [("energy_fell:1",)]
    before = database.postgres.copied
    database.commit([old(seq) for seq in range(100, 140)])
    database.commit([old(seq) for seq in range(140, 200)])
    database.run()
    assert database.postgres.copied > before  # what is new is copied again, after one merge that met nothing


def test_rows_that_somebody_deleted_come_back_by_a_refeed(database: Database) -> None:
    """P-151: of the windows alone, of the readings alone, of both."""
    database.commit([old(seq) for seq in range(40)])
    database.run()
    database.command("DELETE FROM readings WHERE seq IN (7, 8); DELETE FROM windows WHERE seq IN (8, 9)")
    refeeds.order_refeed(database.folder, "s", 0, database.reader.last_id())
    database.run()
    assert database.seqs() == list(range(40))
    assert database.ask("SELECT count(*), count(DISTINCT seq) FROM readings") == [(40, 40)]


def test_a_window_that_was_placed_again_is_moved_not_doubled(database: Database) -> None:
    database.commit([window(1, None, end_uptime_s=900)])
    database.commit([window(2, NOW_S - 1800, end_uptime_s=1900, clock_error_s=60)])
    database.run()
    database.commit([window(3, NOW_S - 900, end_uptime_s=2700, clock_error_s=1)])
    refeeds.order_refeed(database.folder, "s", 0, database.reader.last_id())
    database.run()
    rows = database.ask("SELECT seq, placed FROM windows ORDER BY seq")
    assert rows == [(1, True), (2, False), (3, False)]
    assert database.ask("SELECT count(*) FROM readings") == [(3,)]
    assert database.ask("SELECT extract(epoch FROM start)::bigint FROM windows WHERE seq = 1") == [(NOW_S - 2700,)]


@pytest.mark.slow
def test_killed_restarted_and_put_back_under_load_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """P-151, R-08: kill -9 in mid-transaction, and a cluster put back to an older state, seen without being told."""
    chance = random.Random(7)
    with Postgres(ROOT / "build/postgres/bin", tmp_path / "postgres.log") as server:
        server.start()
        database = Database(tmp_path / "data", server, "w", 20)
        state, seq = None, 0
        for turn in range(12):
            for _ in range(3):
                database.commit([old(number) for number in range(seq, seq + 40)])
                seq += 40
            killer = threading.Timer(chance.random() * 0.15, server.process.kill)
            if turn % 3 == 2:
                killer.start()
            database.try_to_run()
            if turn % 3 == 2:
                killer.join()
                server.process.kill()
                if turn == 11:
                    assert state is not None
                    server.put_back(state)
                server.start()
            if turn == 5:
                database.try_to_run()
                database.try_to_run()
                server.process.stop()
                state = server.copy_state("older")
                server.start()
            if turn % 4 == 3:
                database.restart()
        database.commit([old(seq)])  # that the database was put back is seen when something comes for it
        seq += 1
        for _ in range(3):
            database.try_to_run()
        assert database.seqs() == list(range(seq))
        assert database.ask("SELECT count(*) FROM readings") == [(seq,)]
        assert store.status(database.folder, "s")["refeed"] == 0
        database.close()


@pytest.mark.parametrize(
    ("break_it", "mend_it", "reason"),
    [
        ("UPDATE {s}.schema_version SET version = 99", "UPDATE {s}.schema_version SET version = 1", "newer"),
        ("ALTER TABLE {s}.readings RENAME TO mine", "ALTER TABLE {s}.mine RENAME TO readings", "foreign"),
        (
            "ALTER DATABASE postgres SET default_transaction_read_only = on",
            "SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only",
            "read_only",
        ),
        ("ALTER TABLE {s}.readings RENAME COLUMN flags TO f", "ALTER TABLE {s}.readings RENAME COLUMN f TO flags", ""),
    ],
)
def test_what_is_wrong_with_a_database_is_named_and_nothing_counts_as_safe(
    database: Database, break_it: str, mend_it: str, reason: str
) -> None:
    """P-152."""
    database.commit([old(1)])
    database.run()
    schema = database.config.schema
    with psycopg.connect(database.server.dsn, autocommit=True) as keeper:
        keeper.execute(break_it.format(s=schema).encode())
        database.postgres.close()
        database.commit([old(2)])
        assert database.try_to_run() == ([reason] if reason else [])
        if reason:
            assert store.settled(database.folder, "s")[0] == 1
            assert store.status(database.folder, "s")["reason"] == reason
        for statement in mend_it.format(s=schema).split("; "):
            keeper.execute(statement.encode())
    database.postgres.close()
    assert database.try_to_run() == []
    assert database.seqs() == [1, 2]


def test_a_stranger_is_told_so(tmp_path: Path, server: Postgres) -> None:
    """P-152."""
    database = Database(tmp_path, server, "strangers")
    database.config = msgspec.structs.replace(database.config, user="stranger")
    database.restart()
    database.commit([old(1)])
    assert database.try_to_run() == ["denied"]
    database.close()


def test_a_foreign_table_in_our_place_is_left_alone(database: Database) -> None:
    """P-152."""
    database.command(f"CREATE SCHEMA {database.config.schema}")
    database.command(f"CREATE TABLE {database.config.schema}.readings (mine text)")
    database.commit([old(1)])
    assert database.try_to_run() == ["foreign"]
    assert database.ask("SELECT * FROM readings") == []


def test_a_record_that_a_rule_of_the_database_refuses_is_a_dead_letter_alone(database: Database) -> None:
    database.commit([old(1)])
    database.run()
    database.command("ALTER TABLE readings ADD CHECK (p_mean_w < 9000)")
    database.commit([old(seq, reading(p_mean_w=9500 if seq == 17 else 4000, p_max_w=9900)) for seq in range(2, 42)])
    database.run()
    assert database.seqs() == [seq for seq in range(1, 42) if seq != 17]
    assert store.status(database.folder, "s")["dead"] == {"refused": 1}


def test_a_server_that_answers_nothing_is_given_up_in_time(tmp_path: Path, server: Postgres) -> None:
    """P-152: a lock that somebody holds for ever costs a statement's time-out, and is named."""
    database = Database(tmp_path, server, "locked")
    database.commit([old(1)])
    database.run()
    with psycopg.connect(server.dsn) as other:
        other.execute("LOCK TABLE locked.windows IN ACCESS EXCLUSIVE MODE")
        database.postgres._connection.execute("SET lock_timeout = 300")
        database.commit([old(2)])
        assert database.try_to_run() == ["silent"]
    assert database.try_to_run() == []
    assert database.seqs() == [1, 2]
    database.close()
