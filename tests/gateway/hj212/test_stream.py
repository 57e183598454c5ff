"""The stream splitter, splitting and joining of HJ 212."""

import json
import pathlib
from collections.abc import Iterator
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hj212.packet import Item, PacketError, Segment, build
from gateway.hj212.parse import Received, parse
from gateway.hj212.split import OPEN_MESSAGES_MAX, Joiner, split
from gateway.hj212.stream import BUFFER_MAX_BYTES, Splitter
from gateway.hj212.times import qn_of

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors" / "hj212.json").read_text("utf-8"))
WIRES = [case["packet"].encode() + b"\r\n" for case in VECTORS["packets"]]
HEADER = Segment("", "32", "2051", "123456", "010000A8900016F000169DC0", 5, ((("DataTime", "20260301080000"),),))


def verdicts(received: list[Received]) -> list[str]:
    return [packet.verdict for packet in received]


def chunks_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for before, after in pairwise(places):
        yield data[before:after]


@given(st.lists(st.sampled_from(WIRES), max_size=8), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_chunks_give_the_same_packets(wires: list[bytes], cuts: list[int]) -> None:
    splitter = Splitter()
    received = [packet for chunk in chunks_of(b"".join(wires), cuts) for packet in splitter.feed(chunk)]
    assert [packet.segment for packet in received] == [parse(wire).segment for wire in wires]
    assert splitter.pending_bytes == 0


@given(st.integers(0, len(WIRES) - 1), st.data())
def test_damaged_packet_swallows_no_neighbour(index: int, data: st.DataObject) -> None:
    """Whatever one byte of a packet becomes, its neighbours are read."""
    damaged = bytearray(WIRES[index])
    at = data.draw(st.integers(0, len(damaged) - 3))
    damaged[at] ^= data.draw(st.integers(1, 255))
    splitter = Splitter()
    received = splitter.feed(WIRES[0] + damaged + WIRES[2] + WIRES[11]) + splitter.expire()
    whole = [packet.segment for packet in received if packet.verdict == "ok"]
    for wire in (WIRES[0], WIRES[2], WIRES[11]):
        assert parse(wire).segment in whole
    if len(whole) == 3:  # else the damage passed the check value: 1 in 256
        assert any(verdict != "ok" for verdict in verdicts(received))


def test_each_of_two_damaged_packets_is_reported_once() -> None:
    bad = WIRES[2].replace(b"11.8", b"11.9")
    assert verdicts(Splitter().feed(bad + bad + WIRES[0])) == ["malformed", "malformed", "ok"]


def test_length_that_hides_the_next_packet_ends_with_the_time_out() -> None:
    splitter = Splitter()
    assert splitter.feed(b"##0987" + WIRES[1][6:] + WIRES[7]) == []
    after = splitter.expire()
    assert verdicts(after) == ["incomplete", "ok"]
    assert after[1].segment == parse(WIRES[7]).segment


def test_noise_before_and_between_packets_is_reported_and_passed() -> None:
    received = Splitter().feed(b"#noise#" + WIRES[0] + b"\r\n\r\n" + WIRES[1] + b"xx" + WIRES[2])
    assert verdicts(received) == ["malformed", "ok", "ok", "malformed", "ok"]


@pytest.mark.parametrize("missing", [b"", b"\r", b"\n"])
def test_cr_lf_is_not_what_ends_a_packet(missing: bytes) -> None:
    stream = b"".join(wire[:-2] + missing for wire in WIRES)
    assert verdicts(Splitter().feed(stream)) == ["ok"] * len(WIRES)


def test_cr_lf_inside_a_packet_does_not_end_it() -> None:
    text = b"QN=20260301081500777;ST=32;CN=3020;PW=1;MN=1;Flag=5;CP=&&i21001-Info=//a\r\n##0001&&b//&&"
    case = Splitter().feed(b"##%04d%s" % (len(text), text) + b"0000\r\n" + WIRES[0])
    assert verdicts(case)[-1] == "ok"


@given(st.lists(st.binary(max_size=600), max_size=12))
def test_any_bytes_never_raise_and_never_pile_up(chunks: list[bytes]) -> None:
    splitter = Splitter()
    for chunk in chunks:
        splitter.feed(chunk)
        assert splitter.pending_bytes <= BUFFER_MAX_BYTES
    splitter.expire()
    assert splitter.feed(b"\r\n" + WIRES[0] * 12)[-1].verdict == "ok"


def test_garbage_without_end_is_bounded() -> None:
    splitter = Splitter()
    assert sum(len(splitter.feed(b"###" * 5000)) for _ in range(3)) <= 15_000
    assert splitter.pending_bytes <= BUFFER_MAX_BYTES


items_of_any_size = st.lists(st.integers(1, 60), max_size=60).map(
    lambda sizes: tuple(((f"e{n:05d}-Avg", "1" * size), (f"e{n:05d}-Flag", "N")) for n, size in enumerate(sizes))
)


def qn_source() -> Iterator[str]:
    return (qn_of(1_772_324_100_000 + number) for number in count())


@given(items_of_any_size, st.randoms(use_true_random=False))
def test_split_and_join_is_identity(items: tuple[Item, ...], random: object) -> None:
    qns = qn_source()
    packets = [build(segment) for segment in split(HEADER, items, lambda: next(qns))]
    assert len({packet.qn for packet in packets}) == len(packets)
    received = [parse(packet.data) for packet in packets]
    assert all(packet.verdict == "ok" and not packet.notes for packet in received)
    random.shuffle(received)  # type: ignore[attr-defined]
    joiner = Joiner()
    messages = [joiner.add(packet.segment) for packet in received if packet.segment]
    assert messages[:-1] == [None] * (len(messages) - 1)
    assert messages[-1] is not None
    assert messages[-1].items == items
    assert (messages[-1].data_time, messages[-1].cn) == ("20260301080000", "2051")


def test_split_leaves_no_packet_that_the_next_item_would_have_fitted() -> None:
    """Nine points of fourteen quantities: five packets, as the arithmetic of the standard's limits says."""
    items = tuple(((f"d{n:05d}-Rtd", "220.1"), (f"d{n:05d}-Flag", "N")) for n in range(126))
    qns = qn_source()
    segments = split(HEADER, items, lambda: next(qns))
    assert [segment.pnum for segment in segments] == [5] * 5
    assert [segment.pno for segment in segments] == [1, 2, 3, 4, 5]
    assert all(segment.flag == 7 for segment in segments)


def test_ten_packets_and_more() -> None:
    items = tuple((("i%05d-Avg" % n, "1" * 400),) for n in range(25))  # noqa: UP031
    qns = qn_source()
    segments = split(HEADER, items, lambda: next(qns))
    assert len(segments) == 13
    for segment in segments:
        build(segment)


def test_item_that_fits_in_no_packet_is_refused() -> None:
    with pytest.raises(PacketError) as caught:
        split(HEADER, [(("i21001-Info", "//" + "电" * 320 + "//"),)], lambda: "20260301081500000")
    assert caught.value.code == "too-long"


def test_unfinished_messages_are_bounded() -> None:
    joiner = Joiner()
    for minute in range(OPEN_MESSAGES_MAX + 5):
        cp = ((("DataTime", f"202603010800{minute:02d}"),),)
        joiner.add(Segment("", "32", "2051", "123456", "1", 7, cp, 2, 1))
    assert joiner.dropped == 5
