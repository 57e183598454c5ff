"""Our key pair for terminals' keys on their way to us: the private part in a file of 64 hex digits, as theirs."""

import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway import registry
from gateway.files import write_secret


def make(path: Path) -> X25519PrivateKey:
    """The key in the file, made if there is none yet. Raises OSError, ValueError; neither shows the key."""
    with suppress(FileExistsError):
        write_secret(path, secrets.token_hex(32) + "\n")
    return load(path)


def load(path: Path) -> X25519PrivateKey:
    """The key in the file. Raises OSError, ValueError; neither shows the key."""
    return X25519PrivateKey.from_private_bytes(registry.read_key(path))
