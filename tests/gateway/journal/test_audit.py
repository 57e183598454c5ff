"""The audit: no change of what was accepted goes unseen, and every reading is proven again from its frame."""

import itertools
import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cext.decoder import KeyState
from gateway import registry
from gateway.cli import app
from gateway.config import VerifyConfig
from gateway.journal.audit import Audit, Fault, Keys
from gateway.journal.chain import Head
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Rule
from tests.gateway.support import NOW_S, Sender, accept, commit, event, reading, window, write_config

DAY_S = 86400
SENDERS = [Sender("A"), Sender("B", b"b" * 32), Sender("C", b"c" * 32, generation=2)]
KEYS: Keys = {one.name: {one.key.generation: KeyState(one.secret)} for one in SENDERS}


def fill(folder: Path, commits: int = 8, records: int = 3) -> Head:
    """A day a commit; marks, late marks, windows without time, some of it in the index; the chain's head."""
    journal, chance = Journal(folder, VerifyConfig()), random.Random(24)
    begin_s = NOW_S - commits * DAY_S
    for number in range(commits):
        frames = []
        for sender in SENDERS:
            seqs = [records * number + n for n in range(records)]
            energies = [10**6 + 1000 * seq + chance.choice([0, 0, 10**6]) for seq in seqs]
            times = [begin_s - 900 * 9999 + 900 * seq for seq in seqs]
            made = [
                window(seq, time if seq % 5 else None, [reading(e_import_wh=wh)], end_uptime_s=900 * seq + 900)
                for seq, time, wh in zip(seqs, times, energies, strict=True)
            ]
            chance.shuffle(made)
            frames += [accept(sender, sender.frame([one]), now_s=begin_s + number * DAY_S) for one in made]
        chance.shuffle(frames)
        commit(journal, frames)
        if number == commits // 2:
            journal.retire(Rule(begin_s * 1000 + 1, None), {})  # writes the index, and
            journal.retire(Rule(begin_s * 1000 + 1, None), {})  # retires the first commit
    head = journal.head()
    journal.close()
    return head


@contextmanager
def changed(source: Path, folder: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the journal, to be changed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copyfile(source / FILE, folder / FILE)
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    yield connection
    connection.close()


def faults(folder: Path, *noted: Head) -> list[Fault]:
    audit = Audit(folder)
    found = [one for one in audit.links() if isinstance(one, Fault)]
    found += [fault for one in noted if (fault := audit.compare(one))]
    audit.close()
    return found


def edits(source: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every single change: (statement, its values)."""
    connection = sqlite3.connect(source / FILE)
    for table in ("blocks", "remarks"):
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        yield from edits_of(table, names, connection.execute(f"SELECT * FROM {table}").fetchall())
    connection.close()
    for change in ("retired = retired - 1", "retired = retired + 1", "link = zeroblob(32)", "link = x'00'"):
        yield f"UPDATE progress SET {change}", ()


def edits_of(table: str, names: list[str], rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    marks, keys = ", ".join("?" * len(names)), {row[0] for row in rows}
    for row in rows:
        yield f"DELETE FROM {table} WHERE {names[0]} = ?", (row[0],)
        for other in ({key + 1 for key in keys} | {rows[0][0] - 1}) - keys:
            yield f"INSERT INTO {table} VALUES ({marks})", (other, *row[1:])
        for name, value in zip(names, row, strict=True):
            if (table, name) != ("remarks", "id"):  # what their order means is seen below
                for new in other_values(value):
                    yield f"UPDATE {table} SET {name} = ? WHERE {names[0]} = ?", (new, row[0])
    for one, other in itertools.pairwise(rows):
        for name, a, b in list(zip(names, one, other, strict=True))[1:]:
            if a != b:
                swap = f"CASE {names[0]} WHEN {one[0]} THEN ? ELSE ? END"
                yield f"UPDATE {table} SET {name} = {swap} WHERE {names[0]} IN (?, ?)", (b, a, one[0], other[0])


def other_values(value: Any) -> Iterator[Any]:
    if isinstance(value, int):
        yield from (value + 1, value - 1, value ^ 1 << 20)
        return
    yield value + b"\0"
    yield value[:-1] if value else b"\1\0\1\1"
    for at in range(len(value)):
        yield value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1 :]


@pytest.mark.slow
def test_every_edit_deletion_and_insertion_is_found(tmp_path: Path) -> None:
    """S-23: 100 % of single changes, after retention too; the newest block's deletion by the head that was noted."""
    source = tmp_path / "source"
    head = fill(source, commits=4, records=2)
    assert faults(source, head) == []
    assert Reader(source).start().record > 0
    tried = 0
    with changed(source, tmp_path / "copy") as connection:
        assert connection.execute("SELECT count(*) FROM remarks").fetchone()[0] > 2
        for statement, values in edits(source):
            connection.execute("BEGIN")
            try:
                connection.execute(statement, values)
            except sqlite3.IntegrityError:
                connection.execute("ROLLBACK")
                continue
            connection.execute("COMMIT")
            assert faults(tmp_path / "copy", head), f"not seen: {statement} {values!r}"
            tried += 1
            restore(connection, source)
    assert tried > 2000


def restore(connection: sqlite3.Connection, source: Path) -> None:
    """The journal as it was."""
    with sqlite3.connect(source / FILE) as original:
        original.backup(connection)
    original.close()


def test_remarks_in_another_order_are_found(tmp_path: Path) -> None:
    """S-23: of two remarks of one record the last one counts."""
    head = fill(tmp_path / "source", commits=4, records=2)
    with changed(tmp_path / "source", tmp_path / "copy") as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM remarks ORDER BY id")]
        blocks = [row[0] for row in connection.execute("SELECT block FROM remarks ORDER BY id")]
        assert blocks[0] != blocks[-1]
        connection.execute("UPDATE remarks SET id = ? WHERE id = ?", (ids[-1] + 1, ids[0]))
    assert faults(tmp_path / "copy", head)


def test_a_journal_cut_at_its_end_is_found_by_a_head_that_was_noted(tmp_path: Path) -> None:
    """S-23"""
    head = fill(tmp_path / "source")
    with changed(tmp_path / "source", tmp_path / "copy") as connection:
        connection.execute("DELETE FROM remarks WHERE block = (SELECT max(first) FROM blocks)")
        connection.execute("DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)")
    assert faults(tmp_path / "copy") == []  # nothing in the file can tell
    assert [one.what for one in faults(tmp_path / "copy", head)] == ["no block ends with this record"]
    with changed(tmp_path / "source", tmp_path / "copy") as connection:
        connection.execute("DELETE FROM blocks WHERE first > (SELECT min(first) FROM blocks)")
        connection.execute("DELETE FROM remarks WHERE block > (SELECT min(first) FROM blocks)")
    assert "were there" in faults(tmp_path / "copy")[0].what  # the index knew more


def test_a_head_outlives_what_comes_after_and_ends_with_its_retirement(tmp_path: Path) -> None:
    """S-23"""
    head = fill(tmp_path)
    journal = Journal(tmp_path, VerifyConfig())
    assert Head.parse(str(head)) == head == journal.head()
    for seq in range(3):
        commit(journal, [accept(SENDERS[0], SENDERS[0].frame([event(1000 + seq)]), now_s=NOW_S + seq)])
        assert faults(tmp_path, head) == []
    while journal.retire(Rule((NOW_S + 1) * 1000, None), {}).more:
        pass
    assert [one.what for one in faults(tmp_path, head)] == [
        f"was retired: the chain begins behind record {head.record + 1}"
    ]
    newest = journal.head()
    journal.retire(Rule(1 << 60, None), {})
    assert faults(tmp_path, newest) == []


def test_every_stored_reading_is_proven_again_from_its_frame(tmp_path: Path) -> None:
    """S-24: for as long as it is kept; by its own terminal's key and no other."""
    fill(tmp_path)
    reader, audit = Reader(tmp_path), Audit(tmp_path)
    stored = {one.id: one for one in reader.records_after(0, 1000)}
    proofs = list(audit.prove(range(1, audit.last + 1), KEYS))
    assert {one.record for one in proofs if not one.reason} == set(stored)
    assert {one.reason for one in proofs if one.record <= audit.start.record} == {"not_there"}
    assert all(stored[one.record].terminal == one.terminal for one in proofs if not one.reason)
    a, b, c = (SENDERS[n].name for n in range(3))
    others: Keys = {a: KEYS[b], b: {2: KeyState(SENDERS[1].secret)}, c: {}}
    reasons = {one.terminal: one.reason for one in audit.prove(stored, others)}
    assert reasons == {a: "mac", b: "kid", c: "kid"}
    audit.close()


def test_a_frame_that_was_changed_proves_nothing_nor_does_an_index_that_was(tmp_path: Path) -> None:
    """S-24"""
    fill(tmp_path / "source")
    with changed(tmp_path / "source", tmp_path / "copy") as connection:
        (last,) = connection.execute("SELECT max(first) FROM blocks").fetchone()
        (packed,) = connection.execute("SELECT frames FROM blocks WHERE first = ?", (last,)).fetchone()
        connection.execute(
            "UPDATE blocks SET frames = ? WHERE first = ?", (packed[:-1] + bytes([packed[-1] ^ 1]), last)
        )
        connection.execute("UPDATE runs SET entries = CAST(substr(entries, 1, length(entries) - 1) || x'00' AS BLOB)")
    audit = Audit(tmp_path / "copy")
    reasons = {one.reason for one in audit.prove(range(audit.start.record + 1, audit.last + 1), KEYS)}
    audit.close()
    assert reasons == {"", "mac", "index"}


# --- the command --------------------------------------------------------------------------------------------------


def run(config: Path, *more: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["audit", "--config", str(config), *more])
    return answer.exit_code, answer.stdout + answer.stderr


def run_json(config: Path, *more: str) -> tuple[int, Any]:
    status, said = run(config, *more, "--json")
    return status, json.loads(said)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    fill(tmp_path / "data")
    return write_config(tmp_path, 1883, SENDERS)


def test_the_command_says_that_all_is_well_and_the_head_to_note(tmp_path: Path, config: Path) -> None:
    """P-108"""
    status, said = run_json(config, "--seed", "5", "--prove", "20")
    assert status == 0
    assert said["ok"] is True
    assert said["proof"] == {"of": 63, "proven": 20, "not_proven": {}, "shown": [], "seed": 5}
    head = said["chain"]["head"]
    status, text = run(config, "--head", head, "--record", "70")
    assert status == 0, text
    assert "chain: records 10 to 72 in 7 blocks: unbroken" in text
    assert "1 noted head(s) still there" in text
    assert "proven / 已证明: 63 of 63 records" in text
    assert "record 70: proven" in text
    assert head in text
    status, said = run_json(config, "--record", "71", "--record", "3")
    shown, gone = said["records"]
    assert status == 1
    assert (shown["proven"], shown["says"]["type"], gone) == (
        True, "window", {"record": 3, "proven": False, "reason": "not_there"}
    )  # fmt: skip
    kept = {one.name: one for one in SENDERS}[shown["says"]["terminal"]]
    assert bytes.fromhex(shown["frame"])[-32:] in (tmp_path / "data" / FILE).read_bytes()
    assert registry.load_keys(tmp_path / "terminals.toml")[kept.name].keys() == {kept.key.generation}


def test_the_command_says_what_is_broken_and_what_key_is_missing(tmp_path: Path, config: Path) -> None:
    """P-108"""
    status, said = run(config, "--head", "72:" + "00" * 32)
    assert status == 1
    assert "at record 72: the chain had another link here" in said
    assert run(config, "--head", "72")[0] == 2
    (tmp_path / "B.hex").unlink()
    status, said = run(config)
    assert status == 1
    assert "kid: its key is not in terminals.toml" in said
    with changed(tmp_path / "data", tmp_path / "copy") as connection:
        connection.execute("UPDATE blocks SET received_ms = received_ms + 1")
    shutil.copyfile(tmp_path / "copy" / FILE, tmp_path / "data" / FILE)
    status, said = run(config)
    assert status == 1
    assert "BROKEN" in said
    assert "at record 10:" in said


def test_a_revoked_terminals_readings_are_proven_as_long_as_its_key_is_there(tmp_path: Path, config: Path) -> None:
    """S-24"""
    file = tmp_path / "terminals.toml"
    file.write_text(file.read_text().replace('id = "B"\n', 'id = "B"\nrevoked = 2026-03-01T00:00:00Z\n'))
    assert run_json(config)[1]["ok"] is True
