"""folder > data_dir. Copies are checked beside the old files; one small file, renamed, decides; then files are moved.
Whoever finds the move begun ends it: a crash at any point leaves all of the old, or leads to all of the new.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.backup.stores import MANIFEST, BackupError, Manifest, check_set, describe, names, settle
from gateway.files import give_to_owner_of, sync_folder, write_durably
from gateway.quarantine.orders import FOLDER as ORDERS

STAGE = "restoring"
DECIDED = "decided.json"
_LOGS = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file: it belongs to that file alone


_Name = Annotated[str, msgspec.Meta(pattern=r"^[^/]+\.sqlite3$")]  # nothing that leads root out of the service's folder


class _Move(msgspec.Struct, frozen=True):
    """What was decided: these files come from the stage; whatever stood in data_dir goes aside."""

    files: list[_Name]
    old: list[_Name]
    aside: Annotated[str, msgspec.Meta(pattern=r"^replaced-[0-9TZ-]+$")]


def restore(folder: Path, data_dir: Path, now_ms: int, *, force: bool) -> tuple[Manifest, Path | None]:
    """Put a backup in the place of what data_dir holds, while the caller holds its lock.

    Returns what it is, and where the old files went. Raises BackupError, with data_dir as it was.
    """
    finish(data_dir)
    old = names(data_dir)
    if old and not force:
        raise BackupError(
            f"{data_dir}: holds {', '.join(old)}; to replace them, name it / 已有数据，如需替换: --force {data_dir}"
        )
    manifest = _read_manifest(folder)
    stage = data_dir / STAGE
    try:
        stage.mkdir(mode=0o700, parents=True)
        for file in manifest.files:
            shutil.copyfile(folder / file.name, stage / file.name)
            if describe(stage / file.name, file.schema) != file:
                raise BackupError(f"{folder / file.name}: not as the manifest says / 与清单不符")
        if check_set(stage) != manifest.last_record:
            raise BackupError(f"{folder}: the journal does not end where the manifest says / 与清单不符")
        give_to_owner_of(data_dir, stage)
        for name in names(stage):
            settle(stage / name)
        sync_folder(stage)
        move = _Move(names(stage), old, _aside(data_dir, now_ms))
        write_durably(stage / DECIDED, msgspec.json.encode(move))
        give_to_owner_of(data_dir, stage / DECIDED)  # cut off from here on, the gateway ends it
    except OSError as error:
        raise BackupError(f"{folder}: not restored / 未恢复: {error}") from error
    finally:
        if not (stage / DECIDED).exists():
            shutil.rmtree(stage, ignore_errors=True)
    finish(data_dir)
    aside = data_dir / move.aside
    return manifest, aside if aside.exists() else None


def is_cut_off(data_dir: Path) -> bool:
    """Whether a restore was decided and not ended: who has a store open would go on with one that is replaced."""
    return (data_dir / STAGE / DECIDED).exists()


def finish(data_dir: Path) -> bool:
    """End a restore that was cut off; True if one was decided. The caller holds data_dir's lock.

    Raises OSError; BackupError: what was decided can't be read, and nothing is moved.
    """
    stage = data_dir / STAGE
    if not is_cut_off(data_dir):
        shutil.rmtree(stage, ignore_errors=True)
        return False
    try:
        move = msgspec.json.decode((stage / DECIDED).read_bytes(), type=_Move)
    except msgspec.DecodeError as error:
        text = "not as a restore wrote it; delete it, and restore again / 恢复记录无效，请删除后重新恢复"
        raise BackupError(f"{stage / DECIDED}: {text}: {error}") from error
    for name in sorted({*move.files, *move.old}):
        if name in move.files and not (stage / name).exists():
            continue  # moved before the cut
        for old in (f"{name}{log}" for log in ("", *_LOGS)):
            if (data_dir / old).exists():
                _make_aside(data_dir, move)
                (data_dir / old).rename(data_dir / move.aside / old)
        if name in move.files:
            (stage / name).rename(data_dir / name)
    if (data_dir / ORDERS).exists():  # their numbers are those of another quarantine
        _make_aside(data_dir, move)
        (data_dir / ORDERS).rename(data_dir / move.aside / ORDERS)
    sync_folder(stage)
    sync_folder(data_dir)
    (stage / DECIDED).unlink()
    shutil.rmtree(stage)
    return True


def _make_aside(data_dir: Path, move: _Move) -> None:
    folder = data_dir / move.aside
    folder.mkdir(mode=0o700, exist_ok=True)
    give_to_owner_of(data_dir, folder)


def _aside(data_dir: Path, now_ms: int) -> str:
    """A name for the folder of what is replaced, not in use yet."""
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("replaced-%Y%m%dT%H%M%SZ")
    used = {one.name for one in data_dir.glob("replaced-*")}
    return next(name for name in (stamp, *(f"{stamp}-{n}" for n in range(2, len(used) + 3))) if name not in used)


def _read_manifest(folder: Path) -> Manifest:
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise BackupError(f"{folder}: no backup that can be read / 不是可读的备份: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise BackupError(f"{folder / MANIFEST}: {error} / 清单无效") from error
    if len({file.name for file in found.files}) != len(found.files):
        raise BackupError(f"{folder / MANIFEST}: a file stands twice / 清单无效")
    return found
