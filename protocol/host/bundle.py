"""A release as a file, *.wlb (UPDATES.md): [signed manifest, payload]. A terminal gets it in pieces."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from protocol import cbor, limits, p256, sign1, update
from protocol.errors import FrameError
from protocol.update import UpdateError


class Bundle(NamedTuple):
    """A release; signed: the manifest as it is offered, payload: what is sent in chunks."""

    signed: bytes
    manifest: update.Manifest
    files: list[update.File]
    payload: bytes


def encode(signed: bytes, payload: bytes) -> bytes:
    """The file's bytes."""
    return cbor.array([cbor.bstr(signed), cbor.bstr(payload)])


def read(data: bytes, points: Iterable[bytes] | None = None) -> Bundle:
    """A release, every byte of it held against its manifest, which a key of these points must have signed.

    Without `points` nobody knows who made it. Raises UpdateError, in the order in which a terminal looks.
    """
    sealed, payload = _split(data)
    signed = update.signed_of(sealed)
    if points is not None:
        _verify(signed, points)
    manifest = update.read_manifest(signed.payload)
    if len(payload) != manifest.payload_bytes:
        raise UpdateError(update.EXTRA if len(payload) > manifest.payload_bytes else update.MALFORMED)
    if manifest.kind == update.IMAGE:
        if hashlib.sha256(payload).digest() != manifest.application:
            raise UpdateError(update.FILE, "image")
        return Bundle(sealed, manifest, [], payload)
    index = payload[: manifest.index_bytes]
    update.check_index(index, manifest)
    files = list(update.files_of(index))
    at = len(index)
    for one in files:
        if hashlib.sha256(payload[at : at + one.bytes]).digest() != one.digest:
            raise UpdateError(update.FILE, one.path)
        at += one.bytes
    return Bundle(sealed, manifest, files, payload)


def _split(data: bytes) -> tuple[bytes, bytes]:
    reader = cbor.Reader(data)
    try:
        reader.array(2, 2)
        signed = reader.bstr(1, limits.SIGNED_BYTES_MAX)
        payload = reader.bstr(1, update.IMAGE_BYTES_MAX)
        reader.done()
    except FrameError as error:
        raise UpdateError(update.EXTRA if error.reason == "trailing" else update.MALFORMED, str(error)) from error
    return data[slice(*signed)], data[slice(*payload)]


def _verify(signed: sign1.Signed, points: Iterable[bytes]) -> None:
    by_id = {sign1.key_id(one): one for one in points}
    if signed.kid not in by_id:
        raise UpdateError(update.KEY, signed.kid.hex())
    if not p256.verify(by_id[signed.kid], signed.digest, signed.signature):
        raise UpdateError(update.SIGNATURE)
