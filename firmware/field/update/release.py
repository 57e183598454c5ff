"""A release, made of an image (firmware/image.py) and signed."""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from firmware import image
from firmware.field.update.keys import ReleaseKey
from protocol import update
from protocol.host import bundle


def built(board: str, version: tuple[int, int, int], built_s: int) -> dict[str, bytes]:
    """The files of this checkout's application for a board, by path. Raises ImageError."""
    with tempfile.TemporaryDirectory(prefix="wattline-bundle-") as name:
        image.build(board, Path(name) / board, version, built_s)
        return image.application(Path(name) / board)


def make(files: dict[str, bytes], described: update.Manifest, key: ReleaseKey) -> bytes:
    """The release's file. `described` is without what follows from the files: that is filled in. Raises UpdateError."""
    files = dict(sorted(files.items()))
    index = image.index_of(files)
    payload = index + b"".join(files.values())
    manifest = described._replace(
        application=hashlib.sha256(index).digest(), index_bytes=len(index), payload_bytes=len(payload)
    )
    return _sealed(manifest, payload, key)


def make_image(image: bytes, described: update.Manifest, key: ReleaseKey) -> bytes:
    """The release's file of a whole image, likewise."""
    manifest = described._replace(
        application=hashlib.sha256(image).digest(), payload_bytes=len(image), kind=update.IMAGE
    )
    return _sealed(manifest, image, key)


def _sealed(manifest: update.Manifest, payload: bytes, key: ReleaseKey) -> bytes:
    signed = key.sign(update.CONTENT_TYPE, update.encode_manifest(manifest))
    data = bundle.encode(signed, payload)
    bundle.read(data, [key.point])
    return data


def described(
    number: int, version: str, board: str, best_before_s: int, precursors: Iterable[bytes] = ()
) -> update.Manifest:
    """What is said of a release, before its files are known."""
    return update.Manifest(
        number,
        version,
        board,
        update.LOADER,
        best_before_s,
        tuple(precursors),
        bytes(update.DIGEST_BYTES),
        0,
        0,
        update.APPLICATION,
    )
