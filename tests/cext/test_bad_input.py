"""Bad input: one typed refusal each, the same from both decoders, and nothing lost beside it."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from cext import decoder
from hil.benchmarks import realistic
from protocol import errors, frame, record
from tests.cext.both import KEY, SECRET, TERMINAL, by_python, expect_same, from_columns, payload_of, reseal
from tests.protocol.make_vectors import VECTORS

# RFC 8949, Appendix F, as it groups them: what is not well-formed CBOR
APPENDIX_F = {
    "end of input in a head": (
        "18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000"
    ),
    "definite-length strings with short data": (
        "41 61 5affffffff00 5bffffffffffffffff010203 7affffffff00 7b7fffffffffffffff010203"
    ),
    "definite-length maps and arrays not closed": "81 818181818181818181 8200 a1 a20102 a100 a2000000",
    "tag number not followed by content": "c0",
    "indefinite-length strings not closed": "5f4100 7f6100",
    "indefinite-length maps and arrays not closed": (
        "9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff 9f819f819f9fffffff"
    ),
    "reserved additional information": "1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe",
    "reserved two-byte simple values": "f800 f801 f818 f81f",
    "indefinite-length string chunks not of the correct type": (
        "5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff"
    ),
    "indefinite-length string chunks not definite length": "5f5f4100ffff 7f7f6100ffff",
    "break on its own": "ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff 9f829f819f9fffffffffff bf00ff bf000000ff",
    "major types 0, 1, 6 with additional information 31": "1f 3f df",
}
NOT_WELL_FORMED = [bytes.fromhex(text) for texts in APPENDIX_F.values() for text in texts.split()]

# CBOR that is well-formed, and somebody else's
NOT_OURS: dict[str, Any] = {
    "SenML": [{-2: "urn:dev:mac:0024befffe804ff1", 2: 230.1}],
    "a COSE_Sign1": cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, b"payload", bytes(64)]),
    "a COSE_Mac0 without tag": [b"\xa2\x01\x05\x04A\x01", {}, b"\x81\x01", bytes(32)],
    "a self-described COSE_Mac0": cbor2.CBORTag(55799, cbor2.CBORTag(17, [b"", {}, b"", bytes(32)])),
    "a detached payload": cbor2.CBORTag(17, [b"\xa2\x01\x05\x04A\x01", {}, None, bytes(32)]),
    "a time": cbor2.CBORTag(1, 1_767_225_600),
    "a map": {"terminal": "T0001", "readings": [1, 2, 3]},
    "a big number": 2**80,
    "nothing": None,
}
WHERE: dict[str, Callable[[bytes], bytes]] = {
    "for the frame": lambda data: data,
    "for the protected header": lambda data: b"\xd1\x84" + data + b"\xa0\x42\x81\x01\x58\x20" + bytes(32),
    "for the unprotected header": lambda data: b"\xd1\x84\x46\xa2\x01\x05\x04\x41\x01" + data,
    "for the payload": reseal,
    "for the version": lambda data: reseal(b"\x85" + data),
    "for the records": lambda data: reseal(b"\x85\x01\x05\x0c\x18\x63" + data),
    "for a record": lambda data: reseal(b"\x85\x01\x05\x0c\x18\x63\x81" + data),
    "for a slot": lambda data: reseal(in_slot(data)),
    "in a reading": lambda data: reseal(in_slot(b"\x91\x00\x00\xf5" + data)),
}
CLOSED_LIST = set(errors.REASONS) - {"terminal", "kind"}


def in_slot(data: bytes) -> bytes:
    """A payload of one window whose only slot begins with these bytes."""
    return b"\x85\x01\x05\x0c\x18\x63\x81\x83\x01\x01\x89\x00\x19\x03\x84\x0c\x01\x03\x01\x18\xb4\xf6\x81" + data


def good(number: int, points: int = 3) -> bytes:
    rnd = random.Random(number)
    return frame.seal_frame(KEY, TERMINAL, 5, 12, number, [record.encode_window(number, realistic.window(rnd, points))])


def check_refused(frames: list[bytes]) -> None:
    """Each has one reason of the closed list, within its bytes; good frames between them are as if alone."""
    mixed = [one for n, bad in enumerate(frames) for one in (good(n), bad)]
    got = expect_same(mixed)
    assert got[0::2] == [one for n in range(len(frames)) for one in expect_same([good(n)])]
    for data, one in zip(frames, got[1::2], strict=True):
        assert isinstance(one, decoder.Refusal), data.hex()
        assert one.reason in CLOSED_LIST
        assert 0 <= one.offset <= min(len(data), 4096)


@pytest.mark.parametrize("where", WHERE)
def test_what_is_not_well_formed(where: str) -> None:
    """FR-01 FR-04 S-21: all of RFC 8949, Appendix F, in every kind of place."""
    check_refused([WHERE[where](data) for data in NOT_WELL_FORMED])


@pytest.mark.parametrize("where", WHERE)
def test_what_is_well_formed_and_not_ours(where: str) -> None:
    """FR-04 FR-10"""
    frames = [WHERE[where](cbor2.dumps(value)) for value in NOT_OURS.values()]
    if where == "for a slot":
        frames.remove(WHERE[where](cbor2.dumps(None)))  # null is how a slot says: no such point
    check_refused(frames)


@pytest.mark.parametrize("where", WHERE)
def test_bombs(where: str) -> None:
    """FR-40 FR-41 S-21: depth and length that are only claimed cost nothing and reach nothing."""
    heads = [b"\x81", b"\x9f", b"\xa1\x01", b"\xbf\x01", b"\xd8\x18", b"\xc1"]
    deep = [head * (3900 // len(head)) for head in heads]
    long = [bytes([major << 5 | width]) + b"\xff" * 8 for major in range(8) for width in (24, 25, 26, 27)]
    check_refused([WHERE[where](data) for data in deep + long])


def test_a_frame_longer_than_any_is_refused_by_its_size_alone() -> None:
    """FR-40"""
    for size in (4097, 5000, 100_000):
        data = good(1) + bytes(size - len(good(1)))
        assert expect_same([data, good(2)])[0] == ("oversize", 4096)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("a20105 0105", "duplicate_key"),
        ("a20105 0405", "type"),
        ("a2044101 0105", "header"),
        ("a20105 00f6", "key_order"),
        ("a30105 044101 044102", "header"),
    ],
)
def test_keys_that_stand_twice_or_elsewhere(header: str, reason: str) -> None:
    """FR-11 S-21"""
    protected = bytes.fromhex(header)
    data = b"\xd1\x84" + cbor2.dumps(protected) + b"\xa0\x42\x81\x01\x58\x20" + bytes(32)
    got = expect_same([good(1), data, good(2)])
    assert isinstance(got[1], decoder.Refusal)
    assert got[1].reason == reason


def test_every_cut_and_every_byte_more_of_a_payload_that_is_sealed_as_it_is() -> None:
    """FR-03 FR-51 S-21: cut anywhere it ends early; with any byte more it is trailing."""
    payload = payload_of(good(7, points=9))
    got = expect_same([reseal(payload[:size]) for size in range(len(payload))])
    assert {one.reason for one in got if isinstance(one, decoder.Refusal)} == {"ends_early"}
    assert not any(isinstance(one, decoder.Frame) for one in got)
    more = expect_same([reseal(payload + bytes([byte])) for byte in range(256)])
    assert {one[0] for one in more} == {"trailing"}


def test_every_refused_vector_between_good_frames() -> None:
    """P-22: all invalid vectors in one batch, each between two good frames, through the columns."""
    files = sorted(Path(VECTORS).glob("frames_*.json"))
    vectors = [one for file in files for one in json.loads(file.read_text(encoding="utf-8"))["vectors"]]
    bad = [one for one in vectors if one["result"] == "invalid"]
    frames, terminals, keys = [], [], []
    for n, vector in enumerate(bad):
        frames += [good(n), bytes.fromhex(vector["hex"])]
        terminals += [TERMINAL, vector["terminal"]]
        own = {int(g): decoder.KeyState(bytes.fromhex(secret)) for g, secret in vector["keys"].items()}
        keys += [{1: decoder.KeyState(SECRET)}, own]
    columns = decoder.decode_columns(frames, terminals, keys, digests=True)
    got = from_columns(columns, frames)
    for n, vector in enumerate(bad):
        assert got[2 * n] == by_python(frames[2 * n])
        assert got[2 * n + 1] == (vector["reason"], vector["offset"]), vector["id"]
    assert len(bad) > 600
