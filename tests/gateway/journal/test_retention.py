"""Retention: what may go goes, nothing else, and that it was taken is known for ever."""

import itertools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.journal import index, retention
from gateway.journal.audit import Audit, Fault
from gateway.journal.chain import Head
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Retired, Rule, Settled
from gateway.journal.rows import Blocks, connect_to
from gateway.journal.spans import Spans
from tests.gateway.journal.logs import entries, log_of
from tests.gateway.support import NEW, NOW_S, REPEATED, Accepted, Sender, accept, commit, event, reading, window

ALL = Rule(1 << 62, None)  # keep nothing that may go
DAY_S = 86400
SENDERS = [Sender("A"), Sender("B", b"b" * 32)]


@contextmanager
def new_journal() -> Iterator[tuple[Path, Journal]]:
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name), VerifyConfig())
        yield Path(name), journal
        journal.close()


def rows(folder: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(folder / FILE)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def retire_all(journal: Journal, rule: Rule, held: dict[str, Settled]) -> Retired:
    """Step after step, to the last."""
    done = journal.retire(rule, held)
    while done.more:
        done = journal.retire(rule, held)
    return done


def write_index(journal: Journal) -> None:
    opened = journal._open()
    index.write(opened.connection, opened.ledger, opened.next_id - 1)


def faults(folder: Path, *noted: Head) -> list[Fault]:
    audit = Audit(folder)
    found = [one for one in audit.links() if isinstance(one, Fault)]
    found += [fault for one in noted if (fault := audit.compare(one))]
    audit.close()
    return found


class Step(NamedTuple):
    """One thing that happens to a journal: records come, the index is written, it is opened anew, or it retires."""

    what: str
    at: int  # which records of the shuffled log; how far the sink is, as a part of what there is
    some: int
    keep_s: int


steps_st = st.lists(
    st.builds(
        Step,
        st.sampled_from(["commit", "commit", "commit", "index", "reopen", "retire", "retire"]),
        st.integers(0, 30),
        st.integers(1, 6),
        st.integers(0, 5),
    ),
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(entries, min_size=1, max_size=30), steps_st, st.randoms())
def test_only_what_may_go_goes_and_all_else_is_as_without_retention(
    log: list[Any], steps: list[Step], chance: Any
) -> None:
    """P-106: against a journal that retires nothing. S-23 over it. What was taken is never taken again."""
    records = [(sender, raw) for sender in SENDERS for raw in log_of(log)]
    chance.shuffle(records)
    sent: list[Accepted] = []
    with new_journal() as (folder, journal), new_journal() as (plain_folder, plain):
        for second, step in enumerate(steps):
            if step.what == "commit":
                some = records[step.at : step.at + step.some]
                frames = [accept(sender, sender.frame([raw]), now_s=NOW_S + second) for sender, raw in some]
                sent += frames
                assert commit(journal, frames) == commit(plain, frames)
            elif step.what == "index":
                write_index(journal)
            elif step.what == "reopen":
                journal.close()
            else:
                retire_and_check(folder, journal, step, second)
            assert kept_of(folder) == kept_of(plain_folder, Reader(folder).start().record)
        again = [one._replace(now_s=NOW_S + 1000) for one in sent]
        assert [outcome for outcomes in commit(journal, again) for outcome in outcomes] == [REPEATED] * len(sent)


def retire_and_check(folder: Path, journal: Journal, step: Step, second: int) -> None:
    last = Reader(folder).last_id()
    sink = Settled(last * step.at // 30, 1 << 40)
    since_ms = (NOW_S + second - step.keep_s) * 1000
    noted = journal.head()
    times = {one.id: one.received_ms for one in Blocks(connect_to(folder)).after(0, 1000)}
    before = Reader(folder).start().record
    retire_all(journal, Rule(since_ms, None), {"s": sink})
    to = Reader(folder).start().record
    assert to <= max(sink.record, before)
    assert all(times[one] < since_ms for one in range(before + 1, to + 1))
    kept = sorted(one for one in times if one > to)
    if kept and times[kept[0]] < since_ms and times[kept[0]] != times[kept[-1]]:  # its commit is not the newest
        commit_last = max(one for one in kept if times[one] == times[kept[0]])
        assert commit_last > sink.record
    assert faults(folder, noted) == []
    indexed = {entry.record for entry in index_entries(folder)}
    (reached,) = rows(folder, "SELECT indexed FROM progress")[0]
    assert indexed == set(range(to + 1, reached + 1))


def index_entries(folder: Path) -> Iterator[index.Entry]:
    for (packed,) in rows(folder, "SELECT entries FROM runs"):
        yield from map(index.Entry._make, index.ENTRY.iter_unpack(packed))


def kept_of(folder: Path, after: int = 0) -> list[Any]:
    """Every record with a greater id: all of it, its bytes and its place."""
    blocks = Blocks(connect_to(folder))
    places = dict(rows(folder, "SELECT record, start_s FROM placements"))
    return [(row, blocks.raw(row.id), places.get(row.id)) for row in blocks.after(after, 1000)]


def test_numbers_in_any_order_are_remembered_as_runs(tmp_path: Path) -> None:
    """P-106: a row for a run of numbers, not for a record."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    for second, seq in enumerate([5, 1, 2, 9, 8, 4, 3, 20, 6, 7, 30]):
        commit(journal, [accept(sender, sender.frame([window(seq, NOW_S - 90_000)]), now_s=NOW_S + second)])
        retire_all(journal, ALL, {})
    assert rows(tmp_path, "SELECT first, last FROM retired ORDER BY first") == [(1, 9), (20, 20)]
    (ids,) = {one.id for one in Reader(tmp_path).records_after(0, 100)}
    assert ids == 11


def test_a_changed_record_under_a_retired_number_is_not_taken(tmp_path: Path) -> None:
    """P-106: its bytes are gone, so nobody can say whether it was this one; it is never taken twice."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    for seq in (1, 2):
        commit(journal, [accept(sender, sender.frame([window(seq)]), now_s=NOW_S + seq)])
    retire_all(journal, ALL, {})
    forged = window(1, NOW_S - 9000, [reading(p_mean_w=3600)])
    journal.close()
    assert commit(journal, [accept(sender, sender.frame([forged, window(1), window(3)]))]) == [
        [REPEATED, REPEATED, NEW]
    ]


def test_a_step_of_a_register_is_held_against_a_window_that_is_retired(tmp_path: Path) -> None:
    """S-17: over retention, and over a restart."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    first, second = window(1, NOW_S - 1800), window(2, NOW_S - 900, [reading(e_import_wh=999_999)])
    commit(journal, [accept(sender, sender.frame([first]), now_s=NOW_S - 10)])
    commit(journal, [accept(sender, sender.frame([event(9)]), now_s=NOW_S)])
    retire_all(journal, ALL, {})
    assert Reader(tmp_path).start().record == 1
    journal.close()
    commit(journal, [accept(sender, sender.frame([second]), now_s=NOW_S + 1)])
    marks = {one.seq: one.marks for one in Reader(tmp_path).records_after(0, 10)}
    assert marks[2] == [("energy_fell", 1)]


def test_nothing_goes_past_a_sink_nor_past_a_window_placed_that_it_has_not_seen(tmp_path: Path) -> None:
    """P-107"""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    commit(journal, [accept(sender, sender.frame([window(1)]), now_s=NOW_S)])
    commit(journal, [accept(sender, sender.frame([window(2, None)]), now_s=NOW_S + 1)])
    commit(journal, [accept(sender, sender.frame([event(3)]), now_s=NOW_S + 2)])
    commit(journal, [accept(sender, sender.frame([window(4)]), now_s=NOW_S + 3)])
    everything, nothing = Settled(4, 1), Settled(0, 0)
    assert retire_all(journal, ALL, {"a": everything, "b": nothing}).held_by == ("b",)
    assert Reader(tmp_path).start().record == 0
    assert retire_all(journal, ALL, {"a": everything, "b": Settled(4, 0)}).held_by == ("b",)  # placement 1 not seen
    assert Reader(tmp_path).start().record == 1
    assert retire_all(journal, ALL, {"a": everything, "b": everything}).held_by == ()
    assert Reader(tmp_path).start().record == 3
    assert Reader(tmp_path).last_placement() == 1


def test_the_oldest_go_until_the_file_is_within_its_size(tmp_path: Path) -> None:
    """P-106"""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    for second in range(200):
        frames = [sender.frame([window(100 * second + n, NOW_S - 900 * n)]) for n in range(50)]
        commit(journal, [accept(sender, frame, now_s=NOW_S + second) for frame in frames])
    write_index(journal)
    used = Reader(tmp_path).counts()["bytes"]
    most = used * 2 // 3
    done = Retired(more=True)
    while done.more:
        done = journal.retire(Rule(0, most), {})
        assert done.frames <= (retention.BLOCKS_A_STEP + 1) * 64
    counts = Reader(tmp_path).counts()
    assert most * 9 // 10 < counts["bytes"] <= most
    assert (
        counts["retired_records"]
        == Reader(tmp_path).start().record
        == 10_000 - len(Reader(tmp_path).records_after(0, 10_000))
    )
    assert counts["retired_frames"] == counts["retired_records"]


def test_a_window_that_never_got_a_time_is_counted_when_it_goes(tmp_path: Path) -> None:
    """P-106: no silent loss."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    commit(journal, [accept(sender, sender.frame([window(1, None), window(2)]), now_s=NOW_S)])
    commit(journal, [accept(sender, sender.frame([window(3, None, boot=2)]), now_s=NOW_S + 1)])
    commit(journal, [accept(sender, sender.frame([window(4)]), now_s=NOW_S + 2)])
    assert journal.retire(ALL, {}) == Retired(more=True, behind_index=True)
    assert journal.retire(ALL, {}) == Retired(frames=2, records=3, unplaced=1)
    assert Reader(tmp_path).counts()["retired_unplaced"] == 1
    assert rows(tmp_path, "SELECT count(*) FROM timeless") == [(0,)]


def test_a_full_disk_retires_nothing_and_is_tried_again(tmp_path: Path) -> None:
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    for second in range(3):
        commit(journal, [accept(sender, sender.frame([window(second)]), now_s=NOW_S + second)])
    write_index(journal)
    connection = journal._open().connection
    connection.execute("PRAGMA query_only = 1")  # SQLite refuses to write, as on a file system that is read-only
    with pytest.raises(StoreUnavailableError):
        journal.retire(ALL, {})
    assert Reader(tmp_path).start().record == 0
    assert journal.retire(ALL, {}).records == 2
    assert faults(tmp_path) == []


def test_a_reader_that_goes_on_finds_what_is_left(tmp_path: Path) -> None:
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()
    for second in range(10):
        commit(journal, [accept(sender, sender.frame([window(second, NOW_S - 900 * 20)]), now_s=NOW_S + second)])
    write_index(journal)
    spans, reader = Spans(tmp_path), Reader(tmp_path)
    listed = list(spans.log(1))
    assert len(listed) == 10
    retire_all(journal, Rule((NOW_S + 5) * 1000, None), {})
    assert [spans.raw(one.id) is None for one in listed] == [True] * 5 + [False] * 5
    assert [one.seq for one in spans.log(1)] == [5, 6, 7, 8, 9]
    assert [one.seq for one in reader.records_after(0, 100)] == [5, 6, 7, 8, 9]
    assert list(spans.numbers(1, 7, 0, 100)) == list(range(10))
    assert spans.kept_from_ms() == (NOW_S + 4) * 1000


@pytest.mark.parametrize("split", [True, False])
def test_a_mark_that_came_late_stays_with_its_record(tmp_path: Path, split: bool) -> None:
    """A commit leaves as a whole: its remarks may be about its own later blocks."""
    journal, sender = Journal(tmp_path, VerifyConfig()), Sender()

    def frame_of(seq: int, energy_wh: int) -> bytes:
        start_s = NOW_S - 900 * 200 + 900 * seq
        return sender.frame([window(seq, start_s, [reading(e_import_wh=energy_wh)], end_uptime_s=900 * seq)])

    filler = [Sender(f"F{n}", b"f" * 32) for n in range(100)]
    frames = [accept(one, one.frame([window(1)]), now_s=NOW_S) for one in filler]
    late = [accept(sender, frame_of(3, 10**9), now_s=NOW_S), accept(sender, frame_of(1, 10**6), now_s=NOW_S)]
    commit(journal, frames + late)
    commit(journal, [accept(sender, frame_of(2, 10**9 - 1000), now_s=NOW_S + 1)])
    commit(journal, [accept(sender, sender.frame([event(9)]), now_s=NOW_S + 2)])
    write_index(journal)
    (blocks,) = rows(tmp_path, "SELECT count(*) FROM blocks WHERE received_ms % 10000 = 0")[0]
    assert blocks == 2
    rule = Rule(NOW_S * 1000 + (1 if split else 0), None)
    retire_all(journal, rule, {})
    stored = {(one.terminal, one.seq): one.marks for one in Reader(tmp_path).records_after(0, 1000)}
    assert (sender.name, 3) not in stored if split else stored[sender.name, 3] == []
    assert stored[sender.name, 2] == [("energy_jumped", 1)]
    assert faults(tmp_path) == []


def test_runs_are_numbers_side_by_side() -> None:
    assert list(retention._runs([1, 2, 3, 7, 9, 10])) == [(1, 3), (7, 7), (9, 10)]
    assert list(itertools.chain(retention._runs([4]))) == [(4, 4)]
