"""data_dir > folder, while the gateway runs or not."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.backup.stores import MANIFEST, BackupError, Manifest, copy_store, names
from gateway.files import sync_folder, write_durably
from gateway.journal.journal import FILE
from gateway.journal.reader import Reader
from gateway.journal.rows import OlderSchemaError
from protocol.host import program


def backup(data_dir: Path, out: Path, now_ms: Callable[[], int]) -> Manifest:
    """Copy all stores into a new folder, which appears when it is complete. Raises BackupError."""
    if out.exists():
        raise BackupError(f"{out}: exists already; a backup is a new folder / 已存在，请指定新目录")
    if FILE not in names(data_dir):
        raise BackupError(f"{data_dir}: no journal yet; run the gateway first / 尚无日志库，请先运行网关")
    partial = out.with_name(f".{out.name}.partial")
    began_ms = now_ms()
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        files = [copy_store(data_dir / name, partial / name) for name in names(data_dir)]
        reader = Reader(partial)
        last_record = reader.last_id()
        reader.close()
        found = Manifest(program.this().version, began_ms, now_ms(), last_record, files)
        write_durably(partial / MANIFEST, msgspec.json.format(msgspec.json.encode(found)))
        sync_folder(partial)
        partial.rename(out)
        sync_folder(out.resolve().parent)
    except (OSError, sqlite3.Error, OlderSchemaError) as error:
        raise BackupError(f"{out}: not done / 备份未完成: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found
