"""`wattline explain --protocol frame`: words for any bytes, and an honest verdict."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import ack, frame, mac, record
from protocol.errors import REASONS
from protocol.explain import explain
from protocol.host import orders
from tests.protocol.make_vectors import BOOKS, VECTORS

KEY = mac.Key(bytes(range(32)), 7)
VERDICTS = {"ok", "incomplete", "malformed", "unknown", "refused"}
WINDOW = record.Window(
    1_767_225_600,
    900,
    3,
    86_400,
    record.CLOCK_GATEWAY,
    1,
    180,
    [
        record.Reading(
            2, 3, 450, 7500, -100, 9000, 10**10, 0, 5, None, 2301, 2299, 2300, 12_000, 11_900, -12_100, 905, 0, 0, None
        ),
        record.NONE_SILENT,
        None,
    ],
)
EVENT = record.Event(None, 3, 12, record.CLOCK_NONE, 65_535, record.METER_SILENT, 2, [record.NONE_SILENT])
FRAME = frame.seal_frame(
    KEY, "T-1", 77, 3, 86_400_500, [record.encode_window(9, WINDOW), record.encode_event(10, EVENT)]
)
REQUEST = orders.seal_request(KEY, "T-1", 77, [(1, 9), (12, 12)], (3, 86_400_500))
CONFIGURATION = orders.seal_configuration(KEY, "T-1", 4, b'{"sample_interval_s":10}', (3, 86_400_500))
CHUNK = orders.seal_chunk(KEY, "T-1", 7, 4000, b"content", (3, 86_400_500))
OFFER = orders.seal_offer(KEY, "T-1", 8, b"no manifest", (3, 86_400_500))
ACK = ack.seal_ack(KEY, "T-1", 77, [(1, 9)], [(10, 10, ack.REFUSED_CONTENT)], 1_767_225_600_123, (3, 86_400_500))


def test_a_frame_is_explained_field_by_field() -> None:
    answer = explain(FRAME)
    assert (answer["verdict"], answer["reason"]) == ("ok", "")
    fields = answer["fields"]
    assert fields["envelope"]["key_generation"] == 7
    assert (fields["epoch"], fields["boot_id"], fields["sent_at_uptime_ms"]) == (77, 3, 86_400_500)
    window, event = fields["records"]
    assert window["start"] == "2026-01-01T00:00:00+00:00"
    reading, silent = window["readings"]
    assert reading["p_min_w"] == -100
    assert reading["ic_ma"] == -12_100
    assert reading["last_sample"] == "2026-01-01T00:14:57+00:00"
    assert "r_export_varh" not in reading, "what the meter does not offer is absent"
    assert silent == {"point": 2, "none_because": "the meter was silent"}
    assert (event["event"], event["point"]) == ("meter_silent", 2)
    assert event["time"].startswith("not known")


def test_a_meters_state_is_told_in_words() -> None:
    bits = 1 << 0 | 1 << 7 | 1 << 40
    state = record.Event(None, 3, 12, record.CLOCK_NONE, 65_535, record.METER_STATE, 2, [bits, 0])
    (told,) = explain(frame.seal_frame(KEY, "T-1", 77, 3, 1, [record.encode_event(1, state)]))["fields"]["records"]
    assert (told["event"], told["bits_now"], told["bits_before"]) == ("meter_state", bits, 0)
    assert told["state"] == ["voltage_lost_a", "reverse_b", "bit_40"]


def test_an_ack_is_explained_and_says_which_way_it_goes() -> None:
    fields = explain(ACK)["fields"]
    assert fields["direction"].startswith("down")
    assert fields["durable"] == ["seq 1 to 9"]
    assert fields["gateway_time"].startswith("2026-01-01T00:00:00.123")


def test_a_request_and_a_configuration_are_explained() -> None:
    fields = explain(REQUEST)["fields"]
    assert fields["direction"] == "down: request of the gateway"
    assert fields["wanted"] == ["seq 1 to 9", "seq 12 to 12"]
    assert fields["answers"] == "the frame of start 00000003 sent at uptime 86400500 ms"
    fields = explain(CONFIGURATION)["fields"]
    assert (fields["version"], fields["document"]) == (4, '{"sample_interval_s":10}')


def test_what_brings_a_release_is_explained() -> None:
    fields = explain(CHUNK)["fields"]
    assert (fields["number"], fields["piece"]) == (7, "bytes 4000 to 4007")
    fields = explain(OFFER)["fields"]
    assert (fields["newest"], fields["manifest"].split(":")[0]) == (8, "unsigned")


@pytest.mark.parametrize("name", sorted(BOOKS))
def test_a_vector_is_explained_the_way_it_goes(name: str) -> None:
    """Whatever its epoch: what is valid is explained as what it is, and an unknown kind is called unknown."""
    if name == "records.json":
        return
    for vector in json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]:
        answer = explain(bytes.fromhex(vector["hex"]))
        if vector["result"] == "valid":
            way = "up" if name.startswith("frames") else "down"
            assert answer["fields"]["direction"].startswith(way), vector["id"]
        elif vector["reason"] == "kind":
            assert (answer["verdict"], answer["reason"].split()[0]) == ("unknown", "kind"), vector["id"]


def test_every_cut_of_a_frame_or_ack_is_incomplete() -> None:
    """FR-51: a frame cut short anywhere is incomplete, never ok and never malformed."""
    for whole in (FRAME, ACK, REQUEST, CONFIGURATION, OFFER, CHUNK):
        for size in range(len(whole)):
            assert explain(whole[:size])["verdict"] == "incomplete", f"cut at {size}: {whole[:size].hex()}"


def test_the_tag_and_the_key_are_told_apart_from_the_content() -> None:
    assert "not checked" in explain(FRAME)["fields"]["envelope"]["authentication"]
    flipped = FRAME[:-1] + bytes([FRAME[-1] ^ 1])
    assert explain(flipped)["verdict"] == "ok", "without a key an altered tag can't be seen, and nothing claims it was"


@given(st.binary(max_size=200))
def test_any_bytes_get_a_verdict_of_the_closed_list(data: bytes) -> None:
    answer = explain(data)
    json.dumps(answer)
    assert answer["verdict"] in VERDICTS
    if answer["verdict"] != "ok":
        assert answer["reason"].split(" ")[0] in REASONS


@given(st.integers(0, len(FRAME) - 1), st.integers(0, 255))
def test_a_damaged_frame_gets_a_verdict_of_the_closed_list(at: int, value: int) -> None:
    json.dumps(explain(FRAME[:at] + bytes([value]) + FRAME[at + 1 :]))
