"""The compiled decoder says of any bytes what the Python codec says: the same content, or reason and offset."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cext import decoder
from hil.benchmarks import realistic
from protocol import frame, record
from tests.cext.both import KEY, TERMINAL, expect_same, payload_of, reseal
from tests.cext.mutation import MORSELS, flip, mutated
from tests.protocol import strategies as ours

FRAMES = st.builds(
    lambda fields: frame.seal_frame(KEY, TERMINAL, *fields),
    ours.payload_fields(),
)


@given(frames=st.lists(FRAMES, max_size=4))
def test_good_frames(frames: list[bytes]) -> None:
    """FR-50"""
    assert all(isinstance(one, decoder.Frame) for one in expect_same(frames))


@given(data=FRAMES)
def test_every_cut(data: bytes) -> None:
    """FR-51"""
    got = expect_same([data[:size] for size in range(len(data))])
    assert got == [("truncated", size) for size in range(len(data))]


@settings(max_examples=10)
@given(data=FRAMES)
def test_every_cut_of_the_payload_sealed_as_it_is(data: bytes) -> None:
    """FR-51"""
    payload = payload_of(data)
    assert not any(
        isinstance(one, decoder.Frame) for one in expect_same([reseal(payload[:n]) for n in range(len(payload))])
    )


@settings(max_examples=5)
@given(records=st.lists(ours.record_bytes(), min_size=1, max_size=1))
def test_every_single_bit(records: list[bytes]) -> None:
    """S-03"""
    data = frame.seal_frame(KEY, TERMINAL, 1, 2, 3, records)
    flipped = [flip(data, bit) for bit in range(8 * len(data))]
    assert not any(isinstance(one, decoder.Frame) for one in expect_same(flipped))


@settings(max_examples=5)
@given(records=st.lists(ours.record_bytes(), min_size=1, max_size=1))
def test_every_single_bit_of_the_payload_sealed_as_it_is(records: list[bytes]) -> None:
    """FR-50"""
    payload = payload_of(frame.seal_frame(KEY, TERMINAL, 1, 2, 3, records))
    expect_same([reseal(flip(payload, bit)) for bit in range(8 * len(payload))])


@given(data=FRAMES, seed=st.integers(0, 2**32))
def test_mutations_sealed_as_they_are(data: bytes, seed: int) -> None:
    """FR-50: 40 mutations of each payload reach the parser behind the tag."""
    rnd = random.Random(seed)
    payload = payload_of(data)
    expect_same([reseal(mutated(rnd, payload)) for _ in range(40)])


def test_mutations_of_realistic_frames() -> None:
    """FR-50: 5,000 of them; most mistakes fall into readings, where most of the parser is."""
    rnd = random.Random(7)
    event = record.encode_event(3, record.Event(None, 12, 99, 0, 65535, record.LOG_FULL, None, [4, 5]))
    records = [record.encode_window(2, realistic.window(rnd, 3)), event]
    payload = payload_of(frame.seal_frame(KEY, TERMINAL, 1, 12, 99_000, records))
    reasons = {one[0] for one in expect_same([reseal(mutated(rnd, payload)) for _ in range(5000)])}
    wanted = {"type", "range", "count", "not_shortest", "indefinite", "reserved", "float", "ends_early", "trailing"}
    assert wanted <= reasons


@given(payload=st.lists(st.sampled_from(MORSELS), max_size=60).map(b"".join))
def test_payloads_made_of_morsels(payload: bytes) -> None:
    """FR-50"""
    expect_same(
        [reseal(b"\x85\x01" + payload), reseal(b"\x85\x01\x01\x02\x03\x81\x83\x05\x01\x89" + payload), reseal(payload)]
    )


@given(
    st.lists(
        st.binary(max_size=120) | st.binary(max_size=60).map(lambda tail: b"\xd1\x84\x46\xa2\x01\x05" + tail),
        max_size=20,
    )
)
def test_random_bytes(frames: list[bytes]) -> None:
    """FR-50"""
    assert not any(isinstance(one, decoder.Frame) for one in expect_same(frames))


@given(header=st.binary(max_size=12), unprotected=st.sampled_from(MORSELS), payload=st.binary(max_size=6))
def test_random_headers(header: bytes, unprotected: bytes, payload: bytes) -> None:
    """FR-11"""
    data = b"\xd1\x84" + bytes([0x40 + len(header)]) + header + unprotected + bytes([0x40 + len(payload)]) + payload
    expect_same([data, data + b"\x58\x20" + bytes(32)])
