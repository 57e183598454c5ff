"""Our key pair for terminals' keys on their way to us: the private part in a file of 64 hex digits, as theirs."""

import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway.files import give_to_owner_of
from gateway.keys import key_file
from gateway.keys.wrapping import WrappingKeys

NAME = "sealing key"  # what it is sealed for on our disk; no terminal's key has such a name


def make(path: Path, wrapping: WrappingKeys) -> X25519PrivateKey:
    """The key in the file, made if there is none yet. Raises OSError, ValueError; neither shows the key."""
    with suppress(FileExistsError):
        key_file.write(path, secrets.token_bytes(key_file.KEY_BYTES), NAME, wrapping)
        give_to_owner_of(path.parent, path)
    return load(path, wrapping)


def load(path: Path, wrapping: WrappingKeys) -> X25519PrivateKey:
    """The key in the file. Raises OSError, ValueError; neither shows the key."""
    return X25519PrivateKey.from_private_bytes(key_file.read(path, NAME, wrapping))
