# The next key, agreed on: the vectors, on every interpreter that a terminal has.
import json

import protocol
from protocol import agreement, mac, p256
from tests.vm.points import point_bytes

FILE = protocol.__file__.replace("__init__.py", "") + "vectors/key_agreement.json"


def times(point, factor: int):  # type: ignore[no-untyped-def]
    found = None
    for one in p256.times(point, factor):
        found = one or found
    return found


def test_both_sides_come_to_the_key_that_the_vectors_say() -> None:
    # FR-91 FR-92 P-410
    with open(FILE) as file:
        vectors = json.load(file)["vectors"]
    assert len(vectors) > 3
    for one in vectors:
        point = bytes.fromhex(one["point"])
        own = times(p256.G, int(one["terminals_factor"], 16))
        assert point_bytes(own)[:32].hex() == one["x"], one["comment"]
        parts = agreement.parts_of(point_bytes(own)[:32])
        assert parts == [int(part, 16) for part in one["parts"]], one["comment"]
        assert agreement.x_of(parts) == bytes.fromhex(one["x"])
        assert agreement.number_of(point) == int(one["of"], 16)
        shared = times(p256.point_of(point), int(one["terminals_factor"], 16))
        key = mac.Key(bytes.fromhex(one["secret"]), 1)
        shared_x = point_bytes(shared)[:32]
        found = agreement.next_secret(key, shared_x, one["terminal"], one["generation"], point, bytes.fromhex(one["x"]))
        assert found.hex() == one["next"], one["comment"]


def test_an_event_that_tells_no_x_is_none() -> None:
    # FR-92
    good = agreement.parts_of(b"\xff" * 32)
    assert agreement.x_of(good) == b"\xff" * 32
    for wrong in (good[:4], good[:4] + good):
        assert agreement.x_of(wrong) is None, wrong
    for first in (1 << 52, -1, (1 << 48) + good[0]):
        wrong = good[:]
        wrong[0] = first
        assert agreement.x_of(wrong) is None, wrong


def test_forty_drawn_bytes_make_a_factor() -> None:
    # FR-91: never 0, never n
    for drawn in (bytes(40), b"\xff" * 40, (p256.N - 1).to_bytes(40, "big"), p256.N.to_bytes(40, "big")):
        assert 1 <= p256.factor_of(drawn) < p256.N
