"""Whatever the order, the repetitions and the batches in which frames come: the same journal."""

import random
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.journal.journal import FILE, NEW, REPEATED, Accepted, Journal
from tests.gateway.support import NOW_S, POINT, Sender, accept, event, reading, window

# Everything that the journal says of its records, without the order in which it took them.
_CONTENT = """
SELECT terminals.name, records.epoch, records.seq, records.type, records.start_s, records.length_s, records.boot,
       records.uptime_s, hex(substr(frames.bytes, records.at + 1, records.size)), hex(digest), marks, placements.start_s
FROM records JOIN terminals ON terminals.id = records.terminal JOIN frames ON frames.id = records.frame
LEFT JOIN placements ON placements.record = records.id
ORDER BY 1, 2, 3
"""
_BOOTS = "SELECT epoch, boot, error_s, uptime_s, seq, time_s FROM boots ORDER BY 1, 2"
_REGISTERS = "SELECT epoch, point, seq, boot, uptime_s, time_s, import_wh FROM registers ORDER BY 1, 2, 3"

# one record of a terminal's log: (is a window, knows the time, boots before it, energy step in Wh, clock's step in s)
entries = st.tuples(
    st.integers(0, 9).map(lambda n: n > 1),
    st.booleans(),
    st.integers(0, 7).map(lambda n: n == 0),
    st.sampled_from([0, 100, 2000, 2500, 50_000, -7]),
    st.sampled_from([0, 0, 0, 3600, -900]),
)


def log_of(steps: list[tuple[bool, bool, bool, int, int]]) -> list[bytes]:
    """A log as a terminal would have written it: time, uptime and registers run on from record to record."""
    records, boot, boot_s, energy_wh, now_s = [], 1, NOW_S - 10**6, 10**6, NOW_S - 10**6
    for seq, (is_window, timed, boots, step_wh, clock_step_s) in enumerate(steps, start=1):
        now_s += 900
        if boots:
            boot, boot_s = boot + 1, now_s - 900
        energy_wh += step_wh
        time: dict[str, Any] = {"boot": boot, "clock_error_s": 5 if clock_step_s else 1}
        shown_s = now_s + clock_step_s if timed else None
        if is_window:
            start_s = None if shown_s is None else shown_s - 900
            values = [reading(e_import_wh=energy_wh)]
            records.append(window(seq, start_s, values, end_uptime_s=now_s - boot_s, **time))
        else:
            records.append(event(seq, shown_s, uptime_s=now_s - boot_s, **time))
    return records


def journal_after(batches: list[list[Accepted]]) -> tuple[list[list[Any]], int]:
    """What a new journal says after these commits, and how many records it called new."""
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name), VerifyConfig())
        outcomes = [outcome for batch in batches for frame in journal.commit(batch).outcomes for outcome in frame]
        journal.close()
        connection = sqlite3.connect(Path(name) / FILE)
        content = [connection.execute(query).fetchall() for query in (_CONTENT, _BOOTS, _REGISTERS)]
        connection.close()
    return content, outcomes.count(NEW)


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
    assert journal_after(batches) == (expected, new)


def test_a_thousand_forced_repeats_give_no_duplicate(tmp_path: Path) -> None:
    """R-06."""
    sender, chance = Sender(), random.Random(6)
    records = [window(seq, NOW_S - 900 * (60 - seq)) for seq in range(50)]
    journal = Journal(tmp_path, VerifyConfig())
    new = 0
    for _ in range(100):
        batch = [accept(sender, sender.frame(chance.sample(records, 10))) for _ in range(10)]
        new += sum(frame.count(NEW) for frame in journal.commit(batch).outcomes)
    connection = sqlite3.connect(tmp_path / FILE)
    assert connection.execute("SELECT count(*), count(DISTINCT seq) FROM records").fetchone() == (new, new)
    assert new == 50


def test_a_backlog_of_4096_records_is_taken_in_any_order(tmp_path: Path) -> None:
    """S-02: no window of 32 or 64 refuses what is late."""
    sender, chance = Sender(), random.Random(2)
    records = [window(seq, NOW_S - 900 * (4200 - seq)) for seq in range(4096)]
    chance.shuffle(records)
    journal = Journal(tmp_path, VerifyConfig())
    frames = [accept(sender, sender.frame(records[at : at + 16])) for at in range(0, 4096, 16)]
    outcomes = [one for frame in journal.commit(frames).outcomes for one in frame]
    assert outcomes == [NEW] * 4096


def test_captured_frames_sent_again_change_nothing_also_after_a_restart(tmp_path: Path) -> None:
    """S-01: 10,000 of 10,000."""
    sender, chance = Sender(), random.Random(1)
    captured = [accept(sender, sender.frame([window(seq, NOW_S - 900 * (60 - seq))])) for seq in range(50)]
    journal = Journal(tmp_path, VerifyConfig())
    journal.commit(captured)
    journal.close()
    before = sqlite3.connect(tmp_path / FILE).execute(_CONTENT).fetchall()
    journal = Journal(tmp_path, VerifyConfig())
    for _ in range(20):
        assert journal.commit(chance.choices(captured, k=500)).outcomes == [[REPEATED]] * 500
    assert sqlite3.connect(tmp_path / FILE).execute(_CONTENT).fetchall() == before
    assert sqlite3.connect(tmp_path / FILE).execute("SELECT count(*) FROM frames").fetchone() == (50,)
