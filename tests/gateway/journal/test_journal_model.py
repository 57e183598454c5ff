"""Whatever the order, the repetitions and the batches in which frames come: the same journal."""

import random
import sqlite3
import struct
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.journal import index
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.rows import Blocks, connect_to
from tests.gateway.journal.logs import entries, log_of
from tests.gateway.support import NEW, NOW_S, POINT, REPEATED, Accepted, Sender, accept, commit, window


class Content(NamedTuple):
    """All that a journal says of its records, without the order in which it took them."""

    records: list[tuple[Any, ...]]
    places: dict[tuple[int, int], int]
    boots: list[tuple[Any, ...]]
    ends: list[tuple[Any, ...]]


def content_of(folder: Path) -> Content:
    reader = Blocks(connect_to(folder))
    rows = sorted(reader.after(0, 10**9), key=lambda row: (row.terminal, row.epoch, row.seq))
    connection = sqlite3.connect(folder / FILE)
    numbers = {row.id: (row.epoch, row.seq) for row in rows}
    places = {numbers[record]: start for record, start in connection.execute("SELECT record, start_s FROM placements")}
    boots = connection.execute("SELECT epoch, boot, error_s, uptime_s, seq, time_s FROM boots ORDER BY 1, 2").fetchall()
    connection.close()
    records = [(*row._replace(id=0, received_ms=0), reader.raw(row.id)) for row in rows]
    return Content(records, places, boots, ends_of(folder, numbers))


def ends_of(folder: Path, numbers: dict[int, tuple[int, int]]) -> list[tuple[Any, ...]]:
    """The index's extents, brought up to date in a copy; a record's id says only when it came."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        with sqlite3.connect(folder / FILE) as source, sqlite3.connect(copy / FILE) as target:
            source.backup(target)
        source.close()
        target.close()
        journal = Journal(copy, VerifyConfig())
        opened = journal._open()
        index.write(opened.connection, opened.ledger, opened.next_id - 1)
        rows = opened.connection.execute("SELECT epoch, first, last, first_record, last_record, ends FROM extents")
        found = [
            (epoch, first, last, numbers[low], numbers[high], registers_of(ends))
            for epoch, first, last, low, high, ends in rows.fetchall()
        ]
        journal.close()
    return found


def registers_of(ends: bytes) -> list[tuple[int, ...]]:
    """Without the id that each begins with."""
    return [one[1:] for one in struct.iter_unpack("<5q2I2i2I", ends) if one[-1]]


def journal_after(batches: list[list[Accepted]], chance: random.Random | None = None) -> tuple[Content, int]:
    """What a new journal says after these commits, and how many records it called new.

    With `chance`, the index is written, and the journal opened anew, between some of them.
    """
    with tempfile.TemporaryDirectory() as name:
        journal, new = Journal(Path(name), VerifyConfig()), 0
        for batch in batches:
            new += sum(frame.count(NEW) for frame in commit(journal, batch))
            if chance and chance.random() < 0.2:
                opened = journal._open()
                index.write(opened.connection, opened.ledger, opened.next_id - 1)
            if chance and chance.random() < 0.2:
                journal.close()
        journal.close()
        return content_of(Path(name)), new


@settings(max_examples=60)
@given(st.lists(entries, min_size=1, max_size=24), st.integers(0, 2**32))
def test_any_order_repetition_and_split_gives_the_same_journal(
    steps: list[tuple[bool, bool, bool, int, int]], seed: int
) -> None:
    """R-06, S-02: invariants 2 and 5. Marks and places of windows without time included."""
    chance = random.Random(seed)
    sender = Sender()
    records = log_of(steps)
    in_order = [[accept(sender, sender.frame([one]), {1: POINT}) for one in records]]
    frames = [
        accept(sender, sender.frame(chance.sample(records, chance.randint(1, min(len(records), 8)))), {1: POINT})
        for _ in range(chance.randint(0, 12))
    ]
    frames += in_order[0]
    chance.shuffle(frames)
    batches: list[list[Accepted]] = [[]]
    for one in frames:
        if chance.random() < 0.4:
            batches.append([])
        batches[-1].append(one)
    expected, new = journal_after(in_order)
    assert new == len(records)
    assert journal_after(batches, chance) == (expected, new)


def test_a_thousand_forced_repeats_give_no_duplicate(tmp_path: Path) -> None:
    """R-06."""
    sender, chance = Sender(), random.Random(6)
    records = [window(seq, NOW_S - 900 * (60 - seq)) for seq in range(50)]
    journal = Journal(tmp_path, VerifyConfig())
    new = 0
    for _ in range(100):
        batch = [accept(sender, sender.frame(chance.sample(records, 10))) for _ in range(10)]
        new += sum(frame.count(NEW) for frame in commit(journal, batch))
    stored = [one.seq for one in Reader(tmp_path).records_after(0, 1000)]
    assert sorted(stored) == sorted(set(stored)) == list(range(50))
    assert new == 50


def test_a_backlog_of_4096_records_is_taken_in_any_order(tmp_path: Path) -> None:
    """S-02: no window of 32 or 64 refuses what is late."""
    sender, chance = Sender(), random.Random(2)
    records = [window(seq, NOW_S - 900 * (4200 - seq)) for seq in range(4096)]
    chance.shuffle(records)
    journal = Journal(tmp_path, VerifyConfig())
    frames = [accept(sender, sender.frame(records[at : at + 16])) for at in range(0, 4096, 16)]
    outcomes = [one for frame in commit(journal, frames) for one in frame]
    assert outcomes == [NEW] * 4096


def test_captured_frames_sent_again_change_nothing_also_after_a_restart(tmp_path: Path) -> None:
    """S-01: 10,000 of 10,000."""
    sender, chance = Sender(), random.Random(1)
    captured = [accept(sender, sender.frame([window(seq, NOW_S - 900 * (60 - seq))])) for seq in range(50)]
    journal = Journal(tmp_path, VerifyConfig())
    commit(journal, captured)
    journal.close()
    before = content_of(tmp_path)
    journal = Journal(tmp_path, VerifyConfig())
    for _ in range(20):
        assert commit(journal, chance.choices(captured, k=500)) == [[REPEATED]] * 500
    assert content_of(tmp_path) == before
    assert Reader(tmp_path).counts()["frames"] == 50
