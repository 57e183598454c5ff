"""COSE_Sign1 with ES256 (RFC 9052, 4.2 and 4.4; RFC 9053, 2.1), and nothing else of COSE: what a release key signed.

    d2 84                       tag 18: COSE_Sign1, array of 4
      58 nn a3 01 26            protected header, bstr: {1 (alg): -7 (ES256),
               03 tt ..          3 (content type): text,
               04 48 ..          4 (kid): the first 8 bytes of SHA-256 of the key's point}
      a0                        unprotected header: empty
      58 nn ..                  payload, bstr
      58 40 ..                  signature: r and s, 32 bytes each

What is signed is the CBOR of ["Signature1", protected, h'', payload]. A key's *point* is x and y, 32 bytes each. The
content type is signed, so that what is said of one thing can't be taken for another.
"""

import hashlib

from protocol import cbor, limits
from protocol.errors import FrameError

ALGORITHM = -7
POINT_BYTES = 64
KEY_ID_BYTES = 8  # a terminal knows four keys; a collision costs one more verification that fails
SIGNATURE_BYTES = 64

_TAG_SIGN1 = 18
_CONTEXT = b"\x84\x6aSignature1"


def key_id(point: bytes) -> bytes:
    """What names a key."""
    return hashlib.sha256(point).digest()[:KEY_ID_BYTES]


def protected(content_type: str, kid: bytes) -> bytes:
    """The protected header's bytes."""
    return _head(content_type) + kid


def to_be_signed(header: bytes, payload: bytes) -> bytes:
    """What the signature is over (RFC 9052, 4.4), to be hashed with SHA-256."""
    return _CONTEXT + cbor.bstr(header) + b"\x40" + cbor.bstr(payload)


def assembled(header: bytes, payload: bytes, signature: bytes) -> bytes:
    """The signed bytes. Raises ValueError where they would pass a bound."""
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError("a signature has %d bytes" % SIGNATURE_BYTES)
    data = b"".join((b"\xd2\x84", cbor.bstr(header), b"\xa0", cbor.bstr(payload), cbor.bstr(signature)))
    if len(data) > limits.SIGNED_BYTES_MAX:
        raise ValueError("%d signed bytes: at most %d" % (len(data), limits.SIGNED_BYTES_MAX))
    return data


class Signed:
    """Signed bytes, parsed and not yet trusted: `kid`, `payload`, `signature` and the `digest` that is signed."""

    def __init__(self, data: bytes, content_type: str) -> None:
        """Raises FrameError: `tag` not a COSE_Sign1, `header` not ES256 or not of this content type, others."""
        if len(data) > limits.SIGNED_BYTES_MAX:
            raise FrameError("oversize", limits.SIGNED_BYTES_MAX)
        reader = cbor.Reader(data)
        major, value = reader.head()
        if major != cbor.TAG or value != _TAG_SIGN1:
            raise reader.fail("tag")
        reader.array(4, 4)
        begin, end = reader.bstr(0, limits.SIGNED_BYTES_MAX)
        header = data[begin:end]
        if header[:-KEY_ID_BYTES] != _head(content_type):
            raise FrameError("header", begin)
        self.kid = header[-KEY_ID_BYTES:]
        major, count = reader.head()
        if major != cbor.MAP:
            raise reader.fail("type")
        if count:
            raise reader.fail("header")
        begin, end = reader.bstr(0, limits.SIGNED_BYTES_MAX)
        self.payload = data[begin:end]
        begin, end = reader.bstr(SIGNATURE_BYTES, SIGNATURE_BYTES)
        self.signature = data[begin:end]
        reader.done()
        self.digest = hashlib.sha256(to_be_signed(header, self.payload)).digest()


def _head(content_type: str) -> bytes:
    """The protected header but for the key's id."""
    return b"\xa3\x01\x26\x03" + cbor.tstr(content_type) + b"\x04\x48"
