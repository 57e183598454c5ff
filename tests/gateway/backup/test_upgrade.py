"""Stores of another version: copied before they are migrated, wherever that is cut off; newer ones are left alone."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.backup import upgrade
from gateway.backup.backup import backup
from gateway.backup.restore import restore
from gateway.backup.stores import BackupError, names
from gateway.cli import app
from gateway.config import QuarantineConfig, VerifyConfig
from gateway.database import NewerSchemaError
from gateway.forward.outbox import Outbox, file_of
from gateway.journal.journal import FILE, Journal
from gateway.quarantine import quarantine
from gateway.wanted import store as wanted
from hil.disk import Disk
from tests import next_version
from tests.gateway.journal.saved import fill, lay, said_of
from tests.gateway.support import Sender, write_config

SEED = int(os.environ.get("WATTLINE_SEED", time.time_ns())) % 100_000
SHOWN = f"seed {SEED} (replay: WATTLINE_SEED={SEED})"
KILLS = 8
PREPARE = """\
from pathlib import Path
import sys
from gateway.backup import upgrade
from gateway.backup.backup import backup
print(upgrade.prepare(Path(sys.argv[1]), lambda: 1))
"""


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next_version.make(tmp_path_factory.mktemp("newer"))


def data_dir(folder: Path) -> Path:
    """What this version leaves: a journal with a bit of everything, and what lies beside it."""
    fill(folder)
    quarantine.Quarantine(folder, QuarantineConfig()).close()
    wanted.Store(folder).close()
    Outbox(folder, "province").close()
    return folder


def start(newer: Path, folder: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """The newer version's start: (its status, what it says)."""
    done = subprocess.run(
        next_version.command(newer, PREPARE, str(folder)),
        env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def versions(folder: Path) -> dict[str, int]:
    return {one.name: one.version for one in upgrade.stores(folder)}


def test_older_stores_are_copied_and_migrated_and_the_copy_is_the_way_back(tmp_path: Path, newer: Path) -> None:
    """P-386: this version refuses what the newer one left, names the copy, and goes on with it."""
    folder = data_dir(tmp_path / "data")
    said, before = said_of(folder), versions(folder)
    assert start(newer, folder) == (0, f"{folder / upgrade.DONE}\n")
    assert start(newer, folder) == (0, "None\n")
    assert versions(folder) == {name: version + 1 for name, version in before.items()}
    config = write_config(tmp_path, 1883, [Sender()])
    for command in ("check", "run"):
        done = CliRunner().invoke(app, [command, "--config", str(config)])
        assert (done.exit_code, f"--from {folder / upgrade.DONE} --force {folder}" in done.output) == (1, True), (
            done.output
        )
    words = ["restore", "--config", str(config), "--from", str(folder / upgrade.DONE), "--force", str(folder)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert upgrade.prepare(folder, lambda: 2) is None
    assert said_of(folder) == said
    assert before.items() <= versions(folder).items()


@pytest.mark.slow
def test_an_upgrade_that_is_killed_at_any_step_goes_on_or_back(tmp_path: Path, newer: Path) -> None:
    """P-386."""
    chance = random.Random(SEED)
    original = data_dir(tmp_path / "original")
    said, before = said_of(original), versions(original)
    calls = _calls_of_an_upgrade(tmp_path / "counted", original, newer)
    for number in range(KILLS):
        die_at = chance.randint(1, calls)
        where = f"{SHOWN}: killed at call {die_at} of {calls}"
        folder = Path(shutil.copytree(original, tmp_path / f"{number}/data"))
        status, output = start(newer, folder, Disk(folder).env(die_at))
        assert status == -signal.SIGKILL, f"{where}: {output}"
        back = tmp_path / f"{number}/back"
        if versions(folder) == before:
            shutil.copytree(folder, back)
        else:
            with pytest.raises(NewerSchemaError) as refused:
                upgrade.refuse(folder)
            copy = Path(str(refused.value).partition("--from ")[2].split()[0])
            back.mkdir()
            restore(copy, back, 1, force=False)
        assert said_of(back) == said, where
        assert before.items() <= versions(back).items(), where
        assert start(newer, folder)[0] == 0, where
        assert versions(folder) == {name: version + 1 for name, version in before.items()}, where


def _calls_of_an_upgrade(folder: Path, original: Path, newer: Path) -> int:
    """How often a whole one calls the disk: twice that is too often, and half of it is not."""
    low, high = 1, 4096
    while low < high:
        middle = (low + high) // 2
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(original, folder)
        low, high = (low, middle) if start(newer, folder, Disk(folder).env(middle))[0] == 0 else (middle + 1, high)
    return low - 1


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_every_older_journal_is_copied_first_and_can_be_put_back(tmp_path: Path, version: str) -> None:
    """P-386: as earlier versions left them."""
    lay(tmp_path, version)
    copy = upgrade.prepare(tmp_path, lambda: 1)
    assert copy == tmp_path / upgrade.DONE
    assert versions(copy) == {FILE: int(version)}
    migrated = said_of(tmp_path)
    back = tmp_path / "back"
    back.mkdir()
    restore(copy, back, 1, force=False)  # and this version migrates what it restores
    assert {**said_of(back), "counts": None} == {**migrated, "counts": None}


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-386: the copy can go to another disk."""
    config = write_config(tmp_path, 1883, [Sender()])
    folder = tmp_path / "data"
    folder.mkdir()
    lay(folder, "0003")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=100))
    with pytest.raises(BackupError, match="--copy-to"):
        upgrade.prepare(folder, lambda: 1)
    assert versions(folder) == {FILE: 3}
    done = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert (done.exit_code, "make room" in done.output) == (1, True)
    other = tmp_path / "other/disk"
    done = CliRunner().invoke(app, ["upgrade", "--config", str(config), "--copy-to", str(other)])
    assert (done.exit_code, str(other) in done.output) == (0, True), done.output
    assert names(other) == [FILE]
    assert CliRunner().invoke(app, ["check", "--config", str(config)]).exit_code == 0


def test_what_is_new_or_cannot_be_read_is_no_upgrade(tmp_path: Path) -> None:
    """A store without tables yet is its owner's to make; one that is broken, its owner's to report."""
    Journal(tmp_path, VerifyConfig()).close()
    (tmp_path / wanted.FILE).touch()
    (tmp_path / quarantine.FILE).write_bytes(b"no database" * 1000)
    assert upgrade.prepare(tmp_path, lambda: 1) is None


def test_a_copy_of_an_earlier_upgrade_does_not_stand_in_for_this_one(tmp_path: Path, newer: Path) -> None:
    """P-386: one that was cut off right after its copy, and went back to work: the next copy has what came since."""
    folder = data_dir(tmp_path / "data")
    backup(folder, folder / upgrade.BEGUN, lambda: 1)
    quarantine.Quarantine(folder, QuarantineConfig()).close()
    Outbox(folder, "county").close()
    assert start(newer, folder)[0] == 0
    assert file_of(folder / upgrade.DONE, "county").exists()
    assert not (folder / upgrade.BEGUN).exists()
