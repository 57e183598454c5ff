"""What is encoded comes back, through our codec and through cbor2, which knows nothing of it."""

import hmac
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import ack, down, frame, limits, mac, record
from protocol.host import orders
from tests.protocol import strategies as ours


@given(seq=ours.UINT32, window=ours.windows())
def test_a_window_comes_back_as_it_was(seq: int, window: record.Window) -> None:
    """FR-20 FR-23 FR-24 FR-25"""
    data = record.encode_window(seq, window)
    assert record.decode_record(data) == record.Record(seq, record.WINDOW, window, data)


@given(seq=ours.UINT32, event=ours.events())
def test_an_event_comes_back_as_it_was(seq: int, event: record.Event) -> None:
    """FR-20 FR-31"""
    data = record.encode_event(seq, event)
    assert record.decode_record(data) == record.Record(seq, record.EVENT, event, data)


@given(data=ours.record_bytes())
def test_a_record_is_deterministic_cbor_to_cbor2(data: bytes) -> None:
    """FR-01 FR-02"""
    content = cbor2.loads(data)
    assert cbor2.dumps(content, canonical=True) == data
    assert not floats_in(content)


def floats_in(content: Any) -> bool:
    return any(map(floats_in, content)) if isinstance(content, list) else isinstance(content, float)


@given(seq=ours.UINT32, window=ours.windows())
def test_cbor2_reads_the_same_numbers_from_a_window(seq: int, window: record.Window) -> None:
    """FR-23 FR-28"""
    got_seq, kind, body = cbor2.loads(record.encode_window(seq, window))
    assert (got_seq, kind) == (seq, record.WINDOW)
    assert tuple(body[:7]) == tuple(window[:7])
    u_ref, slots = body[7:]
    assert len(slots) == len(window.readings)
    for slot, reading in zip(slots, window.readings, strict=True):
        assert slot == reading if not isinstance(slot, list) else slot_of(slot, u_ref, window.length_s) == reading


def slot_of(slot: list[Any], u_ref: int | None, length_s: int) -> tuple[Any, ...]:
    """The reading that SPEC.md's table makes of these items: written from the table, not from the codec."""
    run = {True: length_s, False: 0}[slot[2]] if isinstance(slot[2], bool) else slot[2]
    mean, ia = slot[3], slot[13]
    lower = None if slot[4] is None else mean - slot[4]
    upper = None if slot[5] is None else mean + slot[5]
    voltages = [None if u is None or u_ref is None else u_ref + u for u in slot[10:13]]
    currents = [ia, *[None if i is None else ia + i for i in slot[14:16]]]
    pf = None if slot[16] is None else 1000 - slot[16]
    flags, missed, q_mean = (slot[17:] + [0, 0, None][len(slot) - 17 :])[:3]
    return (*slot[:2], run, mean, lower, upper, *slot[6:10], *voltages, *currents, pf, flags, missed, q_mean)


@given(key=ours.KEYS, terminal=ours.TERMINALS, fields=ours.payload_fields())
def test_a_frame_comes_back_and_is_a_cose_mac0_to_others(
    key: mac.Key, terminal: str, fields: tuple[int, int, int, list[bytes]]
) -> None:
    """FR-10 FR-11 FR-13 FR-22"""
    epoch, boot_id, sent_ms, records = fields
    data = frame.seal_frame(key, terminal, epoch, boot_id, sent_ms, records)
    wanted = frame.Frame(key.generation, epoch, boot_id, sent_ms, [record.decode_record(one) for one in records])
    assert frame.open_frame(data, terminal, {key.generation: key}) == wanted
    outer = cbor2.loads(data)
    assert outer.tag == 17
    header, unprotected, payload, _ = outer.value
    assert cbor2.loads(header) == {1: 5, 4: bytes([key.generation])}
    assert unprotected == {}
    assert cbor2.loads(payload) == [1, epoch, boot_id, sent_ms, [cbor2.loads(one) for one in records]]


@given(secret=st.binary(min_size=32, max_size=32), terminal=ours.TERMINALS, direction=st.integers(0, 1))
def test_the_tag_is_that_of_rfc_9052(secret: bytes, terminal: str, direction: int) -> None:
    """FR-13"""
    data = mac.seal(mac.Key(secret, 9), mac.external_aad(terminal, direction, limits.VERSION), b"\x81\x01")
    header, _, payload, tag = cbor2.loads(data).value
    structure = cbor2.dumps(["MAC0", header, cbor2.dumps([terminal, direction, 1]), payload])
    assert tag == hmac.new(secret, structure, "sha256").digest()


@given(
    key=ours.KEYS, terminal=ours.TERMINALS, epoch=ours.UINT32, durable=ours.ranges(), refused=ours.ranges(reasons=True),
    time_ms=ours.UINT53, echo=st.none() | st.tuples(ours.UINT32, ours.UINT53),
)  # fmt: skip
def test_an_ack_comes_back_as_it_was(
    key: mac.Key,
    terminal: str,
    epoch: int,
    durable: list[tuple[int, int]],
    refused: list[tuple[int, int, int]],
    time_ms: int,
    echo: tuple[int, int] | None,
) -> None:
    """FR-33 FR-34 FR-36"""
    data = ack.seal_ack(key, terminal, epoch, durable, refused, time_ms, echo)
    wanted = ack.Ack(key.generation, epoch, durable, refused, time_ms, echo)
    assert down.open_down(data, terminal, {key.generation: key}) == wanted
    payload = cbor2.loads(cbor2.loads(data).value[2])
    assert payload[:3] == [1, 1, epoch]
    assert [tuple(one) for one in payload[3]] == durable
    assert [tuple(one) for one in payload[4]] == refused


@given(
    key=ours.KEYS, terminal=ours.TERMINALS, epoch=ours.UINT32, ranges=ours.ranges().filter(bool),
    echo=st.tuples(ours.UINT32, ours.UINT53),
)  # fmt: skip
def test_a_request_comes_back_as_it_was(
    key: mac.Key, terminal: str, epoch: int, ranges: list[tuple[int, int]], echo: tuple[int, int]
) -> None:
    """FR-37 FR-38 FR-39"""
    data = orders.seal_request(key, terminal, epoch, ranges, echo)
    assert down.open_down(data, terminal, {key.generation: key}) == down.Request(key.generation, epoch, ranges, echo)
    payload = cbor2.loads(cbor2.loads(data).value[2])
    assert payload == [1, 2, epoch, [list(one) for one in ranges], list(echo)]


@given(
    key=ours.KEYS, terminal=ours.TERMINALS, version=st.integers(1, limits.UINT32_MAX),
    document=st.binary(min_size=2, max_size=300), echo=st.tuples(ours.UINT32, ours.UINT53),
)  # fmt: skip
def test_a_configuration_comes_back_as_it_was(
    key: mac.Key, terminal: str, version: int, document: bytes, echo: tuple[int, int]
) -> None:
    """FR-37 FR-39 FR-46"""
    data = orders.seal_configuration(key, terminal, version, document, echo)
    wanted = down.Configuration(key.generation, version, document, echo)
    assert down.open_down(data, terminal, {key.generation: key}) == wanted
    assert cbor2.loads(cbor2.loads(data).value[2]) == [1, 3, version, document, list(echo)]


@given(
    key=ours.KEYS, terminal=ours.TERMINALS, number=ours.UINT32, offset=ours.UINT32,
    content=st.binary(min_size=1, max_size=300), echo=st.tuples(ours.UINT32, ours.UINT53),
)  # fmt: skip
def test_what_brings_a_release_comes_back_as_it_was(
    key: mac.Key, terminal: str, number: int, offset: int, content: bytes, echo: tuple[int, int]
) -> None:
    """FR-82 FR-83 FR-84"""
    for data, wanted, items in (
        (
            orders.seal_offer(key, terminal, number, content, echo),
            down.Offer(key.generation, number, content, echo),
            [4, number, content],
        ),
        (
            orders.seal_chunk(key, terminal, number, offset, content, echo),
            down.Chunk(key.generation, number, offset, content, echo),
            [5, number, offset, content],
        ),
        (orders.seal_abort(key, terminal, number, echo), down.Abort(key.generation, number, echo), [6, number]),
    ):
        assert down.open_down(data, terminal, {key.generation: key}) == wanted
        assert cbor2.loads(cbor2.loads(data).value[2]) == [1, *items, list(echo)]


def test_what_passes_a_bound_is_not_sealed() -> None:
    """FR-38 FR-46 FR-49 FR-82 FR-83"""
    key = mac.Key(bytes(32), 1)
    for ranges in ([], [(n, n) for n in range(limits.ACK_RANGES_MAX + 1)]):
        with pytest.raises(ValueError, match="1 to 64 ranges"):
            orders.seal_request(key, "T", 1, ranges, (1, 1))
    with pytest.raises(ValueError, match="version"):
        orders.seal_configuration(key, "T", 0, b"{}", (1, 1))
    for content in (b"", bytes(limits.CHUNK_BYTES_MAX + 1)):
        with pytest.raises(ValueError, match="at most 4000"):
            orders.seal_chunk(key, "T", 1, 0, content, (1, 1))
    for signed in (b"", bytes(limits.SIGNED_BYTES_MAX + 1)):
        with pytest.raises(ValueError, match="at most 1024"):
            orders.seal_offer(key, "T", 1, signed, (1, 1))
    longest = b" " * limits.DOCUMENT_BYTES_MAX
    echo = (limits.UINT32_MAX, limits.UPTIME_MS_MAX)
    whole = orders.seal_configuration(key, "T" * limits.TERMINAL_CHARS_MAX, limits.UINT32_MAX, longest, echo)
    assert len(whole) == limits.DOCUMENT_BYTES_MAX + 73 <= limits.FRAME_BYTES_MAX
    for document in (b"", b" ", longest + b" "):
        with pytest.raises(ValueError, match="bytes"):
            orders.seal_configuration(key, "T", 1, document, (1, 1))
