"""The 2025 edition: its worked packets, SM4, RF, packets that are binary on the wire."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hj212 import sm4
from gateway.hj212.answers import data_answer
from gateway.hj212.packet import Item, PacketError, Segment, build, with_rf
from gateway.hj212.parse import parse
from gateway.hj212.split import PACKETS_MAX, Joiner, split
from gateway.hj212.stream import Splitter
from gateway.hj212.times import qn_of

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors" / "hj212.json").read_text("utf-8"))
MN = "010000A8900016F000169DC0"
KEY = b"0123456789abcdef"


def segment_of(fields: dict[str, object]) -> Segment:
    items = fields["cp"]
    assert isinstance(items, list)
    cp = tuple(tuple((name, value) for name, value in item) for item in items)
    return Segment(**{**fields, "cp": cp})  # type: ignore[arg-type]


def keys(mn: str) -> Sequence[bytes]:
    return [b"f" * 16, KEY] if mn == MN else []


@pytest.mark.parametrize("case", VECTORS["edition_2025"], ids=lambda case: case["id"])
def test_worked_packet_is_built_and_read(case: dict[str, object]) -> None:
    """P-142."""
    wire = str(case["packet"]).encode() + b"\r\n"
    expected = segment_of(case["segment"])  # type: ignore[arg-type]
    assert build(expected).data == wire
    received = parse(wire)
    assert (received.verdict, received.segment, received.notes) == ("ok", expected, ())


@pytest.mark.parametrize("case", VECTORS["encrypted"], ids=lambda case: case["id"])
def test_worked_ciphertext(case: dict[str, str]) -> None:
    """P-142: raw and printed; the tail stays plain, length and check value are those of the plain text."""
    plain = case["packet"].encode()
    key = case["key"].encode()
    assert sm4.seal(key, plain, "raw") == bytes.fromhex(case["hex"])
    assert sm4.seal(key, plain, "printed") == case["printed"].encode()
    for wire in (bytes.fromhex(case["hex"]), case["printed"].encode()):
        (received,) = Splitter(lambda _: [b"\0" * 16, key]).feed(wire + b"\r\n")
        assert (received.segment, received.encrypted) == (parse(plain + b"\r\n").segment, True)


def test_sm4_is_that_of_the_standard() -> None:
    (case,) = VECTORS["sm4"]
    key, plain, cipher = (bytes.fromhex(case[name]) for name in ("key", "plain", "cipher"))
    assert sm4.encrypt(key, plain) == cipher
    assert sm4.decrypt(key, cipher) == plain


@given(st.binary(max_size=100))
def test_what_is_encrypted_is_decrypted_and_keeps_its_length(content: bytes) -> None:
    sealed = sm4.encrypt(KEY, content)
    assert (len(sealed), sm4.decrypt(KEY, sealed)) == (len(content), content)


def upload(number: int, size: int = 60) -> Segment:
    items: list[Item] = [((f"d201{point:02d}-Rtd", f"{number}.{point}"),) for point in range(size // 16)]
    return Segment(qn_of(1_772_324_100_000 + number), "44", "2011", "831027", MN, 9, tuple(items))


@given(st.lists(st.integers(0, 400), max_size=6), st.lists(st.integers(0, 5000), max_size=8), st.booleans())
def test_encrypted_packets_are_cut_by_length_whatever_their_bytes(
    sizes: list[int], cuts: list[int], printed: bool
) -> None:
    """P-143: ciphertext may hold CR LF, && and ##."""
    packets = [upload(number, size) for number, size in enumerate(sizes)]
    form: sm4.Form = "printed" if printed else "raw"
    wire = b"".join(sm4.seal(KEY, build(one).data, form) for one in packets)
    splitter = Splitter(keys)
    places = sorted(cut % (len(wire) + 1) for cut in cuts)
    found = [
        one
        for begin, end in zip([0, *places], [*places, len(wire)], strict=True)
        for one in splitter.feed(wire[begin:end])
    ]
    assert [one.segment for one in found] == packets


@given(st.binary(max_size=400), st.integers(0, 60))
def test_any_bytes_among_encrypted_packets_never_raise_and_swallow_nothing_after_the_time_out(
    noise: bytes, at: int
) -> None:
    wire = sm4.seal(KEY, build(upload(1, 90)).data, "raw")
    splitter = Splitter(keys)
    found = splitter.feed(wire[: at % len(wire)] + noise + wire) + splitter.expire()
    assert upload(1, 90) in [one.segment for one in found]


def test_another_stations_key_opens_nothing() -> None:
    wire = sm4.seal(KEY, build(upload(3, 90)).data, "raw").replace(MN.encode(), b"1" + MN[1:].encode())
    assert [one.verdict for one in Splitter(keys).feed(wire)] == ["malformed"]


def test_sent_again_is_said_by_rf_before_cp_and_by_nothing_else() -> None:
    packet = build(upload(1))
    again = with_rf(packet)
    assert b";Flag=9;RF=1;CP=&&" in again.data
    assert parse(again.data).segment == dataclasses.replace(upload(1), rf=1)
    assert with_rf(again) == again
    assert (again.qn, again.mn) == (packet.qn, packet.mn)
    old = build(dataclasses.replace(upload(1), flag=5))
    assert with_rf(old) == old
    with pytest.raises(PacketError, match="bad-RF"):
        build(dataclasses.replace(upload(1), flag=5, rf=1))


@given(st.integers(1, 460), st.booleans())
def test_a_message_has_at_most_nine_packets_and_room_for_rf(items: int, resent: bool) -> None:
    """P-143: more than nine become several messages that no platform can take for parts of one another."""
    found: list[Item] = [((f"d2{n:04d}-Rtd", "220.1"), (f"d2{n:04d}-Flag", "N")) for n in range(items)]
    when: Item = (("DataTime", "20260301081500"),)
    numbers = count(1_772_324_100_000)
    header = Segment("", "44", "2011", "831027", MN, 9, (when,), rf=1 if resent else None)
    segments = split(header, found, lambda: qn_of(next(numbers)))
    packets = [build(one) for one in segments]
    assert all(len(with_rf(one).data) <= 1024 + 12 for one in packets)
    assert all((one.pnum or 1) <= PACKETS_MAX for one in segments)
    assert len({one.qn for one in segments}) == len(segments)
    joiner = Joiner()
    messages = [message for one in packets if (message := joiner.add(parse(one.data).segment))]  # type: ignore[arg-type]
    assert [item for message in messages for item in message.items] == found


def test_the_answer_keeps_the_edition() -> None:
    assert b";Flag=8;CP=&&&&" in data_answer(upload(1)).data
