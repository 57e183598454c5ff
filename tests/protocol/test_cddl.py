"""wattline.cddl agrees with the vectors as far as a schema can: shape and bounds, not what items mean together."""

import json
import subprocess
from pathlib import Path
from typing import Any

import cbor2

from tests.protocol.make_vectors import VECTORS

REPO = Path(__file__).resolve().parents[2]
ZCBOR = REPO / "build/zcbor/bin/python"
RULES = {
    "frames_valid.json": "up",
    "frames_types.json": "up",
    "frames_content.json": "up",
    "acks.json": "down",
    "requests.json": "down",
    "configurations.json": "down",
    "updates.json": "down",
    "keys.json": "down",
    "records.json": "record",
}
SHAPE = {"type", "float", "count", "record_type", "kind"}  # reasons that a schema can see
# ... unless the item's type depends on another item, or cbor2 hides it (a bignum becomes an integer)
UNSEEN_FLAGS = {"NoBase"}
UNSEEN_COMMENTS = ("a bignum",)

Vector = dict[str, Any]


def verdicts(lines: list[str]) -> list[str]:
    """One "ok" or "no: why" for each "rule hex"."""
    assert ZCBOR.exists(), "build/zcbor is missing; run: make setup"
    done = subprocess.run(
        [ZCBOR, REPO / "tests/protocol/cddl_check.py", REPO / "protocol/wattline.cddl"],
        input="\n".join(lines).encode() + b"\n",
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    return done.stdout.decode(errors="replace").rstrip("\n").split("\n")


def payloads() -> list[tuple[Vector, str]]:
    """Each vector whose tag and CBOR are good, with its rule and its payload."""
    found = []
    for name, rule in RULES.items():
        for vector in json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]:
            data = bytes.fromhex(vector["hex"])
            if vector["result"] == "invalid" and vector["reason"] not in SHAPE:
                continue
            payload = data if rule == "record" else cbor2.loads(data).value[2]
            found.append((vector, f"{rule} {payload.hex()}"))
    return found


def unseen(vector: Vector) -> bool:
    return bool(UNSEEN_FLAGS & set(vector["flags"])) or vector["comment"].startswith(UNSEEN_COMMENTS)


def test_the_schema_takes_what_is_valid_and_refuses_what_has_another_shape() -> None:
    """FR-04"""
    cases = payloads()
    seen = set()
    for (vector, _), said in zip(cases, verdicts([line for _, line in cases]), strict=True):
        if not unseen(vector):
            assert said.startswith("ok") == (vector["result"] == "valid"), (vector["id"], vector["comment"], said)
            seen.add(vector.get("reason", "valid"))
    assert seen == SHAPE | {"valid"}


def test_the_schema_says_what_an_envelope_is() -> None:
    """FR-10 FR-11"""
    vectors = json.loads((VECTORS / "frames_valid.json").read_text(encoding="utf-8"))["vectors"]
    lines = []
    for vector in vectors:
        frame = cbor2.loads(bytes.fromhex(vector["hex"]))
        lines += [f"header {frame.value[0].hex()}", f"frame {vector['hex']}"]
    assert set(verdicts(lines)) == {"ok"}
    for wrong in ("header a10105", "header a20104044101", "frame " + vectors[0]["hex"][2:]):
        assert verdicts([wrong])[0].startswith("no:"), wrong


def test_the_schema_takes_releases_and_tickets_and_refuses_what_has_another_shape() -> None:
    """FR-80 FR-88"""
    right = [part for vector in vectors_of("update/bundles.json", "taken") for part in parts_of(vector)]
    right += [part for vector in vectors_of("update/images.json", "taken") for part in parts_of(vector)]
    right += [("ticket", ticket_of(vector)) for vector in vectors_of("update/tickets.json", 0)]
    assert set(verdicts([f"{rule} {data.hex()}" for rule, data in right])) == {"ok"}
    newer = [part for vector in vectors_of("update/bundles.json", "format") for part in parts_of(vector)]
    wrong = [(rule, data) for rule, data in newer if rule == "manifest"]
    wrong += [("manifest", b"\xa0"), ("index", b"\x80"), ("sign1", right[0][1]), ("ticket", b"\x80")]
    assert len(wrong) == 6
    assert not any(one.startswith("ok") for one in verdicts([f"{rule} {data.hex()}" for rule, data in wrong]))


def vectors_of(name: str, result: object) -> list[Vector]:
    found: list[Vector] = json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]
    return [one for one in found if one["result"] == result]


def ticket_of(vector: Vector) -> bytes:
    payload: bytes = cbor2.loads(bytes.fromhex(vector["line"].split()[1])).value[2]
    return payload


def parts_of(vector: Vector) -> list[tuple[str, bytes]]:
    """A bundle, what is signed of it, its manifest and its index if it has one, by rule."""
    data = bytes.fromhex(vector["bundle"])
    signed, payload = cbor2.loads(data)
    manifest = cbor2.loads(signed).value[2]
    index = payload[: cbor2.loads(manifest)[8]]
    return [("bundle", data), ("sign1", signed), ("manifest", manifest), *([("index", index)] if index else [])]
