"""The journal: each record once, on the disk when `commit` returns, and never in the way of the next one."""

import sqlite3
from pathlib import Path

import pytest

from gateway.config import VerifyConfig
from gateway.database import NewerSchemaError, StoreUnavailableError
from gateway.journal import blocks
from gateway.journal import journal as journal_module
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from protocol import record
from tests.gateway.support import CONFLICT, NEW, NOW_S, REPEATED, Sender, accept, commit, event, reading, window


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, VerifyConfig())


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / FILE)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def test_a_record_sent_again_is_counted_and_stored_once(tmp_path: Path, journal: Journal) -> None:
    sender = Sender()
    first, again = accept(sender, sender.frame([window(1)])), accept(sender, sender.frame([window(1), window(2)]))
    assert commit(journal, [first]) == [[NEW]]
    assert commit(journal, [first, again, again]) == [[REPEATED], [REPEATED, NEW], [REPEATED, REPEATED]]
    counts = Reader(tmp_path).counts()
    assert (counts["windows"], counts["frames"]) == (2, 2)
    assert (counts["records_new"], counts["records_repeated"]) == (2, 4)
    assert (counts["frames_accepted"], counts["frames_repeated"]) == (2, 2)


def test_deduplication_outlives_the_process(tmp_path: Path, journal: Journal) -> None:
    sender = Sender()
    commit(journal, [accept(sender, sender.frame([window(1), event(2)]))])
    journal.close()
    again = Journal(tmp_path, VerifyConfig())
    assert commit(again, [accept(sender, sender.frame([window(1), event(2)]))]) == [[REPEATED, REPEATED]]


def test_epochs_and_terminals_do_not_mix(tmp_path: Path, journal: Journal) -> None:
    one, other = Sender("A"), Sender("B", b"b" * 32)
    frames = [one.frame([window(1)]), one.frame([window(1)], epoch=8), other.frame([window(1)])]
    accepted = [accept(one, frames[0]), accept(one, frames[1]), accept(other, frames[2])]
    assert commit(journal, accepted) == [[NEW], [NEW], [NEW]]


def test_another_record_under_the_same_identity_is_a_conflict_and_changes_nothing(
    tmp_path: Path, journal: Journal
) -> None:
    sender = Sender()
    forged = window(1, readings=[reading(p_mean_w=4001)])
    assert commit(journal, [accept(sender, sender.frame([window(1)]))]) == [[NEW]]
    assert commit(journal, [accept(sender, sender.frame([forged, window(2)]))]) == [[CONFLICT, NEW]]
    assert Reader(tmp_path).raw(1) == window(1)


def test_two_records_of_one_frame_under_one_identity_are_a_conflict(tmp_path: Path, journal: Journal) -> None:
    sender = Sender()
    forged = window(1, readings=[reading(p_mean_w=4001)])
    assert commit(journal, [accept(sender, sender.frame([window(1), forged]))]) == [[NEW, CONFLICT]]
    assert Reader(tmp_path).raw(1) == window(1)


def test_the_frame_is_kept_as_it_came_and_each_record_is_found_in_it(tmp_path: Path, journal: Journal) -> None:
    sender = Sender()
    records = [window(1), event(2), window(3, readings=[reading(), None, 3])]
    data = sender.frame(records)
    commit(journal, [accept(sender, data)])
    reader = Reader(tmp_path)
    assert [reader.raw(one.id) for one in reader.records_after(0, 10)] == records
    ((packed,),) = rows(tmp_path, "SELECT frames FROM blocks")
    assert blocks.frames_of(packed) == [blocks.Kept(0b111, sender.name, data)]  # type: ignore[arg-type]
    assert record.decode_record(reader.raw(3)).body.readings[2] == 3


def test_no_frame_is_kept_for_repeated_records(tmp_path: Path, journal: Journal) -> None:
    sender = Sender()
    for _ in range(5):
        commit(journal, [accept(sender, sender.frame([window(1)]))])
    assert Reader(tmp_path).counts()["frames"] == 1


def test_a_full_disk_stores_nothing_of_the_batch_and_the_same_batch_goes_in_later(
    tmp_path: Path, journal: Journal
) -> None:
    sender = Sender()
    commit(journal, [accept(sender, sender.frame([window(0)]))])
    batch = [accept(sender, sender.frame([window(seq)])) for seq in range(1, 500)]
    full = journal._open().connection
    (pages,) = full.execute("PRAGMA page_count").fetchone()
    full.execute(f"PRAGMA max_page_count = {pages + 5}")  # SQLite answers as it does for a disk without room
    with pytest.raises(StoreUnavailableError, match="full"):
        commit(journal, batch)
    assert Reader(tmp_path).counts()["windows"] == 1
    assert commit(journal, batch) == [[NEW]] * 499


def test_a_fault_that_is_not_the_disks_leaves_nothing_remembered_that_is_not_stored(
    tmp_path: Path, journal: Journal
) -> None:
    """P-518: where the journal is gone on with, who sends again is not told that it is in."""
    sender = Sender()
    batch = [accept(sender, sender.frame([window(1), window(2)]))]
    connection = journal._open().connection
    connection.execute("CREATE TRIGGER ours BEFORE INSERT ON blocks BEGIN SELECT RAISE(ABORT, 'a fault of ours'); END")
    with pytest.raises(sqlite3.IntegrityError, match="a fault of ours"):
        commit(journal, batch)
    journal._open().connection.execute("DROP TRIGGER ours")
    assert commit(journal, batch) == [[NEW, NEW]]
    assert Reader(tmp_path).counts()["windows"] == 2


def test_a_file_that_is_no_database_is_said_to_be_unavailable(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, and longer than a header of one" * 100)
    with pytest.raises(StoreUnavailableError):
        Journal(tmp_path, VerifyConfig())


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, journal: Journal) -> None:
    journal.close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(NewerSchemaError, match="schema 99"):
        Journal(tmp_path, VerifyConfig())
    assert (tmp_path / FILE).read_bytes() == before


def test_a_migration_cut_short_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "schema"
    folder.mkdir()
    for file in journal_module.SCHEMA.glob("*.sql"):
        (folder / file.name).write_text(file.read_text())
    newest = len(list(folder.glob("*.sql")))
    more = folder / f"{newest + 1:04}.sql"
    monkeypatch.setattr(journal_module, "SCHEMA", folder)
    Journal(tmp_path, VerifyConfig()).close()
    more.write_text("CREATE TABLE more (id INTEGER) STRICT;\nCREATE TABLE wrong (id NOTYPE) STRICT;\n")
    with pytest.raises(StoreUnavailableError):
        Journal(tmp_path, VerifyConfig())
    assert rows(tmp_path, "PRAGMA user_version") == [(newest,)]
    assert rows(tmp_path, "SELECT count(*) FROM sqlite_master WHERE name = 'more'") == [(0,)]
    more.write_text("CREATE TABLE more (id INTEGER) STRICT;\n")
    Journal(tmp_path, VerifyConfig()).close()
    assert rows(tmp_path, "PRAGMA user_version") == [(newest + 1,)]


def test_commits_are_durable_by_setting(journal: Journal) -> None:
    connection = journal._open().connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("unplaced_first", [True, False])
def test_a_window_without_time_is_placed_by_uptime_whatever_comes_first(
    tmp_path: Path, journal: Journal, unplaced_first: bool
) -> None:
    """FR-26: end = time - (uptime - end_uptime_s)."""
    sender = Sender()
    lost = accept(sender, sender.frame([window(1, None, end_uptime_s=1800)]))
    timed = accept(sender, sender.frame([event(2, NOW_S, uptime_s=4000)]))
    for one in (lost, timed) if unplaced_first else (timed, lost):
        commit(journal, [one])
    ((number, placed),) = Reader(tmp_path).placements_after(0, 10)
    assert (number, placed.seq, placed.start_s) == (1, 1, NOW_S - (4000 - 1800) - 900)


def test_a_window_is_not_placed_by_another_boot_or_epoch(tmp_path: Path, journal: Journal) -> None:
    sender = Sender()
    commit(journal, [accept(sender, sender.frame([window(1, None)]))])
    commit(journal, [accept(sender, sender.frame([event(2, boot=2)]))])
    commit(journal, [accept(sender, sender.frame([event(1)], epoch=9))])
    assert Reader(tmp_path).placements_after(0, 10) == []
