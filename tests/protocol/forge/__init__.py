"""Makes the vectors of protocol/vectors by a hand of its own: cbor2 and the standard hmac, none of our codec."""
