# Releases of the application, and the signatures on them: the vectors of protocol/vectors/update, on every interpreter.
# mypy: allow-any-generics, no-warn-return-any
import hashlib

from protocol import p256, sign1, update
from tests.vm import releases

ROOM_BYTES = update.PAYLOAD_BYTES_MAX


def judged(vector: dict) -> str:
    """What a terminal says: the name of the refusal, or `taken`."""
    try:
        found = refusal_of(*releases.split(vector), vector)
    except update.UpdateError as error:
        found = error.refusal
    return update.REFUSALS[found][0] if found else "taken"


def refusal_of(sealed: bytes, payload: bytes, vector: dict) -> int:
    signed = update.signed_of(sealed)
    keys = {sign1.key_id(point): point for point in [bytes.fromhex(one) for one in vector["keys"]]}
    if signed.kid not in keys:
        return update.KEY
    if not p256.verify(keys[signed.kid], signed.digest, signed.signature):
        return update.SIGNATURE
    manifest = update.read_manifest(signed.payload)
    if manifest.kind == update.IMAGE:
        return update.NO_IMAGE_SLOT
    one = vector["here"]
    here = update.Here(
        one["board"], one["loader"], one["newest"], bytes.fromhex(one["application"]), one["now_s"], ROOM_BYTES
    )
    found = update.refusal(manifest, here, vector["vouched"])
    return found or content_refusal(payload, manifest)


def content_refusal(payload: bytes, manifest: update.Manifest) -> int:
    if len(payload) > manifest.payload_bytes:
        return update.EXTRA
    update.check_index(payload[: manifest.index_bytes], manifest)
    at = manifest.index_bytes
    for one in update.files_of(payload[: manifest.index_bytes]):
        if hashlib.sha256(payload[at : at + one.bytes]).digest() != one.digest:
            return update.FILE
        at += one.bytes
    return 0


def test_every_release_is_judged_as_its_vector_says() -> None:
    # P-260 FR-80 FR-81
    for vector in releases.vectors("bundles.json"):
        got = judged(vector)
        assert got == vector["result"], f"{vector['id']} ({vector['comment']}): {got}, not {vector['result']}"


def test_every_signature_is_judged_as_its_vector_says() -> None:
    # P-261
    for vector in releases.vectors("p256.json"):
        parts = [bytes.fromhex(vector[name]) for name in ("point", "digest", "signature")]
        got = "valid" if p256.verify(*parts) else "invalid"
        assert got == vector["result"], f"{vector['id']} ({vector['comment']}): {got}, not {vector['result']}"


def test_a_signature_is_verified_in_short_pieces() -> None:
    # P-261: none of them is more than a hundredth of the whole
    vector = releases.vector("p256.json", 0)
    parts = [bytes.fromhex(vector[name]) for name in ("point", "digest", "signature")]
    found = list(p256.steps(*parts))
    assert found[-1] is True
    assert all(one is None for one in found[:-1])
    assert len(found) > 128
    assert list(p256.steps(parts[0][:-1], parts[1], parts[2])) == [False]
    assert list(p256.steps(parts[0], parts[1], parts[2][:-1])) == [False]
