"""Every command of `wattline gateway` on stores that are damaged, cut, gone, held, or of another version."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cext.decoder import KeyState
from gateway import cli_damage, database
from gateway.cli import app
from gateway.cli_damage import UNREADABLE
from gateway.config import QuarantineConfig, VerifyConfig
from gateway.export.rows import rows
from gateway.journal import index
from gateway.journal.audit import Audit
from gateway.journal.journal import FILE, Journal
from gateway.journal.spans import Spans
from gateway.quarantine.quarantine import Quarantine
from gateway.tail import described
from gateway.watch.store import Store
from tests.gateway.support import NOW_S, Sender, accept, commit, reading, window
from tests.gateway.watch.plant import POINTS, configured

DAMAGES = 40  # the same each time; 5,000 others were tried by hand
WINDOWS = 12
SENDER = Sender()
KEYS = {SENDER.name: {SENDER.key.generation: KeyState(SENDER.secret)}}
SPAN = ("--from", "2026-02-28", "--to", "2026-03-02")
READ_THE_JOURNAL = {  # with what each needs
    "status": (),
    "gaps": SPAN,
    "tail": ("--count", "100"),
    "linkage": SPAN,
    "thresholds": SPAN,
    "honesty": SPAN,
    "reconcile": ("province", "--day", "2026-03-01"),
    "export": (*SPAN, "--out", "{}/out.csv"),
    "monthly": ("--month", "2026-02", "--out", "{}/out"),
    "audit": ("--seed", "1"),
    "watch": ("--once",),
}
OTHERS: dict[str, tuple[str, ...]] = {
    "admit": ("T0042", "--key-file", "{}/T0042.hex"),
    "alarms list": (),
    "alarms show": ("1",),
    "alarms step": ("1", "closed"),
    "backup": ("--out", "{}/backup"),
    "channels list": (),
    "channels test": ("duty",),
    "check": (),
    "configure": ("T0001", "--withdraw"),
    "console-audit": (),
    "console-user": ("wang", "--role", "viewer", "--password-file", "{}/T0001.hex"),
    "keys check": (),
    "keys rewrap": (),
    "keys seal": (),
    "keys unseal": (),
    "quarantine discard": ("1",),
    "quarantine list": (),
    "quarantine replay": ("1",),
    "quarantine show": ("1",),
    "refeed": ("province", "--dead"),
    "refused": ("province",),
    "restore": ("--from", "{}/data", "--force", "{}/data"),
    "revoke": ("T0001",),
    "rotate": ("T0001",),
    "sealing-key": (),
    "take": ("{}/terminals.toml",),
    "unknown": (),
    "update list": (),
    "update resume": ("1",),
    "update status": (),
    "update stop": ("1",),
    "upgrade": (),
}
SERVE = {"run", "follow", "console"}  # until they are stopped: test_failing_disk.py, test_pages.py


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    config = configured(folder, SENDER)
    with config.open("a") as file:
        file.write('[[sink]]\nname = "province"\nkind = "mqtt"\nhost = "127.0.0.1"\n')
    journal = Journal(folder / "data", VerifyConfig())
    for number in range(WINDOWS):
        energy_wh = 10**6 + 1000 * number
        raw = window(number, NOW_S - 900 * (WINDOWS - number), [reading(e_import_wh=energy_wh)] * 2)
        commit(journal, [accept(SENDER, SENDER.frame([raw]), POINTS, NOW_S)])
    journal.close()
    Quarantine(folder / "data", QuarantineConfig()).close()
    Store(folder / "data").close()
    return folder


def run(folder: Path, command: str, words: tuple[str, ...]) -> tuple[int, str]:
    """Its status and what it says; a traceback fails the test."""
    given = [*command.split(), "--config", str(folder / "gateway.toml"), *(one.format(folder) for one in words)]
    done = CliRunner().invoke(app, given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise AssertionError(f"wattline gateway {' '.join(given)}") from done.exception
    return done.exit_code, done.output


@contextmanager
def damaged(sound: Path, folder: Path, damage: Callable[[Path], Any], *stores: str) -> Iterator[Path]:
    """A copy of the folder in which these stores are damaged."""
    shutil.copytree(sound, folder)
    left = [damage(folder / "data" / one) for one in stores]
    try:
        yield folder
    finally:
        for one in left:
            if isinstance(one, sqlite3.Connection):
                one.close()
        shutil.rmtree(folder)


def no_database(file: Path) -> None:
    file.write_bytes(b"no database".ljust(4096, b"\x00"))


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 999")


def older(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 1")


def without_frames(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE blocks SET frames = substr(frames, 1, length(frames) - 3)")


def held(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_every_command_is_tried() -> None:
    """P-501: one that comes later is not forgotten."""
    group = typer.main.get_group(app)

    def leaves(at: Any, name: str) -> Iterator[str]:
        if not hasattr(at, "commands"):
            yield name
        for word, one in getattr(at, "commands", {}).items():
            yield from leaves(one, f"{name} {word}".strip())

    found = {one for one in leaves(group, "") if not one.startswith("pki ")}  # which has a folder of its own
    assert found == {*READ_THE_JOURNAL, *OTHERS, *SERVE}


@pytest.mark.parametrize(
    ("damage", "why", "cure"),
    [
        (no_database, "file is not a database", "wattline gateway restore"),
        (cut, "malformed", "wattline gateway restore"),
        (newer, "schema 999", "update it"),
        (older, "schema 1 of", "run the gateway once"),
        (Path.unlink, "no journal yet", "run the gateway first"),
        (held, "database is locked", "try again later"),
    ],
)
def test_a_journal_that_cannot_be_read_is_said_with_what_to_do(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], Any], why: str, cure: str
) -> None:
    """P-501: by each command that reads it, in both languages, and it ends with 1."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0)
    with damaged(sound, tmp_path / "w", damage, FILE) as folder:
        for command, words in READ_THE_JOURNAL.items():
            status, said = run(folder, command, words)
            assert status == 1, (command, said)
            assert why in said, (command, said)
            assert cure in said, (command, said)
            assert any("\u4e00" <= one <= "\u9fff" for one in said), (command, said)
            assert str(folder / "data") in said, (command, said)
        status, said = run(folder, "backup", ("--out", "{}/backup"))
        assert (status, "not done / 备份未完成" in said) == (1, damage is not Path.unlink), said


def test_which_file_is_damaged_is_said_and_what_there_was_no_time_for(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-501: nobody waits for gigabytes to be read through."""
    with damaged(sound, tmp_path / "w", cut, FILE) as folder:
        said = run(folder, "status", ())[1]
        assert ("journal.sqlite3: database" in said, "quarantine.sqlite3" in said) == (True, False), said
        monkeypatch.setattr(cli_damage, "LOOK_S", -1)
        monkeypatch.setattr(cli_damage, "LOOK_EVERY", 1)
        assert "quarantine.sqlite3: not looked through" in run(folder, "status", ())[1]


def test_a_damaged_frame_is_said_with_what_to_do(sound: Path, tmp_path: Path) -> None:
    """P-501: in an intact file; what does not decode it goes on."""
    with damaged(sound, tmp_path / "w", without_frames, FILE) as folder:
        for command in ("gaps", "tail", "linkage", "reconcile", "export", "watch"):
            status, said = run(folder, command, READ_THE_JOURNAL[command])
            assert (status, "block ends within a frame" in said) == (1, True), (command, said)
            assert "wattline gateway audit" in said, (command, said)
        status, said = run(folder, "audit", ("--seed", "1"))
        assert (status, "at record 1: the block is not what was accepted" in said) == (1, True), said
        assert run(folder, "status", ())[0] == 0


def of_another_type(file: Path) -> None:
    """A time that is text, which SQLite refuses to write, and reads."""
    for change in (
        "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'blocks'",
        "UPDATE blocks SET received_ms = 'text'",
        "UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE name = 'blocks'",
    ):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(change)


def test_a_value_of_another_type_is_damage_and_a_fault_of_ours_is_none(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-501: the file says which it is."""
    with damaged(sound, tmp_path / "w", of_another_type, FILE) as folder:
        status, said = run(folder, "tail", ())
        assert (status, "journal.sqlite3: non-INTEGER value in blocks.received_ms" in said) == (1, True), said

    def fault(*_: object) -> str:
        raise TypeError("ours")

    monkeypatch.setattr("gateway.cli_tail.line", fault)
    with pytest.raises(AssertionError) as raised:
        run(sound, "tail", ())
    assert isinstance(raised.value.__cause__, TypeError)


def test_a_time_that_no_date_has_is_damage(sound: Path, tmp_path: Path) -> None:
    """P-501."""
    with damaged(sound, tmp_path / "w", lambda _: None, FILE) as folder:
        with closing(sqlite3.connect(folder / "data" / FILE)) as connection, connection:
            connection.execute("UPDATE blocks SET received_ms = -139 * 1000000000000")
        status, said = run(folder, "tail", ())
        assert (status, "was received at -139" in said) == (1, True), said


@pytest.mark.parametrize("damage", [no_database, held])
def test_no_command_ends_with_a_traceback(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], Any]
) -> None:
    """P-501: where all stores are damaged."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0)
    for command, words in OTHERS.items():
        stores = [file.name for file in (sound / "data").glob("*.sqlite3")]
        with damaged(sound, tmp_path / "w", damage, *stores) as folder:
            assert run(folder, command, words)[0] in {0, 1}, command


def test_any_flipped_bits_are_read_or_told(sound: Path, tmp_path: Path) -> None:
    """P-501: they end in nothing but what a command tells, in a journal with an index and in one without."""
    good, file = [(sound / "data" / FILE).read_bytes(), indexed(sound, tmp_path / "indexed")], tmp_path / FILE
    told = 0
    for number in range(DAMAGES):
        chance, data = random.Random(number), bytearray(good[number % 2])
        for _ in range(chance.choice((1, 3, 30, 300))):
            data[chance.randrange(100, len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        try:
            _read_all(tmp_path)
        except UNREADABLE:
            told += 1
        except Exception as error:
            raise AssertionError(f"damage {number}") from error
    assert 0 < told < DAMAGES


def indexed(sound: Path, folder: Path) -> bytes:
    """The journal, once its index is written."""
    shutil.copytree(sound / "data", folder)
    journal = Journal(folder, VerifyConfig())
    opened = journal._open()
    index.write(opened.connection, opened.ledger, opened.next_id - 1)
    journal.close()
    return (folder / FILE).read_bytes()


def _read_all(folder: Path) -> None:
    with closing(Spans(folder)) as spans:
        for name, number in spans.terminals().items():
            list(rows(spans, [name], 0, NOW_S))
            spans.powers(name, 0, NOW_S)
            list(spans.log(number))
        for name, entry in spans.newest(WINDOWS):
            if (raw := spans.raw(entry.id)) is not None:
                described(name, entry, raw)
    with closing(Audit(folder)) as audit:
        list(audit.links())
        list(audit.prove(range(1, audit.last + 1), KEYS))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("quarantine show", (str(1 << 63),)),
        ("quarantine discard", (str(1 << 63),)),
        ("alarms show", (str(1 << 63),)),
        ("alarms step", (str(1 << 63), "closed")),
        ("audit", ("--record", str(1 << 63))),
        ("linkage", ("--from", "0001-01-01")),
        ("gaps", ("--to", "9999-12-31", "--from", "2026-03-01")),
    ],
)
def test_a_number_or_a_span_past_all_bounds_is_wrong_usage(sound: Path, command: str, words: tuple[str, ...]) -> None:
    """P-501."""
    assert run(sound, command, words)[0] == 2
