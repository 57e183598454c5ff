# The next key computed, in pieces (protocol/agreement.py). Loaded when the first key is offered.
from protocol import agreement, mac, p256

DRAWN_BYTES = agreement.DRAWN_BYTES
_X_BYTES = agreement.X_BYTES
_NAME_BYTES = 6


def steps(key: mac.Key, terminal: str, generation: int, point: bytes, drawn: bytes):  # type: ignore[no-untyped-def]
    """Yields None after each of some 260 pieces, and at last (the next secret, the point's name, our x). Raises
    ValueError: not a point of the curve."""
    theirs = p256.point_of(point)
    if theirs is None:
        raise ValueError("not a point of the curve")
    factor = p256.factor_of(drawn)
    x = b""
    for found in p256.times(p256.G, factor):
        yield None
        if found is not None:
            x = found[0].to_bytes(_X_BYTES, "big")
    for found in p256.times(theirs, factor):
        if found is None:
            yield None
        else:
            shared_x = found[0].to_bytes(_X_BYTES, "big")
            yield agreement.next_secret(key, shared_x, terminal, generation, point, x), name_of(point), x


def name_of(point: bytes) -> bytes:
    """What names the gateway's point, as it is stored."""
    return agreement.number_of(point).to_bytes(_NAME_BYTES, "big")


def told(name: bytes, x: bytes) -> "list[int]":
    """The integers of key_drawn behind the generation."""
    return [int.from_bytes(name, "big")] + agreement.parts_of(x)
