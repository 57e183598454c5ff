"""Signed JSON: what a technician vouches for, in a form that people can read and nobody can change unseen.

{"kind": "...", "signer": "li.wei", "body": {...}, "signature": "128 hex digits"}: Ed25519 (RFC 8032) over

    "wattline" 00 kind 00 signer 00 canonical(body)

The canonical form is RFC 8785's for what is taken here: objects, lists, texts, integers, booleans and null; no floats,
so that there is one way to write each number. White space and the order of keys in the file are free.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

BYTES_MAX = 512 * 1024  # 32 points with their findings take 60 KB
_INTEGER_MAX = 2**53 - 1  # beyond, JSON's readers differ (RFC 8785, 3.2.2.3)
_DEPTH_MAX = 16  # ours have 6
_MEMBERS = {"kind", "signer", "body", "signature"}


class SignedError(Exception):
    """A document that is not taken. reason: form, kind, signer or signature."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Signed(NamedTuple):
    """A document as it came; nothing of it is known to be true before `verify`."""

    kind: str
    signer: str
    body: dict[str, Any]
    signature: bytes


def sign(kind: str, body: Mapping[str, Any], signer: str, key: Ed25519PrivateKey) -> bytes:
    """The document's file. Raises ValueError for what has no canonical form."""
    signature = key.sign(_signed_bytes(kind, signer, body)).hex()
    document = {"kind": kind, "signer": signer, "body": body, "signature": signature}
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def parse(data: bytes) -> Signed:
    """The parts of a document. Raises SignedError, reason form."""
    if len(data) > BYTES_MAX:
        raise SignedError("form", f"longer than {BYTES_MAX} bytes / 文件过大")
    try:
        return _parts(json.loads(data, object_pairs_hook=_once))
    except (ValueError, RecursionError) as error:
        raise SignedError("form", f"not a signed document: {error} / 不是签名文件") from error


def verify(document: Signed, kind: str, keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """The body, if one of these signers made it, as it is, for this purpose. Raises SignedError."""
    if document.kind != kind:
        raise SignedError("kind", f"a {document.kind}, not a {kind} / 文件类型不符")
    key = keys.get(document.signer)
    if key is None:
        known = ", ".join(sorted(keys)) or "-"
        raise SignedError(
            "signer", f"{document.signer}: not a technician known here / 签名人未登记; known / 已登记: {known}"
        )
    try:
        key.verify(document.signature, _signed_bytes(kind, document.signer, document.body))
    except InvalidSignature as error:
        raise SignedError(
            "signature",
            f"not as {document.signer} signed it: altered, or signed with another key / 签名无效：内容被改动或密钥不符",
        ) from error
    return document.body


def canonical(value: object) -> bytes:
    """The one way to write a value. Raises ValueError for what has none."""
    _check(value, 0)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _signed_bytes(kind: str, signer: str, body: Mapping[str, Any]) -> bytes:
    return b"\0".join((b"wattline", kind.encode("ascii"), signer.encode("ascii"), canonical(dict(body))))


def _parts(found: object) -> Signed:
    """Raises ValueError."""
    if not isinstance(found, dict) or found.keys() != _MEMBERS:
        raise ValueError(f"an object of {', '.join(sorted(_MEMBERS))} is wanted")
    texts = [found[name] for name in ("kind", "signer", "signature")]
    are_plain = all(isinstance(one, str) and one.isascii() and one.isprintable() for one in texts)  # they are told
    if not are_plain or not isinstance(found["body"], dict):
        raise ValueError("kind, signer and signature are texts, body is an object")
    canonical(found["body"])
    return Signed(found["kind"], found["signer"], found["body"], bytes.fromhex(found["signature"]))


def _check(value: object, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise ValueError(f"more than {_DEPTH_MAX} deep")
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str) or not key.isascii():  # RFC 8785 sorts by UTF-16; ASCII sorts the same in all
                raise ValueError(f"{key!r}: a key is ASCII text")
            _check(one, depth + 1)
    elif isinstance(value, list | tuple):
        for one in value:
            _check(one, depth + 1)
    else:
        _check_plain(value)


def _check_plain(value: object) -> None:
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError, a ValueError: half of a surrogate pair
    elif isinstance(value, int):  # booleans too
        if abs(value) > _INTEGER_MAX:
            raise ValueError(f"{value}: at most 2^53 - 1")
    elif value is not None:
        raise ValueError(f"{value!r}: a text, an integer, true, false or null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
