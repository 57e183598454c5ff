"""`upgrade --copy-to`: killed at any step, the same command goes on, and the copy is of what was before."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.backup import backup as copying
from gateway.backup import upgrade
from gateway.backup.backup import backup
from gateway.backup.restore import restore
from gateway.backup.stores import BackupError
from gateway.database import NewerSchemaError, connect, migrate
from gateway.journal.journal import FILE
from gateway.quarantine import quarantine
from gateway.rotation import store as rotation
from tests.gateway.journal.saved import lay

STEPS_MAX = 60
OLDER = {quarantine.FILE: 1, rotation.FILE: 1, FILE: 3}


def older(folder: Path) -> Path:
    """Stores of which three are older than ours."""
    folder.mkdir(parents=True)
    lay(folder, "0003")
    first = folder.with_name(f"{folder.name}.first")
    for store in (quarantine, rotation):
        first.mkdir()
        shutil.copy(store.SCHEMA / "0001.sql", first)
        with closing(connect(folder / store.FILE)) as connection:
            migrate(connection, first)
        shutil.rmtree(first)
    return folder


def versions(folder: Path) -> dict[str, int]:
    return {one.name: one.version for one in upgrade.stores(folder)}


def killed_at(step: int, folder: Path, copy: Path) -> bool:
    """A process that upgrades, killed before its n-th call of these; False: it came to its end."""
    child = os.fork()
    if child == 0:
        left = [step]

        def watched(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(*args: Any, **more: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **more)

            return called

        for owner, name in (
            (upgrade, "write_durably"), (upgrade, "_migrate"), (upgrade, "sync_folder"), (copying, "copy_store"),
            (copying, "write_durably"), (copying, "sync_folder"), (Path, "rename"), (shutil, "rmtree"),
        ):  # fmt: skip
            setattr(owner, name, watched(getattr(owner, name)))
        upgrade.prepare(folder, lambda: 1, copy)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_at_any_step_the_same_command_goes_on_and_the_copy_is_the_way_back(tmp_path: Path) -> None:
    """P-461: of the older version whole, whichever stores had been changed; that of the upgrade before is gone."""
    original = older(tmp_path / "original")
    backup(original, original / upgrade.DONE, lambda: 1)
    newest = {one.name: one.newest for one in upgrade.stores(original)}
    seen = set()
    for step in range(1, STEPS_MAX):
        folder, copy = tmp_path / f"{step}/data", tmp_path / f"{step}/disk/copy"
        shutil.copytree(original, folder)
        is_killed = killed_at(step, folder, copy)
        if is_killed:
            seen.add(tuple(sorted(versions(folder).items())))
            assert upgrade.prepare(folder, lambda: 2, copy) in {copy, None}, step
        assert versions(folder) == newest, step
        assert versions(copy) == OLDER, step
        assert [one.name for one in copy.parent.iterdir()] == ["copy"], step
        assert str(copy) in "\n".join(upgrade._way_back(folder, [])), step
        assert not (folder / upgrade.DONE).exists(), step
        if not is_killed:
            assert len(seen) == len(OLDER) + 1, "cut between any two stores"
            return
    raise AssertionError("it never came to its end")


def test_cut_off_with_some_changed_it_makes_no_other_copy_wherever_it_is_told_to(tmp_path: Path) -> None:
    """P-461: nor does the gateway's start, which needs no room for one."""
    folder, copy, other = older(tmp_path / "data"), tmp_path / "copy", tmp_path / "other"
    step = next(one for one in range(1, STEPS_MAX) if _is_half(one, folder, copy))
    assert step > 1
    shutil.copytree(folder, tmp_path / "again")
    assert upgrade.prepare(folder, lambda: 2, other) == copy
    assert not other.exists()
    assert upgrade.prepare(tmp_path / "again", lambda: 2) == copy
    assert not (tmp_path / "again" / upgrade.DONE).exists()
    back = tmp_path / "back"
    back.mkdir()
    restore(copy, back, 1, force=False)


def _is_half(step: int, folder: Path, copy: Path) -> bool:
    """Whether a kill there leaves some stores changed; if not, all is as before."""
    before = versions(folder)
    assert killed_at(step, folder, copy)
    return versions(folder) != before


def test_what_is_somebody_elses_is_not_replaced(tmp_path: Path) -> None:
    """P-461: another backup of that name, a folder of somebody's; nothing is changed."""
    folder, taken = older(tmp_path / "data"), tmp_path / "taken"
    backup(folder, taken, lambda: 1)
    before = (taken / "manifest.json").read_bytes()
    for _ in range(2):
        with pytest.raises(BackupError, match="exists already"):
            upgrade.prepare(folder, lambda: 2, taken)
    assert versions(folder) == OLDER
    assert (taken / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("name", ["", "upgrading", "before-upgrade", "restoring", "a/b", "../link/copy"])
def test_within_data_dir_is_not_elsewhere(tmp_path: Path, name: str) -> None:
    """P-461: what the gateway makes and deletes there is its own; nothing is changed."""
    folder = older(tmp_path / "data")
    (tmp_path / "link").symlink_to(folder)
    (folder / upgrade.BEGUN).mkdir()
    with pytest.raises(BackupError, match=f"within {folder}, .*without --copy-to.*不能位于"):
        upgrade.prepare(folder, lambda: 2, folder / name)
    assert versions(folder) == OLDER
    assert [one for one in folder.rglob("*") if one.is_dir()] == [folder / upgrade.BEGUN]
    assert not (folder / upgrade.MARK_BEGUN).exists()


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_copy_that_is_the_last_upgrades_stays_whatever_lies_beside_it(tmp_path: Path, is_elsewhere: bool) -> None:
    """P-461: a start that finds nothing to do deletes none, nor one that was put into data_dir by --copy-to."""
    folder = older(tmp_path / "data")
    copy = upgrade.prepare(folder, lambda: 2, tmp_path / "copy" if is_elsewhere else None)
    assert copy is not None
    if not is_elsewhere:
        mark = upgrade.Elsewhere(str(copy), OLDER)
        (folder / upgrade.MARK_DONE).write_bytes(msgspec.json.encode(mark))
    (tmp_path / "link").symlink_to(folder)
    for name in (folder, tmp_path / "link"):
        assert upgrade.prepare(name, lambda: 3) is None
    assert versions(copy) == OLDER


def test_beside_a_store_of_a_newer_version_none_is_changed(tmp_path: Path) -> None:
    """P-461: of an upgrade by a newer program that was cut off between two stores."""
    folder = older(tmp_path / "data")
    with closing(connect(folder / quarantine.FILE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = versions(folder)
    with pytest.raises(NewerSchemaError, match="schema 99, this program knows"):
        upgrade.prepare(folder, lambda: 2, tmp_path / "copy")
    assert versions(folder) == before
    assert list(tmp_path.iterdir()) == [folder]
