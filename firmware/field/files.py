"""Files of a technician's laptop: replaced as a whole or not at all, also where the battery ends; Windows included."""

from __future__ import annotations

import os
from pathlib import Path


def trouble(error: OSError) -> str:
    """Which file, and what is wrong with it, for a person."""
    if error.filename is None:
        return str(error)
    return f"{error.filename}: {error.strerror} / {error.filename}: 文件无法读写"


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put the content in the file's place. mode: who may use it, where the system knows that. Raises OSError."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if os.name == "posix":  # Windows opens no folder, and keeps a rename by itself
        _sync(path.parent)


def _sync(folder: Path) -> None:
    """The folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
