"""protocol/vectors/key_agreement.json: what both sides draw, and the key that they agree on (SPEC.md, FR-91 and FR-92).

Made with the curve's plain arithmetic and Python's own hmac.
"""

import hashlib
import hmac
import json

from tests.protocol.forge.p256 import G, N, times
from tests.protocol.forge.tree import item

SECRET = bytes(range(32))


def agreements() -> str:
    """The file."""
    cases = [
        ("typical", "T0001", 2, 0x1234567890ABCDEF * 0x10001 + 7, 0xFEDCBA * 2**200 + 99),
        ("the smallest factors", "T", 255, 1, 1),
        ("the largest factors", "T-32-characters-of-a-name-000000", 1, N - 1, N - 1),
        ("factors that are each other's negative", "T0001", 2, 5, N - 5),
    ]
    lines = ",\n  ".join(json.dumps(_vector(*case)) for case in cases)
    about = (
        "A key in use (secret), both factors, the gateway's point, and the terminal's x: as bytes, and as the event "
        "key_drawn tells them (of, parts); the key that is agreed on (next). Numbers of more than 32 bits in hex."
    )
    return f'{{\n "about": {json.dumps(about)},\n "vectors": [\n  {lines}\n ]\n}}\n'


def _vector(comment: str, terminal: str, generation: int, gateways: int, terminals: int) -> dict[str, object]:
    point, own = _bytes(times(gateways, G)), _bytes(times(terminals, G))[:32]
    shared = _bytes(times(gateways * terminals, G))[:32]
    info = item(["wattline key", terminal, generation, point, own]).lay()
    extracted = hmac.digest(SECRET, shared, "sha256")
    return {
        "comment": comment,
        "terminal": terminal,
        "generation": generation,
        "secret": SECRET.hex(),
        "gateways_factor": f"{gateways:064x}",
        "terminals_factor": f"{terminals:064x}",
        "point": point.hex(),
        "x": own.hex(),
        "of": hashlib.sha256(point).hexdigest()[:12],
        "parts": [f"{int.from_bytes(own, 'big') >> shift & 2**52 - 1:x}" for shift in (208, 156, 104, 52, 0)],
        "next": hmac.digest(extracted, info + b"\x01", "sha256").hex(),
    }


def _bytes(point: tuple[int, int] | None) -> bytes:
    x, y = point or (0, 0)
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")
