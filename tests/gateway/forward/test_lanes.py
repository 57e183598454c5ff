"""Lanes and outbox: each record is taken once, fresh ones first, and nothing under way is forgotten."""

import os
import random
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import VerifyConfig
from gateway.database import StoreUnavailableError
from gateway.forward import lanes
from gateway.forward.outbox import BACKLOG, Outbox, Taken, file_of, status
from gateway.forward.refeeds import order_dead
from gateway.hj212.packet import Packet
from gateway.hj212.times import qn_of
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader, Stored
from tests.gateway.support import NOW_S, Sender, accept, commit, event, window

DAY_S = 86400


FRESH_AFTER_S = NOW_S - 3600


def packet(record: int, part: int = 0) -> Packet:
    return Packet(qn_of(NOW_S * 1000 + record * 10 + part), "M", b"%d.%d" % (record, part))


def take(reader: Reader, outbox: Outbox, limit: int) -> list[Stored]:
    found = lanes.select(reader, outbox, limit, FRESH_AFTER_S)
    outbox.take(
        Taken(packets=[(one.id, [packet(one.id)]) for one in found.records], ahead=found.ahead, cursors=found.cursors)
    )
    return found.records


def take_all(reader: Reader, outbox: Outbox, limit: int) -> list[Stored]:
    """Until two looks in a row find nothing."""
    found, empty = [], 0
    while empty < 2:
        part = take(reader, outbox, limit)
        empty = 0 if part else empty + 1
        found += part
    return found


def test_fresh_windows_go_before_the_backlog(tmp_path: Path) -> None:
    sender, journal = Sender(), Journal(tmp_path, VerifyConfig())
    old = [window(seq, NOW_S - DAY_S + 900 * seq) for seq in range(50)]
    fresh = [window(seq, NOW_S - 1800 + 900 * (seq - 50)) for seq in (50, 51)]
    commit(journal, [accept(sender, sender.frame([*old, *fresh]))])
    reader, outbox = Reader(tmp_path), Outbox(tmp_path, "s")
    assert [one.seq for one in take(reader, outbox, 16)] == [50, 51]
    assert [one.seq for one in take(reader, outbox, 16)] == list(range(16))
    commit(journal, [accept(sender, sender.frame([window(60, NOW_S - 900)]))])
    assert [one.seq for one in take(reader, outbox, 16)] == [60]
    assert [one.seq for one in take_all(reader, outbox, 16)] == list(range(16, 50))


# what comes into the journal; windows without time are placed by any that has one, and by an anchor: an event with time
kinds = st.lists(st.sampled_from(["old", "fresh", "unplaced", "event", "anchor"]), max_size=60)


@settings(max_examples=40)
@given(kinds, st.integers(1, 20), st.integers(0, 2**32))
def test_each_window_is_taken_exactly_once_whatever_comes_when_and_over_restarts(
    found: list[str], limit: int, seed: int
) -> None:
    """P-34."""
    chance, sender, taken = random.Random(seed), Sender(), list[int]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = Journal(folder, VerifyConfig())
        reader, outbox = Reader(folder), Outbox(folder, "s")
        placed = bool({"old", "fresh", "anchor"} & set(found))  # each carries time and uptime
        for seq, kind in enumerate(found):
            commit(journal, [accept(sender, sender.frame([_record(seq, kind)]))])
            if chance.random() < 0.5:
                taken += [one.seq for one in take(reader, outbox, limit)]
            if chance.random() < 0.2:
                outbox.close()
                outbox = Outbox(folder, "s")
        taken += [one.seq for one in take_all(reader, outbox, limit)]
        wanted = [seq for seq, kind in enumerate(found) if kind != "unplaced" or placed]
        assert sorted(taken) == wanted
        assert outbox.cursors()[BACKLOG] == len(found)
        assert sqlite3.connect(folder / "sink-s.sqlite3").execute("SELECT count(*) FROM ahead").fetchone() == (0,)
        for one in (journal, reader, outbox):
            one.close()


def _record(seq: int, kind: str) -> bytes:
    if kind == "old":
        return window(seq, NOW_S - DAY_S + 900 * seq)
    if kind == "fresh":
        return window(seq, NOW_S - 900)
    if kind == "unplaced":
        return window(seq, None, end_uptime_s=900)
    return event(seq, NOW_S if kind == "anchor" else None)


def test_a_record_is_delivered_when_all_its_packets_are_confirmed(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "s")
    outbox.take(Taken(packets=[(1, [packet(1, 0), packet(1, 1)]), (2, [packet(2)])], cursors={BACKLOG: 2}))
    assert outbox.confirm([packet(1, 0).qn, packet(2).qn]) == [2]
    assert status(tmp_path, "s")["confirmed"] == 0
    outbox.close()
    again = Outbox(tmp_path, "s")
    assert again.sent_before(["M"], 9, "", 9) == [packet(1, 1)]
    assert again.confirm([packet(1, 1).qn, packet(2).qn]) == [1]
    state = status(tmp_path, "s")
    assert (state["confirmed"], state["under_way"], state["counts"]) == (2, 0, {"delivered": 2})


def test_the_last_qn_outlives_the_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "s")
    assert outbox.text("last_qn") is None
    outbox.take(Taken(texts={"last_qn": "20260301000000123"}))
    outbox.close()
    assert Outbox(tmp_path, "s").text("last_qn") == "20260301000000123"


def test_a_sinks_file_which_may_hold_a_platforms_secrets_is_its_owners_alone(tmp_path: Path) -> None:
    """P-231: with what SQLite keeps beside it, and one that an earlier version, or a copy, left readable."""
    file = file_of(tmp_path, "s")
    file.touch(mode=0o644)
    file.chmod(0o644)
    outbox = Outbox(tmp_path, "s")
    outbox.remember({"pw.M": "831027"})
    assert {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {
        f"{file.name}{more}": 0o600 for more in ("", "-wal", "-shm")
    }
    for more in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{more}").chmod(0o644)
    held = locks(file)
    order_dead(tmp_path, "s")  # beside the one that writes
    assert held
    assert locks(file) == held
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    outbox.close()
    order_dead(tmp_path, "another")
    assert file_of(tmp_path, "another").stat().st_mode & 0o777 == 0o600


def test_a_file_that_can_not_be_opened_is_said_to_be_unavailable(tmp_path: Path) -> None:
    """To a command as to the sink itself."""
    file_of(tmp_path, "s").mkdir()
    for use in (order_dead, Outbox):
        with pytest.raises(StoreUnavailableError, match="sink-s"):
            use(tmp_path, "s")


def locks(file: Path) -> list[str]:
    """This process's locks on a file."""
    whose = f" {os.getpid()} ", f":{file.stat().st_ino} "
    lines = [line.split(": ", 1)[1] for line in Path("/proc/locks").read_text().splitlines()]
    return sorted(line for line in lines if all(word in line for word in whose))
