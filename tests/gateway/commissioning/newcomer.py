"""The terminal that a technician brings, and the technician's key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.gateway.support import Sender

SECRET = b"n" * 32
NEW = Sender("T0042", SECRET)
KEY = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
POINT = {"name": "furnace", "kind": "production", "rated_power_w": 160_000, "ct_ratio": 80, "pt_ratio": 1}
