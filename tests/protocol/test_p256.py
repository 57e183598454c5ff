"""Our verification of signatures against OpenSSL's, by `cryptography`."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import p256

DIGESTS = utils.Prehashed(hashes.SHA256())
NUMBERS = st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, p256.N - 1, p256.N, p256.N + 1, p256.P, 2**256 - 1])


def whole(number: int) -> bytes:
    return number.to_bytes(32, "big")


def theirs(point: bytes, digest: bytes, r: int, s: int) -> bool:
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)
        key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(DIGESTS))
    except (InvalidSignature, ValueError):
        return False
    return True


@settings(max_examples=25)
@given(
    secret=st.integers(1, p256.N - 1), digest=st.binary(min_size=32, max_size=32), wrong=st.integers(0, 255),
    r=NUMBERS, s=NUMBERS,
)  # fmt: skip
def test_whatever_is_signed_or_made_up_is_judged_as_openssl_judges_it(
    secret: int, digest: bytes, wrong: int, r: int, s: int
) -> None:
    """P-261"""
    private = ec.derive_private_key(secret, ec.SECP256R1())
    form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    point = private.public_key().public_bytes(*form)[1:]
    made = utils.decode_dss_signature(private.sign(digest, ec.ECDSA(DIGESTS)))
    other = whole(int.from_bytes(digest, "big") ^ 1 << wrong)
    for told, one in ((digest, made), (digest, (made[0], p256.N - made[1])), (other, made), (digest, (r, s))):
        assert p256.verify(point, told, whole(one[0]) + whole(one[1])) == theirs(point, told, *one)
    assert p256.verify(point, digest, whole(made[0]) + whole(made[1]))


@given(x=NUMBERS, y=NUMBERS)
def test_a_point_that_is_not_of_the_curve_is_no_key(x: int, y: int) -> None:
    """P-261"""
    on_curve = x < p256.P and y < p256.P and pow(y, 2, p256.P) == (pow(x, 3, p256.P) - 3 * x + p256.B) % p256.P
    assert (p256.point_of(whole(x) + whole(y)) is not None) == on_curve
    assert p256.point_of(whole(x)) is None
