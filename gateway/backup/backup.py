"""data_dir > folder, while the gateway runs or not."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from gateway.backup.stores import MANIFEST, BackupError, Manifest, copy_store, names
from gateway.database import NewerSchemaError, connect_for_reading, newer, schema_version
from gateway.files import give_to_owner_of, sync_folder, write_durably
from gateway.journal.journal import FILE, SCHEMA
from protocol.host import program


def backup(data_dir: Path, out: Path, now_ms: Callable[[], int]) -> Manifest:
    """Copy all stores into a new folder, which appears when it is complete. Raises BackupError."""
    if out.exists():
        raise BackupError(f"{out}: exists already; a backup is a new folder / 已存在，请指定新目录")
    if FILE not in names(data_dir):
        raise BackupError(f"{data_dir}: no journal yet; run the gateway first / 尚无日志库，请先运行网关")
    partial = partial_of(out)
    began_ms = now_ms()
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        files = [copy_store(data_dir / name, partial / name) for name in names(data_dir)]
        found = Manifest(program.this().version, began_ms, now_ms(), _last_record(partial / FILE), files)
        write_durably(partial / MANIFEST, msgspec.json.format(msgspec.json.encode(found)))
        if partial.parent.stat().st_uid == data_dir.stat().st_uid:  # nobody else's: some stores hold keys
            give_to_owner_of(data_dir, partial)
        sync_folder(partial)
        partial.rename(out)
        sync_folder(out.resolve().parent)
    except (OSError, sqlite3.Error, NewerSchemaError) as error:
        raise BackupError(f"{out}: not done / 备份未完成: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def partial_of(out: Path) -> Path:
    """Where a backup is made, and what is left of one that was cut off: the next one deletes it."""
    return out.with_name(f".{out.name}.partial")


def _last_record(file: Path) -> int:
    """The number of a journal's newest record, also of an older version's. Raises NewerSchemaError."""
    newest = len(list(SCHEMA.glob("*.sql")))
    with closing(connect_for_reading(file)) as connection:
        version = schema_version(connection)
        if version > newest:
            raise newer(file, version, newest)
        table = "blocks" if version > 1 else "records"
        number = "first + records - 1" if version > 1 else "id"
        (found,) = connection.execute(f"SELECT coalesce(max({number}), 0) FROM {table}").fetchone()  # noqa: S608  (ours)
    return int(found)
