"""Another key for a terminal, agreed on between it and the gateway (SPEC.md, FR-91 to FR-93). The key never travels.

Each side draws a factor of its own for this once: ECDH over P-256, of which the x alone counts, and HKDF (RFC 5869)
with the key in use as its salt: whoever would compute the next key needs that, and one of the two factors.
"""

import hashlib

from protocol import cbor, mac

X_BYTES = 32
DRAWN_BYTES = 40  # random bytes of a factor
PARTS, PART_BITS = 5, 52  # of x in an event: integers below 2^53
_OF_BYTES = 6  # names the gateway's point: it has one at a time
_LABEL = "wattline key"


def next_secret(key: mac.Key, shared_x: bytes, terminal: str, generation: int, point: bytes, x: bytes) -> bytes:
    """The next key's 32 bytes. key: in use; shared_x: ECDH's; point: the gateway's; x: of the terminal's point."""
    extracted = mac.Key(key.mac([shared_x]), generation)
    info = [cbor.tstr(_LABEL), cbor.tstr(terminal), cbor.integer(generation), cbor.bstr(point), cbor.bstr(x)]
    return extracted.mac([cbor.array(info), b"\x01"])


def number_of(point: bytes) -> int:
    """What names the gateway's point in an event."""
    return int.from_bytes(hashlib.sha256(point).digest()[:_OF_BYTES], "big")


def parts_of(x: bytes) -> "list[int]":
    """x as an event has it, the highest bits first."""
    value = int.from_bytes(x, "big")
    return [value >> PART_BITS * (PARTS - 1 - at) & (1 << PART_BITS) - 1 for at in range(PARTS)]


def x_of(parts: "list[int]") -> "bytes | None":
    """The x that an event tells; None: it tells none."""
    value = 0
    for part in parts:
        if not 0 <= part < 1 << PART_BITS:
            return None
        value = value << PART_BITS | part
    if len(parts) != PARTS or value >> 8 * X_BYTES:
        return None
    return value.to_bytes(X_BYTES, "big")
