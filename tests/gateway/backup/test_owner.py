"""Commands that root gives, where the gateway is another user: what they leave in data_dir is the gateway's."""

import json
import os
from pathlib import Path

import pytest

from gateway import files
from gateway.backup import upgrade
from gateway.backup.backup import backup
from gateway.backup.restore import DECIDED, STAGE, finish, restore
from gateway.backup.stores import BackupError
from gateway.lock import held
from gateway.quarantine import orders
from gateway.watch.store import Store
from tests.gateway.journal.saved import lay

OWNER = (12_345, 12_346)


def owned(one: Path) -> tuple[int, int]:
    return one.lstat().st_uid, one.lstat().st_gid


def owners(folder: Path) -> set[tuple[int, int]]:
    return {owned(one) for one in (folder, *folder.rglob("*"))}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An older version's data_dir; another user's, where we may make it so."""
    folder = tmp_path / "data"
    folder.mkdir()
    lay(folder, "0003")
    if os.geteuid() == 0:
        for one in (folder, *folder.rglob("*")):
            os.chown(one, *OWNER)
    assert len(owners(folder)) == 1
    return folder


def test_what_root_leaves_in_data_dir_is_the_gateways(data: Path) -> None:
    """P-455: of a restore with what it replaced, an upgrade with its copy, a lock, a new store, an order."""
    before = owners(data)
    with held(data):
        assert upgrade.prepare(data, lambda: 1) == data / upgrade.DONE
        assert owners(data) == before
        _, aside = restore(data / upgrade.DONE, data, 1, force=True)
    Store(data).close()
    orders.place(data, orders.Order("discard", [1]))
    assert aside is not None
    assert owners(data) == before


def test_a_backup_in_a_folder_of_the_services_is_the_services(data: Path, tmp_path: Path) -> None:
    """P-455: which restores it, and deletes it when it is old. In a folder of anybody else's nobody gets its keys."""
    backups, others = tmp_path / "backups", tmp_path / "others"
    for folder, owner in ((backups, OWNER), (others, (12_347, 12_348))):
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, *owner)
        backup(data, folder / "1", lambda: 1)
    assert owners(backups) == owners(data)
    assert owners(others / "1") == {(os.geteuid(), os.getegid())}


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_link_is_not_followed(data: Path, tmp_path: Path, is_whole: bool) -> None:
    """P-455: whoever may write to data_dir gets no file of others by it: by a link, one for a folder, a second name."""
    others = tmp_path / "others"
    others.mkdir()
    (others / "secret").write_text("root's")
    before = owners(others)
    if is_whole:
        (data / orders.FOLDER).symlink_to(others)
    else:
        (data / orders.FOLDER).mkdir()
        (data / orders.FOLDER / "link").symlink_to(others / "secret")
        (data / orders.FOLDER / "folder").symlink_to(others)
        (data / orders.FOLDER / "name").hardlink_to(others / "secret")
    files.give_to_owner_of(data, data / orders.FOLDER, data / "gone")
    orders.place(data, orders.Order("discard", [1]))
    assert owners(others) == before
    assert is_whole or owned(data / orders.FOLDER) == owned(data)


def test_a_restore_that_root_began_can_be_ended_by_the_gateway(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-455: cut off before any file is moved, what is there is the gateway's; so is a mark of a copy elsewhere."""
    before = owners(data)
    upgrade.prepare(data, lambda: 1, data.parent / "copy")
    assert owners(data) == before
    move = Path.rename

    def looked_at(self: Path, target: Path) -> Path:
        if target.parent.name.startswith("replaced-"):
            assert owners(data) == before, target
            seen.append(target)
        return move(self, target)

    seen = list[Path]()
    monkeypatch.setattr(Path, "rename", looked_at)
    restore(data.parent / "copy", data, 1, force=True)
    assert seen
    assert owners(data) == before


@pytest.mark.parametrize("member", ["files", "old", "aside"])
def test_a_restore_that_somebody_else_decided_moves_nothing(data: Path, member: str) -> None:
    """P-455: whoever may write to data_dir could have root put any file in any place."""
    (data.parent / "other.sqlite3").write_text("root's")
    way_out = {"files": ["../other.sqlite3"], "old": ["../other.sqlite3"], "aside": "../replaced-1"}
    decided = {"files": [], "old": ["journal.sqlite3"], "aside": "replaced-1"} | {member: way_out[member]}
    (data / STAGE).mkdir()
    (data / STAGE / DECIDED).write_text(json.dumps(decided))
    before = sorted(data.parent.rglob("*"))
    with pytest.raises(BackupError, match=f"{DECIDED}: not as a restore wrote it; delete it"):
        finish(data)
    assert sorted(data.parent.rglob("*")) == before
