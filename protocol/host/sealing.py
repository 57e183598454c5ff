"""A terminal's key on its way to the gateway: HPKE (RFC 9180) to the gateway's public key, which the site plan names.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, mode base. Terminal and generation are the `info`: a sealed
key opens for them alone. Whoever has the sealed key and not the gateway's private one has nothing.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from protocol import mac

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class SealError(ValueError):
    """What does not open: sealed to another gateway, for another terminal, or damaged."""


def seal(secret: bytes, gateway_key: bytes, terminal: str, generation: int) -> bytes:
    """A terminal's key, for the gateway that has the private part of `gateway_key` (32 bytes) alone."""
    public = X25519PublicKey.from_public_bytes(gateway_key)
    return _SUITE.encrypt(secret, public, info=_info(terminal, generation))


def unseal(sealed: bytes, private: X25519PrivateKey, terminal: str, generation: int) -> bytes:
    """The key that was sealed for this terminal. Raises SealError."""
    try:
        secret = _SUITE.decrypt(sealed, private, info=_info(terminal, generation))
    except (InvalidTag, ValueError) as error:
        raise SealError(
            f"{terminal}: its key was sealed for another gateway, or is damaged / 密钥并非为本网关加密，或已损坏"
        ) from error
    if len(secret) != mac.KEY_BYTES:
        raise SealError(f"{terminal}: what is sealed is no key / 密封内容不是密钥")
    return secret


def public_hex(private: X25519PrivateKey) -> str:
    """What a site plan names as `sealing_key`."""
    return private.public_key().public_bytes_raw().hex()


def _info(terminal: str, generation: int) -> bytes:
    return b"wattline terminal key\0%s\0%d" % (terminal.encode("ascii"), generation)
