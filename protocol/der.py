"""Certificates one behind the other, told apart. Nothing else of DER: mbedTLS reads them."""

_SEQUENCE = 0x30


def split(data: bytes) -> "list[bytes]":
    """Each SEQUENCE of them (X.690, 8.1 and 10.1). Raises ValueError."""
    found = []
    at = 0
    while at < len(data):
        end = at + _size(data, at)
        if end > len(data):
            raise ValueError("a certificate that is cut short")
        found.append(bytes(data[at:end]))
        at = end
    return found


def _size(data: bytes, at: int) -> int:
    """Of the SEQUENCE that begins here, its head included."""
    head = data[at : at + 4]
    if len(head) < 2 or head[0] != _SEQUENCE:
        raise ValueError("not a certificate")
    if head[1] < 0x80:
        return 2 + head[1]
    count = head[1] & 0x7F
    if not 1 <= count <= 2 or len(head) < 2 + count:
        raise ValueError("not a certificate")
    return 2 + count + int.from_bytes(head[2 : 2 + count], "big")
