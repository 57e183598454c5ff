"""Backup while the gateway writes, and restore: all of it, or nothing, whatever happens on the way."""

import json
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.backup import restore as restoring
from gateway.backup.backup import backup
from gateway.backup.restore import finish, restore
from gateway.backup.stores import MANIFEST, BackupError, Manifest, describe, names
from gateway.cli import app
from gateway.config import QuarantineConfig, VerifyConfig
from gateway.forward.outbox import Outbox, Taken
from gateway.hj212.packet import Packet
from gateway.journal.journal import FILE, Journal
from gateway.journal.reader import Reader
from gateway.journal.retention import Rule, Settled
from gateway.lock import held, watch_lock
from gateway.quarantine import orders
from gateway.quarantine.quarantine import Quarantine, QuarantineReader, Refused
from hil.broker import Broker
from tests.gateway import support
from tests.gateway.support import NEW, NOW_S, REPEATED, Device, Running, Sender, accept, window, write_config

SENDER = Sender()
WRITTEN_S = 60  # for a commit, on a busy machine


def now_ms() -> int:
    return NOW_S * 1000


def commit(journal: Journal, *numbers: int) -> None:
    """Windows of these numbers, acknowledged on return."""
    frames = [accept(SENDER, SENDER.frame([window(number, NOW_S - 900 * (5000 - number))])) for number in numbers]
    outcomes = [outcome for frame in support.commit(journal, frames) for outcome in frame]
    assert set(outcomes) <= {NEW, REPEATED}


def fill(folder: Path, last: int) -> None:
    """Stores with records 1..last, a sink that has all of them, and a refused frame each ten."""
    journal = Journal(folder, VerifyConfig())
    commit(journal, *range(1, last + 1))
    journal.close()
    outbox = Outbox(folder, "province")
    outbox.take(Taken(cursors={"backlog": last, "live": last}))
    outbox.close()
    quarantine = Quarantine(folder, QuarantineConfig())
    quarantine.add([Refused(now_ms(), "T0001", "", "mac", 0, 1, bytes([number])) for number in range(last // 10)])
    quarantine.close()


def held_in(folder: Path) -> tuple[int, int, int]:
    """(journal's last record, sink's cursor, refused frames) of a data_dir."""
    reader, store = Reader(folder), QuarantineReader(folder)
    outbox = Outbox(folder, "province")
    found = (reader.last_id(), outbox.cursors()["backlog"], sum(store.counts().values()))
    for one in (reader, store, outbox):
        one.close()
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    fill(folder, 30)
    return folder


def test_what_was_acknowledged_before_is_in_the_backup_and_no_sink_is_past_its_journal(tmp_path: Path) -> None:
    """P-40: backups one after the other while journal and sink are written as fast as they can."""
    data, stop, acknowledged, moved = tmp_path / "data", threading.Event(), [0], threading.Event()
    fill(data, 5)

    def write() -> None:
        journal, outbox = Journal(data, VerifyConfig()), Outbox(data, "province")
        number = 5
        while not stop.is_set():
            commit(journal, number + 1, number + 2)
            number += 2
            acknowledged[0] = number
            moved.set()
            outbox.take(Taken(packets=[(number, [Packet(f"{number:017}", "M", b"x")])], cursors={"backlog": number}))
        journal.close()
        outbox.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(8):
            moved.clear()
            assert moved.wait(WRITTEN_S), "another commit since the last backup"
            before, out = acknowledged[0], tmp_path / f"backup-{number}"
            made = backup(data, out, now_ms)
            assert [one.name for one in made.files][-1] == FILE
            restored = tmp_path / f"restored-{number}"
            restore(out, restored, now_ms(), force=False)
            last, cursor, _ = held_in(restored)
            assert before <= last == made.last_record
            assert 0 < cursor <= last
    finally:
        stop.set()
        writer.join()
    assert acknowledged[0] > 20


def test_a_backup_stands_alone_and_is_a_new_folder(data: Path, tmp_path: Path) -> None:
    made = backup(data, tmp_path / "b", now_ms)
    assert sorted(one.name for one in (tmp_path / "b").iterdir()) == sorted([MANIFEST, *names(data)])
    assert msgspec.json.decode((tmp_path / "b" / MANIFEST).read_bytes(), type=Manifest) == made
    with pytest.raises(BackupError, match="exists already"):
        backup(data, tmp_path / "b", now_ms)
    with pytest.raises(BackupError, match="no journal yet"):
        backup(tmp_path, tmp_path / "c", now_ms)
    assert not list(tmp_path.glob(".*partial"))


def test_existing_data_is_replaced_only_if_forced_and_kept_aside(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "b", now_ms)
    journal = Journal(data, VerifyConfig())
    commit(journal, 31, 32)
    journal.close()
    Outbox(data, "newer").close()  # a sink that the backup does not know
    orders.place(data, orders.Order("discard", [1]))  # of the quarantine that is replaced
    with pytest.raises(BackupError, match="to replace them, name it"):
        restore(tmp_path / "b", data, now_ms(), force=False)
    assert held_in(data)[0] == 32
    _, aside = restore(tmp_path / "b", data, now_ms(), force=True)
    assert held_in(data) == (30, 30, 3)
    assert "sink-newer.sqlite3" not in names(data)
    assert aside is not None
    assert held_in(aside)[0] == 32
    assert "sink-newer.sqlite3" in names(aside)
    assert (not (data / orders.FOLDER).exists(), len(list((aside / orders.FOLDER).iterdir()))) == (True, 1)
    _, again = restore(tmp_path / "b", data, now_ms(), force=True)
    assert again not in {None, aside}


def damage(folder: Path, name: str, chance: random.Random) -> None:
    content = bytearray((folder / name).read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    (folder / name).write_bytes(content)


def test_a_damaged_backup_replaces_nothing(data: Path, tmp_path: Path) -> None:
    """P-41"""
    backup(data, tmp_path / "b", now_ms)
    chance = random.Random(1)
    for number in range(40):
        bad = tmp_path / f"bad-{number}"
        shutil.copytree(tmp_path / "b", bad)
        damage(bad, chance.choice(names(data)), chance)
        with pytest.raises(BackupError, match="not as the manifest says"):
            restore(bad, data, now_ms(), force=True)
        assert held_in(data) == (30, 30, 3)
        assert not (data / restoring.STAGE).exists()


def rewrite(folder: Path, statement: str, name: str = FILE) -> None:
    """Change a store of a backup, and the manifest with it."""
    connection = sqlite3.connect(folder / name)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(statement)
    connection.commit()
    connection.close()
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    files = [describe(folder / one.name, one.schema) if one.name == name else one for one in manifest.files]
    (folder / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, files=files)))


@pytest.mark.parametrize(
    ("statement", "name", "said"),
    [
        ("PRAGMA user_version = 999", FILE, "schema 999"),
        ("UPDATE cursors SET value = 31 WHERE name = 'backlog'", "sink-province.sqlite3", "gone past the journal"),
        ("INSERT INTO cursors VALUES ('placements', 1)", "sink-province.sqlite3", "gone past the journal"),
        ("DROP TABLE cursors", "sink-province.sqlite3", "not a set of stores"),
    ],
)
def test_a_set_that_would_not_work_is_refused_with_its_reason(
    data: Path, tmp_path: Path, statement: str, name: str, said: str
) -> None:
    """P-41"""
    backup(data, tmp_path / "b", now_ms)
    rewrite(tmp_path / "b", statement, name)
    with pytest.raises(BackupError, match=said):
        restore(tmp_path / "b", data, now_ms(), force=True)
    assert held_in(data) == (30, 30, 3)


LEADS_OUT = msgspec.json.encode(
    {
        "program": "0",
        "began_ms": 1,
        "ended_ms": 1,
        "last_record": 1,
        "files": [{"name": "../x.sqlite3", "bytes": 1, "sha256": "0" * 64, "schema": 1}],
    }
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        LEADS_OUT,
    ],
)
def test_a_manifest_that_is_none_is_refused(data: Path, tmp_path: Path, content: bytes) -> None:
    backup(data, tmp_path / "b", now_ms)
    (tmp_path / "b" / MANIFEST).write_bytes(content)
    with pytest.raises(BackupError):
        restore(tmp_path / "b", data, now_ms(), force=True)
    (tmp_path / "b" / MANIFEST).unlink()
    with pytest.raises(BackupError, match="no backup that can be read"):
        restore(tmp_path / "b", data, now_ms(), force=True)
    assert held_in(data) == (30, 30, 3)


class CutError(Exception):
    """The power."""


def test_a_restore_cut_at_any_step_leaves_all_of_the_old_or_leads_to_all_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-41"""
    fill(tmp_path / "new", 20)
    backup(tmp_path / "new", tmp_path / "b", now_ms)
    fill(tmp_path / "old", 40)
    left, rename, unlink = [0], Path.rename, Path.unlink

    def cut_before(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise CutError
            return act(*arguments, **options)

        return wrapped

    monkeypatch.setattr(Path, "rename", cut_before(rename))
    monkeypatch.setattr(Path, "unlink", cut_before(unlink))
    found = set()
    for steps in range(60):
        left[0] = 1000
        folder = tmp_path / f"at-{steps}"
        shutil.copytree(tmp_path / "old", folder)
        left[0] = steps
        try:
            restore(tmp_path / "b", folder, now_ms(), force=True)
            whole = True
        except CutError:
            whole = False
        left[0] = steps % 7  # cut again while it is ended, and again
        for _ in range(3):
            try:
                finish(folder)
            except CutError:
                left[0] = 2
        left[0] = 1000
        finish(folder)
        state = held_in(folder)
        assert state in {(20, 20, 2), (40, 40, 4)}
        assert not (folder / restoring.STAGE).exists()
        found.add(state)
        if whole:
            assert state == (20, 20, 2)
            break
    else:
        raise AssertionError("never whole")
    assert len(found) == 2


def run(*arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, list(arguments))
    return answer.exit_code, answer.stdout + answer.stderr


def test_a_gateway_restored_to_an_older_state_takes_what_terminals_send_again_and_refuses_nothing(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], device: Callable[..., Device]
) -> None:
    """P-40: backup of a gateway at work, restore, and the terminal brings everything that it still holds."""
    config = write_config(tmp_path, broker.port, [SENDER])
    raws = [window(number, NOW_S - 900 * (41 - number)) for number in range(1, 41)]
    running, terminal = start(config), device()
    terminal.publish("T0001", SENDER.frame(raws[:20]))
    terminal.down(1)
    assert run("backup", "--config", str(config), "--out", str(tmp_path / "b"))[0] == 0
    terminal.publish("T0001", SENDER.frame(raws[20:30]))
    terminal.down(2)
    arguments = ["restore", "--config", str(config), "--from", str(tmp_path / "b"), "--force", str(tmp_path / "data")]
    status, said = run(*arguments)
    assert (status, "another gateway uses it" in said) == (1, True)
    running.stop()
    assert run(*arguments[:-2])[0] == 1
    assert "data_dir is" in run(*arguments[:-1], str(tmp_path))[1]
    status, said = run(*arguments, "--json")
    assert (status, json.loads(said)["last_record"]) == (0, 20)

    again = start(config)
    for acks_so_far, records in ((3, raws[25:40]), (4, raws[:25])):  # what it holds: some was acknowledged before
        terminal.publish("T0001", SENDER.frame(records))
        terminal.down(acks_so_far)
    acks = [SENDER.open_ack(data) for data in terminal.down(4)[2:]]
    assert [one.refused for one in acks] == [[], []]
    assert sorted(durable for one in acks for durable in one.durable) == [(1, 25), (26, 40)]
    assert again.metric("wattline_records_total", outcome="conflict") == 0
    again.stop()
    reader = Reader(tmp_path / "data")
    assert sorted(one.seq for one in reader.records_after(0, 100)) == list(range(1, 41))
    reader.close()


def test_a_restore_waits_for_no_watch_and_replaces_nothing_under_one(tmp_path: Path, data: Path) -> None:
    """P-41: it would go on with the files that are gone; while one restores none begins."""
    config = write_config(tmp_path, 1883, [SENDER])
    backup(data, tmp_path / "b", now_ms)
    words = ["restore", "--config", str(config), "--from", str(tmp_path / "b"), "--force", str(data)]
    with watch_lock(data, alone=False), watch_lock(data, alone=False):
        status, said = run(*words)
        assert (status, "a watch runs here: stop it first / 监视进程正在运行" in said) == (1, True), said
    assert not list(data.glob("replaced-*"))
    with watch_lock(data, alone=True):
        status, said = run("watch", "--config", str(config), "--once")
        assert (status, "is being restored / 正在恢复" in said) == (1, True), said
    assert run(*words)[0] == 0
    assert run("watch", "--config", str(config), "--once")[0] == 0
    assert run(*words)[0] == 0, "no watch runs any more"


def test_a_restore_that_was_decided_is_ended_by_the_gateway_that_starts(
    tmp_path: Path, broker: Broker, start: Callable[[Path], Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-41: until then no watch begins, which would go on with what is replaced."""
    config = write_config(tmp_path, broker.port, [SENDER])
    fill(tmp_path / "data", 10)
    backup(tmp_path / "data", tmp_path / "b", now_ms)
    fill(tmp_path / "data", 20)
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "finish", lambda _: False)
        with held(tmp_path / "data"):
            restore(tmp_path / "b", tmp_path / "data", now_ms(), force=True)
    assert held_in(tmp_path / "data")[0] == 20
    watch = ("watch", "--config", str(config), "--once")
    status, said = run(*watch)
    assert (status, "a restore was cut off" in said) == (1, True), said
    running = start(config)
    running.stop()
    assert run(*watch)[0] == 0
    assert held_in(tmp_path / "data")[0] == 10
    assert "restore_finished" in running.log.getvalue()


def test_what_retention_left_is_backed_up_and_restored_as_a_whole(tmp_path: Path) -> None:
    """P-41: the sink's last placement is of a record that is gone."""
    source, target = tmp_path / "data", tmp_path / "restored"
    journal, sender = Journal(source, VerifyConfig()), Sender()
    for at, raw in enumerate([window(1, None), window(2), window(3)]):
        support.commit(journal, [accept(sender, sender.frame([raw]), now_s=NOW_S + at)])
    sink = Outbox(source, "province")
    sink.take(Taken(cursors={"backlog": 3, "placements": 1}))
    sink.close()
    while journal.retire(Rule(1 << 60, None), {"province": Settled(3, 1)}).more:
        pass
    head = journal.head()
    journal.close()
    backup(source, tmp_path / "b", now_ms)
    restore(tmp_path / "b", target, now_ms(), force=False)
    restored = Journal(target, VerifyConfig())
    assert restored.head() == head
    assert Reader(target).start().record == 2
    frames = [accept(sender, sender.frame([window(1, None), window(2), window(3), window(4)]))]
    assert support.commit(restored, frames) == [[REPEATED, REPEATED, REPEATED, NEW]]
