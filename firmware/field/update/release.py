"""A release, made of an image (firmware/image.py) and signed."""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from firmware import image
from firmware.field.update.keys import ReleaseKey
from protocol import update
from protocol.host import bundle

LOADED_BY = ("main.py", "loader")  # what begins an application, and is no part of one


def application_of(folder: Path) -> dict[str, bytes]:
    """The files of the application in an image's folder, by path. Raises UpdateError, OSError."""
    found = {}
    for one in sorted(folder.rglob("*")):
        path = one.relative_to(folder)
        if one.is_file() and path.parts[0] not in LOADED_BY and path.as_posix() != update.INDEX_NAME:
            found[path.as_posix()] = one.read_bytes()
    if not found:
        raise update.UpdateError(update.SIZE, f"{folder}: no application in it / 目录中没有应用程序")
    return found


def built(board: str, version: tuple[int, int, int], built_s: int) -> dict[str, bytes]:
    """The files of this checkout's application for a board, by path. Raises ImageError."""
    with tempfile.TemporaryDirectory(prefix="wattline-bundle-") as name:
        image.build(board, Path(name) / board, version, built_s)
        return application_of(Path(name) / board)


def make(files: dict[str, bytes], described: update.Manifest, key: ReleaseKey) -> bytes:
    """The release's file. `described` is without what follows from the files: that is filled in. Raises UpdateError."""
    listed = [update.File(path, len(files[path]), hashlib.sha256(files[path]).digest()) for path in sorted(files)]
    index = update.encode_index(listed)
    payload = index + b"".join(files[one.path] for one in listed)
    manifest = described._replace(
        application=hashlib.sha256(index).digest(), index_bytes=len(index), payload_bytes=len(payload)
    )
    signed = key.sign(update.CONTENT_TYPE, update.encode_manifest(manifest))
    data = bundle.encode(signed, payload)
    bundle.read(data, [key.point])
    return data


def described(
    number: int, version: str, board: str, best_before_s: int, precursors: Iterable[bytes] = ()
) -> update.Manifest:
    """What is said of a release, before its files are known."""
    return update.Manifest(
        number, version, board, update.LOADER, best_before_s, tuple(precursors), bytes(update.DIGEST_BYTES), 0, 0
    )
