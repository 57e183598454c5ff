"""protocol/vectors/update/p256.json: ECDSA signatures over secp256r1, good and bad (after Project Wycheproof's kinds).

Signatures are made here with the curve's plain arithmetic, so that the nonce can be chosen.
"""

import hashlib
import json
from typing import Any

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
Point = tuple[int, int] | None
G: Point = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SECRET = 0x1234567890ABCDEF * 0x10001 + 7
VALID, INVALID = "valid", "invalid"


def add(one: Point, other: Point) -> Point:
    """The sum of two points."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = 3 * (x1 * x1 - 1) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(factor: int, point: Point) -> Point:
    """A multiple of a point."""
    found: Point = None
    for bit in f"{factor % N:b}":
        found = add(found, found)
        if bit == "1":
            found = add(found, point)
    return found


def sign(secret: int, digest: int, nonce: int) -> tuple[int, int]:
    """(r, s)."""
    found = times(nonce, G)
    r = found[0] % N if found else 0
    return r, (digest + r * secret) * pow(nonce, -1, N) % N


def p256() -> str:
    """The file."""
    vectors: list[dict[str, Any]] = []
    for result, cases in ((VALID, _valid()), (INVALID, [*_numbers(), *_others()])):
        for comment, point, digest, r, s in cases:
            number = f"{result}-{1 + sum(1 for one in vectors if one['result'] == result):03}"
            parts = [(one % 2**256).to_bytes(32, "big").hex() for one in (*(point or (0, 0)), digest, r, s)]
            vectors.append(
                {
                    "id": number,
                    "comment": comment,
                    "point": parts[0] + parts[1],
                    "digest": parts[2],
                    "signature": parts[3] + parts[4],
                    "result": result,
                }
            )
    about = "ECDSA over P-256: a key's point (x, y), the digest that was signed, the signature (r, s)."
    lines = ",\n  ".join(json.dumps(one) for one in vectors)
    return f'{{\n "about": {json.dumps(about)},\n "vectors": [\n  {lines}\n ]\n}}\n'


Case = tuple[str, Point, int, int, int]


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def _valid() -> list[Case]:
    key = times(SECRET, G)
    cases = []
    for number in range(6):
        digest = _digest(f"message {number}")
        cases.append((f"message {number}", key, digest, *sign(SECRET, digest, _digest(f"nonce {number}"))))
    r, s = sign(SECRET, _digest("high"), 77)
    cases.append(("s and n - s are both taken: one", key, _digest("high"), r, s))
    cases.append(("s and n - s are both taken: the other", key, _digest("high"), r, N - s))
    for comment, digest in (("a digest of zeros", 0), ("a digest above n", 2**256 - 1), ("a digest of n", N)):
        cases.append((comment, key, digest, *sign(SECRET, digest, 1001)))
    for comment, secret in (("the key is G", 1), ("the key is -G", N - 1), ("the key is 2 G", 2), ("3 G", 3)):
        cases.append((comment, times(secret, G), _digest(comment), *sign(secret, _digest(comment), 5)))
    cases.append(("a nonce of 1", key, _digest("one"), *sign(SECRET, _digest("one"), 1)))
    r, s = sign(SECRET, 0, 99)  # with this digest both factors give the same point
    equal = r * SECRET % N
    cases.append(("both halves of the sum are one point", key, equal, r, 2 * equal * pow(99, -1, N) % N))
    return [*cases, _x_above_n()]


def _x_above_n() -> Case:
    """A signature whose point has an x of n or more, so that r is x - n: of a key made for it."""
    x = N
    while pow(square := (x * x * x - 3 * x + B) % P, (P - 1) // 2, P) != 1:
        x += 1
    point = (x, pow(square, (P + 1) // 4, P))
    r, s, digest = x - N, 12345, _digest("x above n")
    part = add(times(s, point), times(N - digest % N, G))
    return "x is above n, r is x - n", times(pow(r, -1, N), part), digest, r, s


def _numbers() -> list[Case]:
    key, digest = times(SECRET, G), _digest("numbers")
    r, s = sign(SECRET, digest, 4242)
    edges = ((0, "0"), (N, "n"), (N + 1, "n + 1"), (P, "p"), (2**256 - 1, "all ones"))
    cases: list[Case] = [(f"r is {name}", key, digest, value, s) for value, name in edges]
    cases += [(f"s is {name}", key, digest, r, value) for value, name in edges]
    cases += [("r and s are 0", key, digest, 0, 0), ("r and s are 1", key, digest, 1, 1)]
    cases += [("r and s exchanged", key, digest, s, r), ("r is n - r", key, digest, N - r, s)]
    _, made_for, small_digest, small_r, small_s = _x_above_n()
    return [*cases, ("r + n where r would do", made_for, small_digest, small_r + N, small_s)]


def _others() -> list[Case]:
    key, digest = times(SECRET, G), _digest("others")
    r, s = sign(SECRET, digest, 31337)
    x, y = key or (0, 0)
    cases: list[Case] = [
        ("another message", key, _digest("another"), r, s),
        ("another key", times(SECRET + 1, G), digest, r, s),
        ("the key's negative", (x, P - y), digest, r, s),
        ("not a point of the curve", (x, y ^ 1), digest, r, s),
        ("the point (0, 0)", None, digest, r, s),
        ("x is p", (P, y), digest, r, s),
        ("y is p and more", (x, min(2**256 - 1, P + 3)), digest, r, s),
        ("the sum is the point at infinity", key, -r * SECRET % N, r, s),
    ]
    for bit in (0, 1, 8, 127, 128, 255):
        cases.append((f"bit {bit} of r", key, digest, r ^ 1 << bit, s))
        cases.append((f"bit {bit} of s", key, digest, r, s ^ 1 << bit))
        cases.append((f"bit {bit} of the digest", key, digest ^ 1 << bit, r, s))
    return cases
