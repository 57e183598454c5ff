# Points of the curve, as the bytes that travel.
HALF = 32


def point_bytes(point: "tuple[int, int]") -> bytes:
    """x, then y."""
    return b"".join(one.to_bytes(HALF, "big") for one in point)
