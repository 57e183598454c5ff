"""The codec of HJ 212 against its vectors (tests/vectors/hj212.json) and by properties."""

import json
import pathlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hj212 import answers, times
from gateway.hj212.crc import crc, crc_text
from gateway.hj212.packet import MN_PATTERN, Item, Packet, PacketError, Segment, build, flag_of
from gateway.hj212.parse import parse

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors" / "hj212.json").read_text("utf-8"))
MN = "010000A8900016F000169DC0"

names = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8).filter(lambda name: name[0].isalpha())
plain = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in ";,=&/#")
values = st.text(plain, min_size=1, max_size=18)
log_texts = st.text("电源断开abc;,= ", max_size=30).map(lambda text: f"//{text}//")


@st.composite
def cp_items(draw: st.DrawFn) -> Item:
    code = draw(names)
    suffixes = draw(st.lists(st.sampled_from(["Rtd", "Min", "Avg", "Max", "Cou", "Flag", "Info"]), unique=True))
    attributes = [f"{code}-{suffix}" for suffix in suffixes] or [code]
    return tuple((name, draw(st.one_of(values, log_texts))) for name in attributes)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    split = draw(st.booleans())
    pnum = draw(st.integers(1, 9999)) if split else None
    items = draw(st.lists(cp_items(), max_size=2, unique_by=lambda item: item[0][0].partition("-")[0]))
    return Segment(
        qn=times.qn_of(draw(st.integers(0, 4_000_000_000_000))),
        st=draw(st.from_regex(r"[0-9]{2}", fullmatch=True)),
        cn=draw(st.from_regex(r"[0-9]{4}", fullmatch=True)),
        pw="123456",
        mn=draw(st.from_regex(MN_PATTERN, fullmatch=True)),
        flag=flag_of(1, split=split, wants_answer=draw(st.booleans())),
        cp=tuple(items),
        pnum=pnum,
        pno=draw(st.integers(1, pnum)) if pnum else None,
    )


def segment_of(vector: dict[str, object]) -> Segment:
    fields = dict(vector)
    items = fields.pop("cp")
    assert isinstance(items, list)
    cp = tuple(tuple((name, value) for name, value in item) for item in items)
    return Segment(**fields, cp=cp)  # type: ignore[arg-type]


def slow_crc(data: bytes) -> int:
    """Appendix A bit by bit, as the standard writes it."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


@pytest.mark.parametrize("case", VECTORS["crc"], ids=lambda case: case["text"])
def test_crc_has_the_check_values(case: dict[str, str]) -> None:
    assert crc_text(case["text"].encode()) == case["value"]


@given(st.binary(max_size=200))
def test_crc_is_the_algorithm_of_the_standard(data: bytes) -> None:
    assert crc(data) == slow_crc(data)


def test_crc_proves_nothing() -> None:
    """Two packets that differ in two digits share a check value: never a key for deduplication."""
    one = "i33200-Min=11.8,i33200-Avg=12.3"
    other = "i33200-Min=31.8,i33200-Avg=32.3"
    packet = VECTORS["packets"][2]["packet"][6:-4]
    assert crc_text(packet.encode()) == crc_text(packet.replace(one, other).encode())


@pytest.mark.parametrize("case", VECTORS["packets"], ids=lambda case: case["id"])
def test_worked_packet_is_built_and_read(case: dict[str, object]) -> None:
    wire = str(case["packet"]).encode() + b"\r\n"
    expected = segment_of(case["segment"])  # type: ignore[arg-type]
    assert build(expected) == Packet(expected.qn, MN, wire)
    received = parse(wire)
    assert (received.verdict, received.segment, received.notes) == ("ok", expected, ())


@given(segments())
def test_what_is_built_is_read_back(segment: Segment) -> None:
    packet = build(segment)
    received = parse(packet.data)
    assert (received.verdict, received.reason, received.segment, received.notes) == ("ok", "", segment, ())
    assert len(packet.data) <= 1036


@pytest.mark.parametrize("case", VECTORS["dialects"], ids=lambda case: case["id"])
def test_dialect_of_the_field_is_read_and_noted(case: dict[str, object]) -> None:
    """R-19: what real devices break and can still be understood is accepted."""
    received = parse(str(case["packet"]).encode() + b"\r\n")
    assert received.verdict == "ok", received.reason
    noted = {note.partition(":")[0] for note in received.notes}
    assert noted == set(case["notes"])  # type: ignore[call-overload]
    assert received.segment is not None
    for name, value in case["segment"].items():  # type: ignore[attr-defined]
        assert getattr(received.segment, name) == value


def test_name_without_its_first_letter_is_read_as_its_item() -> None:
    case = next(case for case in VECTORS["dialects"] if case["id"] == "name-without-first-letter")
    received = parse(case["packet"].encode() + b"\r\n")
    assert received.segment is not None
    assert received.segment.value("i33200-Avg") == "12.3"


@pytest.mark.parametrize("case", VECTORS["damaged"], ids=lambda case: case["id"])
def test_damaged_packet_is_refused(case: dict[str, str]) -> None:
    """R-19."""
    received = parse(case["packet"].encode() + b"\r\n" * (case["id"] != "cut-short"))
    assert (received.verdict, received.reason.partition(":")[0]) == (case["verdict"], case["code"])
    assert received.segment is None


def test_text_in_gb18030_is_read_and_noted() -> None:
    text = "QN=20260301081500777;ST=32;CN=3020;PW=123456;MN=1;Flag=5;CP=&&i21001-Info=//电源断开//&&".encode("gb18030")
    received = parse(b"##%04d%s%s\r\n" % (len(text), text, crc_text(text).encode()))
    assert received.segment is not None
    assert received.segment.value("i21001-Info") == "//电源断开//"
    assert any(note.startswith("not-utf8") for note in received.notes)


@given(st.sampled_from(VECTORS["packets"]), st.data())
def test_damage_never_raises(case: dict[str, str], data: st.DataObject) -> None:
    wire = bytearray(case["packet"].encode() + b"\r\n")
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    assert parse(bytes(wire)).verdict in {"ok", "incomplete", "malformed", "refused"}


@given(st.binary(max_size=300))
def test_any_bytes_never_raise(data: bytes) -> None:
    assert parse(data).verdict in {"incomplete", "malformed", "refused"}


GOOD = segment_of(VECTORS["packets"][2]["segment"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qn": "20260301081500"}, "bad-QN"),
        ({"qn": "20261301081500001"}, "bad-QN"),
        ({"st": "3"}, "bad-ST"),
        ({"cn": "20511"}, "bad-CN"),
        ({"pw": "12345"}, "bad-PW"),
        ({"pw": "1234;6"}, "bad-PW"),
        ({"mn": "JLYP01_AIR01_0001"}, "bad-MN"),
        ({"mn": MN.lower()}, "bad-MN"),
        ({"flag": None}, "bad-Flag"),
        ({"flag": 12}, "bad-Flag"),
        ({"flag": 5, "rf": 1}, "bad-RF"),
        ({"flag": 7}, "bad-Flag"),
        ({"pnum": 2, "pno": 1}, "bad-Flag"),
        ({"flag": 7, "pnum": 2, "pno": 3}, "bad-PNO"),
        ({"cp": ((("a b", "1"),),)}, "bad-name"),
        ({"cp": ((("a-Rtd", "1;b=2"),),)}, "bad-value"),
        ({"cp": ((("a-Rtd", ""),),)}, "bad-value"),
        ({"cp": ((("a-Rtd", "1&"),),)}, "bad-value"),
        ({"cp": ((("a-Info", "//x\r\n//"),),)}, "bad-value"),
        ({"cp": ((("a-Rtd", "1"), ("b-Rtd", "2")),)}, "bad-item"),
        ({"cp": ((),)}, "empty-item"),
        ({"cp": tuple(((f"a{n}-Rtd", "1" * 10),) for n in range(60))}, "too-long"),
    ],
)
def test_what_breaks_the_standard_is_not_built(change: dict[str, object], code: str) -> None:
    fields = {name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__}
    with pytest.raises(PacketError) as caught:
        build(Segment(**{**fields, **change}))
    assert caught.value.code == code


def test_password_is_not_in_the_error() -> None:
    fields = {name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__}
    with pytest.raises(PacketError) as caught:
        build(Segment(**{**fields, "pw": "secret7"}))
    assert "secret7" not in str(caught.value)


def wire_of(vector_id: str) -> bytes:
    return next(case["packet"] for case in VECTORS["packets"] if case["id"] == vector_id).encode() + b"\r\n"  # type: ignore[no-any-return]


def test_answers_are_the_worked_ones() -> None:
    data, time_set, notice = (parse(wire_of(name)).segment for name in ("E1", "E6", "E10a"))
    assert data is not None
    assert time_set is not None
    assert notice is not None
    assert answers.data_answer(data).data == wire_of("E2")
    assert answers.request_answer(time_set, answers.QN_READY).data == wire_of("E7a")
    assert answers.result(time_set, 1).data == wire_of("E7b")
    assert answers.notice_answer(notice).data == wire_of("E10b")


def test_answer_to_a_split_packet_has_no_split() -> None:
    part = parse(wire_of("E8a")).segment
    assert part is not None
    assert answers.data_answer(part).data == wire_of("E8c")


def test_qn_is_strictly_increasing_whatever_the_clock_does() -> None:
    now_ms = 1_772_324_100_123
    first = times.next_qn(None, now_ms)
    assert first == "20260301081500123"
    assert times.next_qn(first, now_ms) == "20260301081500124"
    assert times.next_qn(first, now_ms - 3_600_000) == "20260301081500124"
    assert times.next_qn("20260301081459999", now_ms - 999_999) == "20260301081500000"
    with pytest.raises(ValueError, match="not a QN"):
        times.next_qn("20261301000000000", now_ms)


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 4_000_000_000_000))
def test_next_qn_is_after_the_last(one_ms: int, other_ms: int) -> None:
    last = times.qn_of(one_ms)
    assert times.next_qn(last, other_ms) > last
    assert times.unix_ms_of(last) == one_ms


@given(st.integers(0, 4_000_000_000))
def test_data_time_and_back(unix_s: int) -> None:
    assert times.unix_s_of(times.data_time(unix_s)) == unix_s
