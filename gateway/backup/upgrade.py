"""Before a program touches stores of another version: older ones are copied, then migrated; newer ones are left alone.

The copy is a backup like any other, in data_dir. Until every store is migrated it is `upgrading`, then
`before-upgrade`, in the place of that of the upgrade before. One that is elsewhere is named by a file of such a name,
with `.json`, which is there before it: whoever goes on knows the copy as its own. Each store's version is a transaction
of its own, and the copy is whole before the first of them: whatever is cut off, this program goes on with it, and the
older one can be put back.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from gateway.backup.backup import backup, partial_of
from gateway.backup.stores import MANIFEST, BackupError, Manifest, names
from gateway.database import (
    NewerSchemaError,
    StoreUnavailableError,
    connect,
    connect_for_reading,
    migrate,
    schema_version,
)
from gateway.files import give_to_owner_of, sync_folder, write_durably
from gateway.forward import outbox
from gateway.journal import journal
from gateway.journal.migration import STEPS
from gateway.quarantine import quarantine
from gateway.rotation import store as rotation
from gateway.updates import store as updates
from gateway.wanted import store as wanted

BEGUN, DONE = "upgrading", "before-upgrade"
MARK_BEGUN, MARK_DONE = f"{BEGUN}.json", f"{DONE}.json"
_ROOM = 1.1  # of the stores' size: the copy, and what migrating adds to them


class Elsewhere(msgspec.Struct, frozen=True):
    """Where the copy is, and each store's version when it was begun."""

    copy: str
    before: dict[str, int]


class Store(NamedTuple):
    """A store in a data_dir. version: of its file, 0 where nobody has made its tables yet; newest: that we know."""

    name: str
    version: int
    newest: int

    @property
    def is_older(self) -> bool:
        """Whether it is to be migrated."""
        return 0 < self.version < self.newest


def stores(data_dir: Path) -> list[Store]:
    """Those that the gateway writes to and that can be read; who owns one that can't says so."""
    found = []
    for name in names(data_dir):
        schema = _schema_of(data_dir, name)
        if schema is not None:
            with suppress(sqlite3.Error), closing(connect_for_reading(data_dir / name)) as connection:
                found.append(Store(name, schema_version(connection), len(list(schema.glob("[0-9]*.sql")))))
    return found


def refuse(data_dir: Path) -> None:
    """Nothing is changed. Raises NewerSchemaError, with the way back; BackupError where an upgrade has no room."""
    found = stores(data_dir)
    _refuse_newer(data_dir, found)
    _refuse_without_room(data_dir, found)


def _refuse_newer(data_dir: Path, found: list[Store]) -> None:
    if newer := [one for one in found if one.version > one.newest]:
        raise NewerSchemaError("\n".join(_way_back(data_dir, newer)))


def _refuse_without_room(data_dir: Path, found: list[Store]) -> None:
    if not _is_to_copy(data_dir, found):
        return
    size = sum(one.stat().st_size for name in names(data_dir) for one in data_dir.glob(f"{name}*"))
    free = shutil.disk_usage(data_dir).free
    if free < size * _ROOM:
        raise BackupError(
            f"{data_dir}: stores of an older version are copied before they are changed, which takes"
            f" {_mib(size * _ROOM)} MiB, and {_mib(free)} are free: make room, or put the copy on another disk:"
            " wattline gateway upgrade --copy-to FOLDER / 升级前需复制数据库，空间不足：请腾出空间或指定其他磁盘"
        )


def prepare(data_dir: Path, now_ms: Callable[[], int], copy_to: Path | None = None) -> Path | None:
    """Copy and migrate stores that are older; returns where the copy is, None: nothing was older. With data_dir's lock.

    copy_to: where the copy goes instead, which must not exist yet, unless this upgrade was cut off before it changed a
    store: then it is made anew. Once a store is changed, no other copy is made. Raises NewerSchemaError, BackupError:
    nothing was changed; StoreUnavailableError, OSError: to be done again, it goes on where it was.
    """
    found = stores(data_dir)
    _refuse_newer(data_dir, found)
    if copy_to is None:
        _refuse_without_room(data_dir, found)
    older = [one for one in found if one.is_older]
    if not older:
        _settle(data_dir)
        return None
    if _is_to_copy(data_dir, found):
        _copy(data_dir, found, now_ms, copy_to)
    for one in older:
        _migrate(data_dir, one.name)
    _settle(data_dir)
    return _copies(data_dir, MARK_DONE, DONE)


def _copy(data_dir: Path, found: list[Store], now_ms: Callable[[], int], copy_to: Path | None) -> None:
    """Copy all stores; what a copy that was cut off has left goes."""
    if copy_to is not None and copy_to.resolve().is_relative_to(data_dir.resolve()):
        raise BackupError(
            f"--copy-to {copy_to}: is within {data_dir}, where the copy goes without --copy-to; name a folder elsewhere"
            " / 不能位于数据目录内，请指定其他目录"
        )
    mark = data_dir / MARK_BEGUN
    shutil.rmtree(data_dir / BEGUN, ignore_errors=True)
    if copy_to is None:
        mark.unlink(missing_ok=True)
        backup(data_dir, data_dir / BEGUN, now_ms)
        return
    out, before = copy_to.resolve(), _marked(mark)
    if before is not None and before.copy == str(out) and (out / MANIFEST).exists():
        shutil.rmtree(partial_of(out), ignore_errors=True)
        out.rename(partial_of(out))  # of a time before: it has not what came since
    if not out.exists():  # else the backup refuses it: it is somebody's
        write_durably(mark, msgspec.json.encode(Elsewhere(str(out), {one.name: one.version for one in found})))
        give_to_owner_of(data_dir, mark)
    backup(data_dir, out, now_ms)


def _is_to_copy(data_dir: Path, found: list[Store]) -> bool:
    """Whether something is older, and there is no copy of the time before this upgrade began."""
    is_older = any(one.is_older for one in found)
    return is_older and journal.FILE in names(data_dir) and not _is_begun(data_dir, found)


def _is_begun(data_dir: Path, found: list[Store]) -> bool:
    """Whether stores have been migrated since they were copied."""
    marked = _marked(data_dir / MARK_BEGUN)
    before = marked.before if marked is not None else _copied(data_dir / BEGUN)
    return any(one.version > before.get(one.name, one.version) for one in found)


def _copied(folder: Path) -> dict[str, int]:
    """Each store's version in a backup; none where it is not whole."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return {}
    return {one.name: one.schema for one in manifest.files}


def _marked(mark: Path) -> Elsewhere | None:
    try:
        return msgspec.json.decode(mark.read_bytes(), type=Elsewhere)
    except (OSError, msgspec.DecodeError):
        return None


def _settle(data_dir: Path) -> None:
    """Nothing is older any more: the copy is that of the last upgrade, and none of one before stays in data_dir."""
    if (data_dir / BEGUN).exists():
        shutil.rmtree(data_dir / DONE, ignore_errors=True)
        (data_dir / MARK_DONE).unlink(missing_ok=True)
        sync_folder(data_dir)  # no mark that names another copy outlives this: what lies beside one is deleted
        (data_dir / BEGUN).rename(data_dir / DONE)
        sync_folder(data_dir)
    elif (data_dir / MARK_BEGUN).exists():
        (data_dir / MARK_BEGUN).rename(data_dir / MARK_DONE)
        sync_folder(data_dir)
    if not _copies(data_dir, MARK_DONE, DONE).resolve().is_relative_to((data_dir / DONE).resolve()):
        shutil.rmtree(data_dir / DONE, ignore_errors=True)


def _copies(data_dir: Path, mark: str, folder: str) -> Path:
    """Where the copy is: elsewhere, or in this folder of data_dir."""
    marked = _marked(data_dir / mark)
    return data_dir / folder if marked is None else Path(marked.copy)


def _migrate(data_dir: Path, name: str) -> None:
    schema = _schema_of(data_dir, name)
    also: Mapping[int, Callable[[sqlite3.Connection], None]] = STEPS if name == journal.FILE else MappingProxyType({})
    try:
        with closing(connect(data_dir / name)) as connection:
            if schema is not None:
                migrate(connection, schema, also)
    except sqlite3.DatabaseError as error:
        raise StoreUnavailableError(f"{data_dir / name}: {error}") from error


def _schema_of(data_dir: Path, name: str) -> Path | None:
    """The schema's folder of a store that the gateway writes to; None: it is another process's."""
    known = {one.FILE: one.SCHEMA for one in (journal, quarantine, wanted, updates, rotation)}
    prefix = outbox.file_of(data_dir, "\0").name.split("\0")[0]
    return outbox.SCHEMA if name.startswith(prefix) else known.get(name)


def _way_back(data_dir: Path, newer: list[Store]) -> Iterator[str]:
    for one in newer:
        yield f"{data_dir / one.name}: schema {one.version}, this program knows up to {one.newest} / 数据库版本较新"
    both = [_copies(data_dir, *one) for one in ((MARK_BEGUN, BEGUN), (MARK_DONE, DONE))]
    copy = next((one for one in both if (one / MANIFEST).exists()), "BACKUP")
    yield "a newer version has run here: start that again, or go back to what was before it / 已由新版本升级，回退方法:"
    yield f"  wattline gateway restore --config gateway.toml --from {copy} --force {data_dir}"
    yield (
        "what was acknowledged since stays in replaced-TIME beside it; terminals send again what they still hold"
        " / 其后数据保留在 replaced-TIME，终端会补传"
    )


def _mib(size: float) -> int:
    return round(size / (1 << 20))
