"""The decoder's own SHA-256 and HMAC against hashlib and the vectors of RFC 4231."""

import hashlib
import hmac
import platform
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext import decoder

# RFC 4231, section 4: key, data, HMAC-SHA-256. Cases 6 and 7 have keys of 131 bytes, which HMAC hashes first.
LONG = hashlib.sha256(b"\xaa" * 131).digest()
CASES = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (
        LONG,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        LONG,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data."
            b" The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize("implementation", decoder.SHA256_IMPLEMENTATIONS)
def test_rfc_4231(implementation: str) -> None:
    for secret, data, wanted in CASES:
        assert decoder.hmac_sha256(secret, data, implementation).hex() == wanted


@pytest.mark.parametrize("implementation", decoder.SHA256_IMPLEMENTATIONS)
def test_every_length_around_the_blocks(implementation: str) -> None:
    data = bytes(n * 7 & 0xFF for n in range(4200))
    for size in [*range(260), 4095, 4096, 4097, 4200]:
        assert decoder.sha256(data[:size], implementation) == hashlib.sha256(data[:size]).digest(), size
        wanted = hmac.new(b"k" * 32, data[:size], "sha256").digest()
        assert decoder.hmac_sha256(b"k" * 32, data[:size], implementation) == wanted, size


@given(secret=st.binary(max_size=64), data=st.binary(max_size=600))
def test_any_secret_and_data(secret: bytes, data: bytes) -> None:
    for implementation in decoder.SHA256_IMPLEMENTATIONS:
        assert decoder.sha256(data, implementation) == hashlib.sha256(data).digest()
        assert decoder.hmac_sha256(secret, data, implementation) == hmac.new(secret, data, "sha256").digest()


@given(first=st.binary(max_size=400), second=st.binary(max_size=400))
def test_two_side_by_side(first: bytes, second: bytes) -> None:
    wanted = (hashlib.sha256(first).digest(), hashlib.sha256(second).digest())
    for implementation in decoder.SHA256_IMPLEMENTATIONS:
        assert decoder.sha256_two(first, second, implementation) == wanted


def test_two_of_any_lengths_side_by_side() -> None:
    data = bytes(n * 11 & 0xFF for n in range(700))
    digests = [hashlib.sha256(data[:size]).digest() for size in range(len(data))]
    for implementation in decoder.SHA256_IMPLEMENTATIONS:
        for size in range(len(data)):
            other = size * 37 % len(data)
            both = decoder.sha256_two(data[:size], data[:other], implementation)
            assert both == (digests[size], digests[other]), (size, other)


def test_the_choice_is_the_fastest_that_this_cpu_can_run() -> None:
    assert decoder.SHA256_IMPLEMENTATIONS[-1] == "portable"
    assert decoder.SHA256_IMPLEMENTATIONS.index(decoder.SHA256_IMPLEMENTATION) == 0
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    if platform.machine() == "x86_64":
        assert ("x86 SHA" in decoder.SHA256_IMPLEMENTATIONS) == bool(
            re.search(r"^flags\b.*\bsha_ni\b", cpu, re.MULTILINE)
        )
    with pytest.raises(KeyError, match="MD5"):
        decoder.sha256(b"", "MD5")
