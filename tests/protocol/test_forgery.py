"""What is altered, moved or pretended is refused, by the codec and by the compiled decoder."""

import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext import decoder
from hil.benchmarks import realistic
from protocol import ack, down, frame, limits, mac, record
from protocol.errors import FrameError
from protocol.host import orders
from tests.protocol import strategies as ours

REPO = Path(__file__).resolve().parents[2]
FRAMES = 1000
SECRET = bytes(range(32))
KEY = mac.Key(SECRET, 1)


def opened(data: bytes, terminal: str, keys: dict[int, bytes]) -> list[str]:
    """What the two decoders say of bytes that are claimed to be a frame of that terminal: "ok" or a reason."""
    (fast,) = decoder.decode_batch([data], [terminal], [{g: decoder.KeyState(one) for g, one in keys.items()}])
    said = [fast.reason if isinstance(fast, decoder.Refusal) else "ok"]
    try:
        frame.open_frame(data, terminal, {g: mac.Key(one, g) for g, one in keys.items()})
    except FrameError as error:
        return [*said, error.reason]
    return [*said, "ok"]


@pytest.mark.slow
def test_every_single_bit_of_many_frames_is_refused() -> None:
    """S-03: 1,000 frames of different lengths, every bit of each, by the decoder that the gateway runs."""
    rnd = random.Random(3)
    state = {1: decoder.KeyState(SECRET)}
    bits = 0
    for number in range(FRAMES):
        window = record.encode_window(number, realistic.window(rnd, 1 + number % 9, number))
        data = frame.seal_frame(KEY, "T0001", 5, 12, number, [window])
        flipped = []
        for bit in range(8 * len(data)):
            one = bytearray(data)
            one[bit // 8] ^= 1 << bit % 8
            flipped.append(bytes(one))
        got = decoder.decode_batch([*flipped, data], ["T0001"] * (len(flipped) + 1), [state] * (len(flipped) + 1))
        taken = [bit for bit, one in enumerate(got[:-1]) if not isinstance(one, decoder.Refusal)]
        assert not taken, f"frame {data.hex()}: bits {taken}"
        assert isinstance(got[-1], decoder.Frame)
        bits += len(flipped)
    print(f"{bits} single-bit changes of {FRAMES} frames: all refused")


@given(algorithm=st.integers(-(2**33), 2**33) | st.sampled_from([4, 6, 7, -999, -7, 0]))
def test_no_other_algorithm_is_taken(algorithm: int) -> None:
    """S-04: not even with a tag that is right for the header it came with."""
    data = sealed_with(cbor2.dumps({1: algorithm, 4: b"\x01"}))
    expected = "ok" if algorithm == mac.ALGORITHM else None
    for said in opened(data, "T0001", {1: SECRET}):
        assert said == expected if expected else said in ("algorithm", "range")


@given(header=st.binary(max_size=16))
def test_no_other_header_is_taken(header: bytes) -> None:
    """S-04"""
    said = opened(sealed_with(header), "T0001", {1: SECRET})
    assert ("ok" in said) == (header == cbor2.dumps({1: 5, 4: b"\x01"}))


@given(extra=st.dictionaries(st.integers(-5, 40), st.integers(0, 9) | st.binary(max_size=4), min_size=1, max_size=3))
def test_nothing_unprotected_is_taken(extra: dict[int, int | bytes]) -> None:
    """S-04: a moved or an added header."""
    good = sealed_with(cbor2.dumps({1: 5, 4: b"\x01"}))
    data = good.replace(b"\xa0", cbor2.dumps(extra), 1)
    assert "ok" not in opened(data, "T0001", {1: SECRET})


@pytest.mark.parametrize(
    "tag", [b"", b"\xd0", b"\xd2", b"\xd8\x60", b"\xd8\x61", b"\xd8\x62", b"\xd9\xd9\xf7", b"\xd8\x11"]
)
def test_no_other_tag_is_taken(tag: bytes) -> None:
    """S-04 FR-10"""
    good = sealed_with(cbor2.dumps({1: 5, 4: b"\x01"}))
    assert "ok" not in opened(tag + good[1:], "T0001", {1: SECRET})


def sealed_with(header: bytes) -> bytes:
    """A frame with any protected header, its tag computed over that header as RFC 9052 says, by the right key."""
    payload = cbor2.dumps([1, 5, 12, 99, [cbor2.loads(EVENT)]])
    structure = cbor2.dumps(["MAC0", header, cbor2.dumps(["T0001", 0, 1]), payload])
    return cbor2.dumps(cbor2.CBORTag(17, [header, {}, payload, KEY.mac([structure])]))


EVENT = record.encode_event(1, record.Event(None, 12, 99, 0, 65535, record.BOOT, None, [0]))


def test_transplant_matrix() -> None:
    """S-05: every frame under every other terminal, direction, version and key: only its own opens it."""
    secrets = {name: bytes([n]) * 32 for n, name in enumerate(("T0001", "T0002", "t0001", "T00010", "T000"))}
    shared = bytes(range(32))  # even one key for all would not do
    payload = cbor2.dumps([1, 5, 12, 99, [cbor2.loads(EVENT)]])
    tried = taken = 0
    for (claimed, own), sealer, direction, version, generation, one_key in itertools.product(
        secrets.items(), secrets, (limits.UP, limits.DOWN), (1, 2), (1, 2), (False, True)
    ):
        secret = shared if one_key else secrets[sealer]
        data = mac.seal(mac.Key(secret, generation), mac.external_aad(sealer, direction, version), payload)
        said = opened(data, claimed, {1: shared if one_key else own})
        good = sealer == claimed and (direction, version, generation) == (limits.UP, 1, 1)
        assert said == ["ok", "ok"] if good else "ok" not in said, (claimed, sealer, direction, version, generation)
        tried, taken = tried + 1, taken + good
    print(f"{tried} combinations, {taken} of them right and taken")
    assert taken == 2 * len(secrets)


@given(terminal=ours.TERMINALS, other=ours.TERMINALS, secret=st.binary(min_size=32, max_size=32))
def test_what_goes_down_is_for_one_terminal_and_goes_one_way(terminal: str, other: str, secret: bytes) -> None:
    """S-05 FR-35 FR-38 FR-46: and so are a request and a configuration."""
    key = mac.Key(secret, 1)
    up = frame.seal_frame(key, terminal, 5, 12, 99, [EVENT])
    with pytest.raises(FrameError, match="mac"):
        down.open_down(up, terminal, {1: key})
    for sealed in (
        ack.seal_ack(key, terminal, 5, [(1, 2)], [], 7, None),
        orders.seal_request(key, terminal, 5, [(1, 2)], (12, 99)),
        orders.seal_configuration(key, terminal, 5, b"{}", (12, 99)),
    ):
        assert "ok" not in opened(sealed, terminal, {1: secret})
        if other != terminal:
            with pytest.raises(FrameError, match="mac"):
                down.open_down(sealed, other, {1: key})


@given(key=ours.KEYS)
def test_a_key_is_not_shown(key: mac.Key) -> None:
    assert repr(key) == f"Key(generation={key.generation})"
    assert str(key) == repr(key)


class Watched:
    """Bytes that count how many of them were looked at."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.looked = 0

    def __iter__(self) -> Iterator[int]:
        for byte in self.data:
            self.looked += 1
            yield byte


def test_all_of_a_tag_is_compared_wherever_it_differs() -> None:
    """FR-16"""
    tag = bytes(range(32))
    for at in range(32):
        other = bytearray(tag)
        other[at] ^= 0x80
        watched = Watched(tag)
        assert not mac._equal(watched, bytes(other))  # type: ignore[arg-type]
        assert watched.looked == 32
    assert mac._equal(tag, bytes(tag))


def test_the_compiled_comparison_has_no_early_way_out() -> None:
    """FR-16: its loop does not branch on what it reads, and the module that has the keys compares nothing otherwise."""
    source = (REPO / "cext/sha256.h").read_text(encoding="utf-8")
    body = source.split("equal_constant_time", 1)[1].split("#endif", 1)[0]
    assert body.count("return") == 1
    assert not re.search(r"\b(if|break|goto)\b|&&|\|\||\?", body)
    decoder = (REPO / "cext/decoder.pyx").read_text(encoding="utf-8")
    included = [
        (REPO / "cext" / name).read_text(encoding="utf-8")
        for name in re.findall(r'^include "(.*)"', decoder, re.MULTILINE)
    ]
    assert any("equal_constant_time" in text for text in included)
    assert not any("memcmp" in text for text in (source, decoder, *included))
    keyless = [file for file in (REPO / "cext").glob("*.pyx") if file.name != "decoder.pyx"]
    assert not any(re.search("seal.pxi|sha256|hmac", file.read_text(encoding="utf-8")) for file in keyless)
