"""`wattline explain --protocol hj212`: any captured bytes in words, and never an exception."""

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hj212.explain import explain
from gateway.hj212.packet import frame

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors" / "hj212.json").read_text("utf-8"))
VERDICTS = {"ok", "incomplete", "malformed", "unknown", "refused"}
ALL = [*VECTORS["packets"], *VECTORS["edition_2025"], *VECTORS["dialects"]]


def told(data: bytes) -> Any:
    answer = explain(data)
    assert set(answer) == {"verdict", "reason", "fields"}
    assert answer["verdict"] in VERDICTS
    assert (answer["reason"] == "") == (answer["verdict"] == "ok")
    json.dumps(answer)
    return answer


def wire_of(vector_id: str) -> bytes:
    packet = next(case["packet"] for case in ALL if case["id"] == vector_id)
    assert isinstance(packet, str)
    return packet.encode() + b"\r\n"


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["id"])
def test_every_edition_and_dialect_is_explained(case: dict[str, Any]) -> None:
    answer = told(case["packet"].encode() + b"\r\n")
    assert answer["verdict"] == "ok", answer["reason"]
    assert answer["fields"]["crc"]["agrees"]
    assert len(answer["fields"]["notes"]) >= len(case.get("notes", []))


@pytest.mark.parametrize("case", VECTORS["damaged"], ids=lambda case: case["id"])
def test_damaged_packet_says_what_where_and_what_next(case: dict[str, str]) -> None:
    answer = told(case["packet"].encode())
    assert answer["verdict"] == case["verdict"]
    assert answer["reason"].startswith(case["code"] + ": ")
    assert "; " in answer["reason"]


def test_fields_in_words() -> None:
    fields = told(wire_of("E3"))["fields"]
    assert fields["edition"] == "2017"
    assert fields["QN"]["time"] == "2026-03-01 08:15:00.001 +08:00"
    assert "分钟数据" in fields["CN"]["meaning"]
    assert "地表水体" in fields["ST"]["meaning"]
    assert fields["Flag"] == {"value": "5", "answer_wanted": True, "split": False, "version": 1}
    assert fields["crc"] == {"claimed": "E8C1", "computed": "E8C1", "agrees": True}
    assert fields["CP"][0]["attributes"][0]["meaning"] == "2026-03-01 08:00:00 +08:00"
    sewage = fields["CP"][1]
    assert sewage["code"] == "i33200"
    assert [attribute["value"] for attribute in sewage["attributes"]] == ["11.8", "12.3", "12.9", "N"]
    assert "normal" in sewage["attributes"][3]["meaning"]
    assert fields["notes"] == []


def test_edition_2025_and_back_fill() -> None:
    fields = told(wire_of("2025-backfill"))["fields"]
    assert fields["edition"] == "2025"
    assert "补传" in fields["RF"]["meaning"]
    assert "用电监测" in fields["ST"]["meaning"]


def test_edition_2005_has_no_flag() -> None:
    assert told(wire_of("edition-2005"))["fields"]["edition"] == "2005"


def test_password_is_not_shown() -> None:
    for vector_id in ("E3", "pw-too-long"):
        assert "123456" not in json.dumps(told(wire_of(vector_id)))


def test_encrypted_packet_is_called_so() -> None:
    answer = told(bytes.fromhex(VECTORS["encrypted"][0]["hex"]) + b"\r\n")
    assert answer["verdict"] == "unknown"
    assert answer["reason"].startswith("encrypted: ")
    assert answer["fields"]["edition"] == "2025"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [(b"CN=9014", b"CN=9999", "unknown-cn"), (b"Flag=4", b"Flag=12", "unknown-edition")],
)
def test_unknown_command_or_edition(old: bytes, new: bytes, code: str) -> None:
    segment = wire_of("E2")[6:-6].replace(old, new)
    answer = told(frame(segment))
    assert answer["verdict"] == "unknown"
    assert answer["reason"].startswith(code + ": ")


def test_several_packets_in_one_line() -> None:
    answer = told(wire_of("E1") + wire_of("E2") + wire_of("E3")[:50])
    assert answer["verdict"] == "incomplete"
    assert [packet["verdict"] for packet in answer["fields"]["packets"]] == ["ok", "ok", "incomplete"]


def test_bytes_before_the_packet_are_noted() -> None:
    assert told(b"2026-03-01 rx: " + wire_of("E1"))["fields"]["notes"][0].startswith("leading: 15 ")


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["id"])
def test_no_prefix_is_ok(case: dict[str, Any]) -> None:
    wire = case["packet"].encode()
    for size in range(len(wire)):
        answer = told(wire[:size])
        assert answer["verdict"] == "incomplete", (size, answer["reason"])


@given(st.binary(max_size=300))
def test_any_bytes_never_raise(data: bytes) -> None:
    told(data)
    told(b"##" + data)


@given(st.sampled_from(ALL), st.data())
def test_damage_never_raises(case: dict[str, Any], data: st.DataObject) -> None:
    wire = bytearray(case["packet"].encode() + b"\r\n")
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    told(bytes(wire))


@given(st.text(";,=&-/ABCDINQPWMFlagST0123 ", max_size=200))
def test_any_cp_with_a_right_check_value_never_raises(text: str) -> None:
    told(frame(text.encode()))
    told(frame(f"ST=32;CN=2051;Flag=5;CP=&&{text}&&".encode()))
