"""Commands that root gives, where the gateway is another user: what they leave in data_dir is the gateway's."""

import os
from pathlib import Path

import pytest

from gateway import files
from gateway.backup import upgrade
from gateway.backup.backup import backup
from gateway.backup.restore import restore
from gateway.lock import held
from gateway.quarantine import orders
from gateway.watch.store import Store
from tests.gateway.journal.saved import lay

OWNER = (12_345, 12_346)


def owners(folder: Path) -> set[tuple[int, int]]:
    return {(one.lstat().st_uid, one.lstat().st_gid) for one in (folder, *folder.rglob("*"))}


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


def test_a_link_is_not_followed(data: Path, tmp_path: Path) -> None:
    """P-455: whoever may write to data_dir gets no file of others by it."""
    other = tmp_path / "other"
    other.write_text("root's")
    (data / "orders").mkdir()
    (data / "orders/link").symlink_to(other)
    files.give_to_owner_of(data, data / "orders", data / "gone")
    assert owners(data) == {(data.stat().st_uid, data.stat().st_gid)}
    assert (other.stat().st_uid, other.stat().st_gid) == (os.geteuid(), os.getegid())
