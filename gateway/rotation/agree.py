"""Our half of the agreement on a terminal's next key (SPEC.md, FR-91 and FR-92). No I/O.

The factor is a private key of P-256: 32 bytes, big-endian.
"""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocol import agreement, mac

_CURVE = ec.SECP256R1()
_FACTOR_BYTES = 32
_EVEN = b"\x02"  # either y of an x will do: the x of the product is the same


def draw() -> bytes:
    """A factor for one change, by the system's CSPRNG."""
    return ec.generate_private_key(_CURVE).private_numbers().private_value.to_bytes(_FACTOR_BYTES, "big")


def point_of(factor: bytes) -> bytes:
    """What is offered."""
    public = _private(factor).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def next_secret(factor: bytes, x: bytes, in_use: bytes, terminal: str, generation: int) -> bytes:
    """The next key; x: the terminal's; in_use: the key under which it told it. Raises ValueError: no such x."""
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, _EVEN + x)
    shared_x = _private(factor).exchange(ec.ECDH(), theirs)
    return agreement.next_secret(mac.Key(in_use, generation), shared_x, terminal, generation, point_of(factor), x)


def _private(factor: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(factor, "big"), _CURVE)
