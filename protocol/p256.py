"""P-256 in plain Python, as MicroPython has none: verifies ECDSA signatures over SHA-256 (FIPS 186-5, 6.4.2), and
multiplies points for ECDH (SP 800-56A rev. 3, 5.7.1.2); the curve: SP 800-186, 3.2.1.3.

How long it takes depends on the numbers. What a signature is verified with is public; a factor for ECDH is secret, and
used for one agreement alone: there is nothing to measure twice.
"""

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_PART = 32  # bytes of a number
_WINDOW = 2  # bits of both factors that are taken at once: a table of 15 points
_NOWHERE = (1, 1, 0)  # the point at infinity; points are Jacobian: x / z^2, y / z^3


def verify(point: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether the key of this point (x, y) made this signature (r, s) of this digest: 64, 32 and 64 bytes."""
    found = False
    for one in steps(point, digest, signature):
        found = one is True
    return found


def steps(point: bytes, digest: bytes, signature: bytes):  # type: ignore[no-untyped-def]
    """The same in about 130 pieces, for who has other work to do: yields None after each, and at last the answer."""
    key = point_of(point)
    r, s = (int.from_bytes(signature[at : at + _PART], "big") for at in (0, _PART))
    if key is None or len(signature) != 2 * _PART or not (0 < r < N and 0 < s < N):
        yield False
        return
    inverse = _inverse(s, N)
    first = int.from_bytes(digest[:_PART], "big") * inverse % N
    second = r * inverse % N
    yield None
    table = _table(G, key)
    yield None
    x, _, z = yield from _sum(table, first, second)
    yield _is_x(x, z, r)


def times(point: "tuple[int, int]", factor: int):  # type: ignore[no-untyped-def]
    """(x, y) of `factor` (1 to N - 1) times a point of the curve, in as many pieces: yields None after each."""
    x, y, z = yield from _sum(_multiples(point), 0, factor)
    inverse = _inverse(z, P)
    square = inverse * inverse % P
    yield x * square % P, y * square * inverse % P


def factor_of(drawn: bytes) -> int:
    """1 to N - 1 of 40 random bytes (FIPS 186-5, A.2.1: 64 bits more than N has)."""
    return int.from_bytes(drawn, "big") % (N - 1) + 1


def _sum(table: "list[tuple[int, int, int]]", first: int, second: int):  # type: ignore[no-untyped-def]
    """first * one + second * other, of a table of both; with first 0, the multiples of the other suffice."""
    x, y, z = _NOWHERE
    for shift in range(8 * _PART - _WINDOW, -1, -_WINDOW):
        for _ in range(_WINDOW):
            x, y, z = _double(x, y, z)
        x, y, z = _add((x, y, z), table[(first >> shift & 3) << _WINDOW | second >> shift & 3])
        yield None
    return x, y, z


def point_of(point: bytes) -> "tuple[int, int] | None":
    """(x, y) of a key's 64 bytes; None: not a point of the curve."""
    if len(point) != 2 * _PART:
        return None
    x, y = int.from_bytes(point[:_PART], "big"), int.from_bytes(point[_PART:], "big")
    if x >= P or y >= P or (y * y - (x * x - 3) * x - B) % P:
        return None
    return x, y


def _is_x(x: int, z: int, r: int) -> bool:
    """Whether the point's x, modulo N, is r; without dividing by z."""
    square = z * z % P
    if not square:
        return False
    return (r * square - x) % P == 0 or (r + N < P and ((r + N) * square - x) % P == 0)


def _table(one: "tuple[int, int]", other: "tuple[int, int]") -> "list[tuple[int, int, int]]":
    """i * one + j * other at 4 * i + j, for 0 to 3."""
    table = _multiples(other)
    step = (one[0], one[1], 1)
    for at in range(4, 16):
        table.append(_add(table[at - 4], step))
    return table


def _multiples(point: "tuple[int, int]") -> "list[tuple[int, int, int]]":
    """0 to 3 times a point."""
    table = [_NOWHERE, (point[0], point[1], 1)]
    table.append(_double(*table[1]))
    table.append(_add(table[2], table[1]))
    return table


def _double(x: int, y: int, z: int) -> "tuple[int, int, int]":
    """Twice a point (Bernstein and Lange, dbl-2001-b)."""
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    new = (alpha * alpha - 8 * beta) % P
    return new, (alpha * (4 * beta - new) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(one: "tuple[int, int, int]", other: "tuple[int, int, int]") -> "tuple[int, int, int]":
    """The sum of two points (Bernstein and Lange, add-2007-bl, without its factor of 2)."""
    x1, y1, z1 = one
    x2, y2, z2 = other
    if not z1:
        return other
    if not z2:
        return one
    square1 = z1 * z1 % P
    square2 = z2 * z2 % P
    u = x1 * square2 % P
    v = y1 * z2 * square2 % P
    h = (x2 * square1 - u) % P
    d = (y2 * z1 * square1 - v) % P
    if not h:
        return _NOWHERE if d else _double(x1, y1, z1)
    hh = h * h % P
    hhh = h * hh % P
    u = u * hh % P
    x = (d * d - hhh - 2 * u) % P
    return x, (d * (u - x) - v * hhh) % P, z1 * z2 * h % P


def _inverse(value: int, modulus: int) -> int:
    """Of 0 < value < modulus, a prime: Euclid's algorithm."""
    low, high = value, modulus
    a, b = 1, 0
    while low > 1:
        quotient = high // low
        low, high = high - quotient * low, low
        a, b = b - quotient * a, a
    return a % modulus
