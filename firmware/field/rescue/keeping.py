"""A terminal's configuration in a file, and back on it: what a gateway and its meters made of it, and no secret.

The key stays on the board, the network's password and the certificates come from the site plan, and records from the
board go to the gateway as frames. So such a file may lie about.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from firmware.field.board.errors import BoardRefusedError
from firmware.field.board.link import Link

NAMES = ("terminal.json", "config", "meters")  # below the data's folder: files, or folders of files
_MANIFEST = "manifest.json"
_FILES_MAX = 64  # a meter's identity is a few bytes, a configuration is one file
_FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Backup:
    """Of which terminal, on which chip; contents by path below the data's folder."""

    terminal: str
    chip_id: str | None
    files: Mapping[str, bytes]


def take(link: Link, folder: str, terminal: str, chip_id: str | None) -> Backup:
    """What is on the board. Raises BoardError."""
    paths = link.digests(*(f"{folder}/{name}" for name in NAMES))
    return Backup(terminal, chip_id, {path.removeprefix(f"{folder}/"): link.read(path) for path in paths})


def pack(backup: Backup) -> bytes:
    """As a zip file."""
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in backup.files.items()}
    manifest = {"terminal": backup.terminal, "chip_id": backup.chip_id, "sha256": digests}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(_MANIFEST, json.dumps(manifest, ensure_ascii=False))
        for path, data in backup.files.items():
            file.writestr(path, data)
    return packed.getvalue()


def unpack(data: bytes, name: str) -> Backup:
    """A zip file of `pack`, whole and with nothing else in it. Raises BoardRefusedError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            entries = {one.filename: one for one in file.infolist()}
            if len(entries) > _FILES_MAX or any(one.file_size > _FILE_BYTES_MAX for one in entries.values()):
                raise _not_ours(name, "too much in it")
            manifest = json.loads(file.read(_MANIFEST))
            files = {path: file.read(path) for path in entries if path != _MANIFEST}
        digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        if digests != manifest["sha256"] or not all(_is_known(path) for path in files):
            raise _not_ours(name, "what is in it is not what was put there")
        return Backup(manifest["terminal"], manifest["chip_id"], files)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, NotImplementedError) as error:
        raise _not_ours(name, str(error)) from error


def refuse_unfit(backup: Backup, terminal: str, chip_id: str | None, *, is_replacement: bool) -> None:
    """Raise BoardRefusedError for another terminal, or for another chip where it is not to be replaced."""
    if terminal != backup.terminal:
        raise BoardRefusedError(
            f"the board is terminal {terminal}, the file is of {backup.terminal}: provision it as that first / "
            "备份与终端不符：请先将此板配置为该终端"
        )
    if (chip_id != backup.chip_id) != is_replacement:
        hint = "`wattline field restore`" if is_replacement else "`wattline field replace`"
        raise BoardRefusedError(
            f"that is {'the same' if is_replacement else 'another'} board: {hint} is meant / 请用 {hint}"
        )


def put(link: Link, folder: str, backup: Backup) -> list[str]:
    """Write what differs; its paths. Raises BoardError."""
    there = link.digests(*(f"{folder}/{name}" for name in NAMES))
    differ = [path for path, data in backup.files.items() if there.get(f"{folder}/{path}") != _digest(data)]
    for path in differ:
        link.write(f"{folder}/{path}", backup.files[path])
    return differ


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_known(path: str) -> bool:
    parts = path.split("/")
    return parts[0] in NAMES and ".." not in parts


def _not_ours(name: str, why: str) -> BoardRefusedError:
    return BoardRefusedError(f"{name}: no backup of a terminal: {why} / 不是终端备份文件")
