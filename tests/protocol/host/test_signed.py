"""Signed JSON: nothing of it can be changed unseen, and what is not JSON of one form is refused."""

import copy
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.host import sealing, signed
from protocol.host.signed import SignedError
from tests.protocol.host.altered import changed

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KNOWN = {"li.wei": KEY.public_key()}
KIND = "wattline-test-1"
BODY = {"terminal": "T0001", "points": [{"number": 1, "name": "炉 1", "known": True}, {"number": 2, "none": None}]}

plain = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
values = st.recursive(
    plain, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text("abz_09", max_size=4), one, max_size=3)
)


def refused(data: bytes, kind: str = KIND) -> str:
    with pytest.raises(SignedError) as error:
        signed.verify(signed.parse(data), kind, KNOWN)
    return error.value.reason


@settings(max_examples=50)
@given(st.dictionaries(st.text("abz_", max_size=4), values, max_size=4))
def test_what_was_signed_is_read_again_however_it_is_laid_out(body: dict[str, Any]) -> None:
    """P-301"""
    data = signed.sign(KIND, body, "li.wei", KEY)
    assert signed.verify(signed.parse(data), KIND, KNOWN) == body
    laid_out = json.dumps(dict(reversed(json.loads(data).items())), indent=3).encode()
    assert signed.verify(signed.parse(laid_out), KIND, KNOWN) == body


def test_each_change_of_each_member_is_refused() -> None:
    """P-301"""
    document = json.loads(signed.sign(KIND, BODY, "li.wei", KEY))
    count = 0
    for body in changed(copy.deepcopy(BODY)):
        count += 1
        assert refused(json.dumps({**document, "body": body}).encode()) == "signature", body
    assert count > 15
    signature = bytes.fromhex(document["signature"])
    for bit in range(8 * len(signature)):
        other = bytearray(signature)
        other[bit // 8] ^= 1 << bit % 8
        assert refused(json.dumps({**document, "signature": other.hex()}).encode()) == "signature"


def test_another_signer_and_another_purpose_are_refused() -> None:
    """P-301"""
    assert refused(signed.sign(KIND, BODY, "mallory", KEY)) == "signer"
    assert refused(signed.sign(KIND, BODY, "li.wei", Ed25519PrivateKey.generate())) == "signature"
    assert refused(signed.sign("wattline-other-1", BODY, "li.wei", KEY)) == "kind"
    told = json.loads(signed.sign("wattline-other-1", BODY, "li.wei", KEY))
    assert refused(json.dumps({**told, "kind": KIND}).encode()) == "signature"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind": "k", "signer": "s", "body": {}, "signature": "0", "more": 1}',
        '{"kind": "k", "signer": "s", "body": {}, "signature": "zz"}',
        '{"kind": "k\\u001b[2J", "signer": "s", "body": {}, "signature": "00"}',
        '{"kind": "k", "signer": "s\\n", "body": {}, "signature": "00"}',
        '{"kind": "k", "kind": "k", "signer": "s", "body": {}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"a": 1, "a": 2}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"a": 1.5}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"a": NaN}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"a": 9007199254740992}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"a": "\\ud800"}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"鍵": 1}, "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": ' + '{"a":' * 20 + "1" + "}" * 20 + ', "signature": "00"}',
        '{"kind": "k", "signer": "s", "body": {"a": ' + "[" * 100_000 + "]" * 100_000 + '}, "signature": "00"}',
        "{" + " " * signed.BYTES_MAX + "}",
    ],
    ids=range(17),
)
def test_what_is_no_document_is_refused_by_its_form(text: str) -> None:
    """P-301"""
    assert refused(text.encode(), "k") == "form"


def test_a_sealed_key_opens_for_its_gateway_terminal_and_generation_alone() -> None:
    """P-302"""
    private, secret = X25519PrivateKey.from_private_bytes(bytes(range(32))), bytes(range(32, 64))
    blob = sealing.seal(secret, bytes.fromhex(sealing.public_hex(private)), "T0001", 1)
    assert secret not in blob
    assert sealing.unseal(blob, private, "T0001", 1) == secret
    assert sealing.seal(secret, private.public_key().public_bytes_raw(), "T0001", 1) != blob
    for other, terminal, generation in (
        (X25519PrivateKey.generate(), "T0001", 1),
        (private, "T0002", 1),
        (private, "T0001", 2),
    ):
        with pytest.raises(sealing.SealError):
            sealing.unseal(blob, other, terminal, generation)
    for at in range(len(blob)):
        with pytest.raises(sealing.SealError):
            sealing.unseal(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :], private, "T0001", 1)
    with pytest.raises(sealing.SealError):
        sealing.unseal(sealing.seal(b"short", private.public_key().public_bytes_raw(), "T0001", 1), private, "T0001", 1)
    with pytest.raises(sealing.SealError):
        sealing.unseal(b"", private, "T0001", 1)
