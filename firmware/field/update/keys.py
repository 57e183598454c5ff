"""Release keys: P-256, in PEM files."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from protocol import sign1

_PART_BYTES = sign1.SIGNATURE_BYTES // 2
_PEM_BYTES_MAX = 4096  # a P-256 key takes 240
_THERE = "is there, and is left as it is / 文件已存在，未改动"
_SHA256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)  # RFC 6979: no key is lost by bad randomness


class ReleaseKeyError(Exception):
    """A key that can't be used: which, why, what to do."""


class ReleaseKey:
    """A key that signs. Never shown: `repr` has its id only."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.point = _point(private.public_key())

    def __repr__(self) -> str:
        return f"ReleaseKey({sign1.key_id(self.point).hex()})"

    def sign(self, content_type: str, payload: bytes) -> bytes:
        """The COSE_Sign1 of a payload; the same bytes each time. Raises ValueError where it would pass a bound."""
        header = sign1.protected(content_type, sign1.key_id(self.point))
        r, s = utils.decode_dss_signature(self._private.sign(sign1.to_be_signed(header, payload), _SHA256))
        return sign1.assembled(header, payload, r.to_bytes(_PART_BYTES, "big") + s.to_bytes(_PART_BYTES, "big"))


def generate(path: Path) -> ReleaseKey:
    """A key of the system's randomness, in two files: PATH, its owner's alone, and PATH with `.pub.pem`.

    Raises ReleaseKeyError if either is there.
    """
    public_path = path.with_suffix(".pub.pem")
    for one in (path, public_path):
        if one.exists():  # before either is written
            raise ReleaseKeyError(f"{one}: {_THERE}")
    private = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, private.private_bytes(*form), mode=0o600)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(public_path, public, mode=0o644)
    return ReleaseKey(private)


def load(path: Path) -> ReleaseKey:
    """The key of a PEM file. Raises ReleaseKeyError, which shows nothing of it."""
    try:
        found = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as error:
        raise ReleaseKeyError(f"{path}: no private key in an open PEM file / 不是未加密的 PEM 私钥") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or found.curve.name != "secp256r1":
        raise ReleaseKeyError(f"{path}: not a P-256 key / 不是 P-256 密钥")
    return ReleaseKey(found)


def load_point(path: Path) -> bytes:
    """The point of a PEM file of a public key. Raises ReleaseKeyError."""
    try:
        found = serialization.load_pem_public_key(_read(path))
    except (ValueError, TypeError) as error:
        raise ReleaseKeyError(f"{path}: no public key as PEM / 不是 PEM 公钥") from error
    if not isinstance(found, ec.EllipticCurvePublicKey) or found.curve.name != "secp256r1":
        raise ReleaseKeyError(f"{path}: not a P-256 key / 不是 P-256 密钥")
    return _point(found)


def _point(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)[1:]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_PEM_BYTES_MAX)
    except OSError as error:
        raise ReleaseKeyError(f"{path}: {error.strerror} / 无法读取") from error


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    except FileExistsError as error:
        raise ReleaseKeyError(f"{path}: {_THERE}") from error
    except OSError as error:
        raise ReleaseKeyError(f"{path}: {error.strerror} / 无法写入") from error
