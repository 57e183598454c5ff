"""COSE_Mac0 with HMAC 256/256 (RFC 9052, 6.2 and 6.3; RFC 9053, 3.1; RFC 2104), and nothing else of COSE."""

import hashlib

from protocol import cbor, limits
from protocol.errors import FrameError

KEY_BYTES = 32  # as long as the hash: RFC 2104, section 3
MAC_BYTES = 32
ALGORITHM = 5  # HMAC 256/256, not truncated
LABEL_ALGORITHM = 1
LABEL_KID = 4

_TAG_MAC0 = 17
_CONTEXT = b"\x84\x64MAC0"


class Key:
    """One terminal's secret of one generation. Never printed: `repr` shows the generation only."""

    def __init__(self, secret: bytes, generation: int) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        if not 1 <= generation <= limits.GENERATION_MAX:
            raise ValueError("a key's generation is 1 to 255")
        self.generation = generation
        self._inner = bytes(b ^ 0x36 for b in secret) + b"\x36" * 32
        self._outer = bytes(b ^ 0x5C for b in secret) + b"\x5c" * 32

    def __repr__(self) -> str:
        return "Key(generation=%d)" % self.generation

    def mac(self, parts: "list[bytes]") -> bytes:
        """HMAC-SHA256 over the parts in turn."""
        inner = hashlib.sha256(self._inner)
        for part in parts:
            inner.update(part)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()


def external_aad(terminal: str, direction: int, version: int) -> bytes:
    """What the MAC binds besides the frame's bytes: who, which way, which version (FR-13)."""
    return cbor.array([cbor.tstr(terminal), cbor.integer(direction), cbor.integer(version)])


def seal(key: Key, aad: bytes, payload: bytes) -> bytes:
    """The frame for a payload. Raises ValueError if it would be longer than a frame may be: split it."""
    protected = bytes((0xA2, 0x01, 0x05, 0x04, 0x41, key.generation))
    tag = key.mac(_mac_structure(protected, aad, payload))
    frame = b"".join((b"\xd1\x84", cbor.bstr(protected), b"\xa0", cbor.bstr(payload), cbor.bstr(tag)))
    if len(frame) > limits.FRAME_BYTES_MAX:
        raise ValueError("frame of %d bytes: at most %d" % (len(frame), limits.FRAME_BYTES_MAX))
    return frame


class Envelope:
    """The outer structure of a frame, parsed but not yet trusted: positions in `data`, and the key's generation."""

    def __init__(self, data: bytes) -> None:
        """Parse; raises FrameError. Costs a size check and a walk over at most 16 bytes of header (S-21)."""
        if len(data) > limits.FRAME_BYTES_MAX:
            raise FrameError("oversize", limits.FRAME_BYTES_MAX)
        self.data = data
        reader = cbor.Reader(data)
        _expect_tag(reader)
        reader.array(4, 4)
        begin, end = reader.bstr(0, limits.FRAME_BYTES_MAX)
        self.protected = data[begin:end]
        self.generation = _read_protected(data, begin, end)
        self.kid_at = end - 1
        _expect_empty_map(reader)
        self.payload_at, self.payload_end = reader.bstr(0, limits.FRAME_BYTES_MAX)
        begin, end = reader.bstr(MAC_BYTES, MAC_BYTES)
        self.tag = data[begin:end]
        self.tag_at = begin
        reader.done()

    def verify(self, key: Key, aad: bytes) -> None:
        """Raise FrameError `mac` unless the tag is this key's over these bytes (FR-16)."""
        payload = self.data[self.payload_at : self.payload_end]
        if not _equal(key.mac(_mac_structure(self.protected, aad, payload)), self.tag):
            raise FrameError("mac", self.tag_at)


def _mac_structure(protected: bytes, aad: bytes, payload: bytes) -> "list[bytes]":
    return [_CONTEXT, cbor.bstr(protected), cbor.bstr(aad), cbor.head(cbor.BSTR, len(payload)), payload]


def _equal(ours: bytes, theirs: bytes) -> bool:
    difference = 0
    for a, b in zip(ours, theirs):
        difference |= a ^ b
    return difference == 0


def _expect_tag(reader: cbor.Reader) -> None:
    major, value = reader.head()
    if major != cbor.TAG or value != _TAG_MAC0:
        raise reader.fail("tag")


def _expect_empty_map(reader: cbor.Reader) -> None:
    major, count = reader.head()
    if major != cbor.MAP:
        raise reader.fail("type")
    if count:
        raise reader.fail("header")


def _read_protected(data: bytes, begin: int, end: int) -> int:
    """The key's generation, from a header that is exactly {1: 5, 4: kid}."""
    reader = cbor.Reader(data, begin, end, "ends_early")
    major, count = reader.head()
    if major != cbor.MAP:
        raise reader.fail("type")
    if count != 2:
        raise reader.fail("header")
    if reader.uint(limits.UINT32_MAX) != LABEL_ALGORITHM:
        raise reader.fail("header")
    if reader.integer(-limits.UINT32_MAX, limits.UINT32_MAX) != ALGORITHM:
        raise reader.fail("algorithm")
    label = reader.uint(limits.UINT32_MAX)
    if label == LABEL_ALGORITHM:
        raise reader.fail("duplicate_key")
    if label < LABEL_ALGORITHM:
        raise reader.fail("key_order")
    if label != LABEL_KID:
        raise reader.fail("header")
    at, _ = reader.bstr(1, 1)
    reader.done()
    if data[at] == 0:
        raise FrameError("range", at)
    return data[at]
