"""The technician's Ed25519 key: a PEM file that bears their name, encrypted if they want it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware.field import files

_BYTES_MAX = 4096  # a PEM of this kind has 120, encrypted 300
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class KeyFileError(Exception):
    """A key that can't be used: which file, and why; never its content."""


def make(path: Path, password: bytes | None) -> str:
    """A new key in a new file, NAME.pem; returns its public part in hex, for the gateway. Raises KeyFileError."""
    if path.exists():
        raise KeyFileError(f"{path}: is there already / 文件已存在")
    name_of(path)
    key = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    files.write(path, pem, 0o600)
    return public_hex(key)


def load(path: Path, password: bytes | None) -> Ed25519PrivateKey:
    """The key in a file. password: None if there is none. Raises KeyFileError."""
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path}: others may read it: chmod 600 / 其他用户可读取，请 chmod 600")
        with path.open("rb") as file:
            key = serialization.load_pem_private_key(file.read(_BYTES_MAX), password)
    except OSError as error:
        raise KeyFileError(f"{path}: can't be read: {error.strerror} / 无法读取") from error
    except TypeError as error:
        raise KeyFileError(f"{path}: has a password, or has none / 需要口令，或并无口令") from error
    except ValueError:  # its text may quote what it read
        raise KeyFileError(f"{path}: not a key, or not this password / 不是密钥文件，或口令错误") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: not an Ed25519 key: `wattline field technician-key` makes one / 不是 Ed25519 密钥")
    return key


def is_encrypted(path: Path) -> bool:
    """Whether a password is to be asked for. Raises OSError."""
    with path.open("rb") as file:
        return b"ENCRYPTED" in file.read(_BYTES_MAX)


def name_of(path: Path) -> str:
    """Whose key it is: the file's name. Raises KeyFileError."""
    if not NAME.fullmatch(path.stem):
        raise KeyFileError(f"{path.name}: NAME.pem, of A-Z a-z 0-9 . _ - / 文件名须为 姓名.pem，如 li.wei.pem")
    return path.stem


def public_hex(key: Ed25519PrivateKey) -> str:
    """What the gateway's technicians.toml has of it."""
    return key.public_key().public_bytes_raw().hex()
