"""Wrapping keys, under which key files lie sealed: one that seals, and older ones that open what lies under them yet.

32 bytes each, as 64 hex digits, the newest first, with white space between: in the file that terminals.toml names, in
the service's systemd credential, or in the environment. A sealed key is a line of text: AES-256-GCM (NIST SP 800-38D)
with a nonce of its own, over the name of what it is the key of, so that no file can take another one's place.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.files import read_secret

CREDENTIAL = "wattline-keys"  # its name in the unit: LoadCredential=wattline-keys:...
VARIABLE = "WATTLINE_WRAPPING_KEYS"
MARK = b"wattline-sealed-key"
VERSION = b"1"
_LINE = re.compile(MARK + rb" ([0-9]{1,4}) ([0-9a-f]{16}) ([A-Za-z0-9+/=]{1,256})")
_KEY = re.compile(r"[0-9A-Fa-f]{64}")
_NONCE_BYTES = 12
_CURE = "take it from a backup, or give the terminal another key / 请从备份恢复，或更换终端密钥"


class MissingWrapError(ValueError):
    """A key is sealed under a wrapping key that is not here."""

    def __init__(self, wrap: str) -> None:
        super().__init__(f"sealed under the wrapping key {wrap}, which is not here / 由不在此处的主密钥 {wrap} 加密")
        self.wrap = wrap


class Wrap(NamedTuple):
    """A wrapping key, and the id by which sealed keys name it."""

    id: str
    cipher: AESGCM

    @classmethod
    def of(cls, key: bytes) -> "Wrap":
        """The id says nothing of the key."""
        return cls(sha256(b"wattline wrapping key id" + key).hexdigest()[:16], AESGCM(key))


class WrappingKeys:
    """The wrapping keys that there are: none, or the one that seals and those that open only."""

    def __init__(self, keys: Sequence[bytes] = (), source: str = "") -> None:
        self.source = source  # where they come from, in words
        self._wraps = [Wrap.of(key) for key in keys]
        self._by_id = {wrap.id: wrap for wrap in self._wraps}

    def __len__(self) -> int:
        return len(self._wraps)

    @property
    def first(self) -> str:
        """The id of the one that seals. Raises IndexError where there is none."""
        return self._wraps[0].id

    def seal(self, secret: bytes, name: str) -> bytes:
        """The line of a key. name: whose it is, as T0001.1. Raises IndexError where there is no wrapping key."""
        wrap, nonce = self._wraps[0], os.urandom(_NONCE_BYTES)
        sealed = nonce + wrap.cipher.encrypt(nonce, secret, _said(wrap.id, name))
        return b" ".join((MARK, VERSION, wrap.id.encode(), base64.b64encode(sealed)))

    def open(self, line: bytes, name: str) -> bytes:
        """The key in a line. Raises MissingWrapError, ValueError; neither shows a key."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"sealed, and cut short or damaged / 加密密钥不完整或已损坏; {_CURE}")
        if found[1] != VERSION:
            raise ValueError(f"sealed in form {found[1].decode()}, by a newer Wattline: update / 版本较新，请升级")
        wrap = self._by_id.get(found[2].decode())
        if wrap is None:
            raise MissingWrapError(found[2].decode())
        try:
            sealed = base64.b64decode(found[3], validate=True)
            return wrap.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _said(wrap.id, name))
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise ValueError(f"not sealed for {name}, or altered / 不属于 {name} 或已被改动; {_CURE}") from error


def is_sealed(line: bytes) -> bool:
    """Whether a key's file says that it is sealed."""
    return line.startswith(MARK[:8])


def wrap_of(line: bytes) -> str:
    """The id of the wrapping key that a line is sealed under; empty: it is no such line."""
    found = _LINE.fullmatch(line)
    return found[2].decode() if found else ""


def find(file: Path | None, environment: Mapping[str, str] = os.environ) -> WrappingKeys:
    """The wrapping keys of the file; without one of the service's credential, of the environment, or none.

    Raises OSError, ValueError; neither shows a key.
    """
    credential = Path(environment.get("CREDENTIALS_DIRECTORY", "")) / CREDENTIAL
    if file is not None:
        return WrappingKeys(parse(read_secret(file)), str(file))
    if "CREDENTIALS_DIRECTORY" in environment and credential.exists():
        return WrappingKeys(parse(read_secret(credential)), f"the credential {CREDENTIAL} / 系统凭据")
    if text := environment.get(VARIABLE, ""):
        return WrappingKeys(parse(text.encode()), f"the environment's {VARIABLE} / 环境变量")
    return WrappingKeys()


def parse(text: bytes) -> list[bytes]:
    """The wrapping keys in a text. Raises ValueError, which shows none."""
    words = text.decode("utf-8", "replace").split()
    if not words or not all(_KEY.fullmatch(word) for word in words) or len(set(words)) != len(words):
        raise ValueError("no wrapping keys / 不是主密钥; allowed / 允许: 64 hex digits a line, each once, newest first")
    return [bytes.fromhex(word) for word in words]


def _said(wrap: str, name: str) -> bytes:
    """What the tag covers beside the key."""
    return b" ".join((MARK, VERSION, wrap.encode(), name.encode()))
