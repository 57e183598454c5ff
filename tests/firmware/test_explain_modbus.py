"""`wattline explain --protocol modbus-rtu|modbus-tcp` against tests/vectors/modbus.json and by properties."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal.modbus import crc16

from firmware.field.explain_modbus import explain_rtu, explain_tcp
from tests.firmware.explaining import bytes_of, check_form, has, vectors

CASES = vectors("modbus.json")
GOOD = [case for case in CASES if case["verdict"] == "ok"]
GOOD_RTU = [case for case in GOOD if case["transport"] == "rtu"]
EXPLAIN = {"rtu": explain_rtu, "tcp": explain_tcp}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_vector(case: dict[str, Any]) -> None:
    answer = EXPLAIN[case["transport"]](bytes_of(case))
    check_form(answer)
    assert answer["verdict"] == case["verdict"], answer["reason"]
    assert answer["reason"].partition(":")[0] == case["reason"]
    assert has(answer["fields"], case["fields"]), answer["fields"]


def test_request_and_answer_in_one_line_give_addresses() -> None:
    request, response = (bytes_of(case) for case in CASES[:2])
    answer = explain_rtu(request + response)
    check_form(answer)
    frames = answer["fields"]["frames"]
    assert [frame["verdict"] for frame in frames] == ["ok", "ok"]
    assert [register["address"] for register in frames[1]["fields"]["registers"]][:2] == ["2006", "2007"]


def test_good_frame_before_a_damaged_one_is_told() -> None:
    answer = explain_rtu(bytes_of(CASES[0]) + bytes_of(CASES[1])[:-1] + b"\x00")
    assert answer["verdict"] == "malformed"
    assert answer["fields"]["frames"][0]["verdict"] == "ok"


def test_direction_is_said_to_be_guessed() -> None:
    assert "guessed" in explain_rtu(bytes_of(CASES[0]))["fields"]["direction"]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["id"])
def test_no_prefix_is_ok(case: dict[str, Any]) -> None:
    frame = bytes_of(case)
    for size in range(len(frame)):
        answer = EXPLAIN[case["transport"]](frame[:size])
        check_form(answer)
        assert answer["verdict"] == "incomplete", (size, answer["reason"])


@given(st.sampled_from(GOOD_RTU), st.data())
def test_one_changed_byte_is_never_ok(case: dict[str, Any], data: st.DataObject) -> None:
    """The check value finds every change within one byte."""
    frame = bytearray(bytes_of(case))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    answer = explain_rtu(bytes(frame))
    check_form(answer)
    assert answer["verdict"] != "ok"


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x01\x03", b"\x01\x10\x00\x00\x00\x01\x02", b"\x01\x83"]))
def test_any_bytes_never_raise(data: bytes, head: bytes) -> None:
    frame = head + data
    check_form(explain_rtu(frame))
    check_form(explain_rtu(frame + crc16(frame, 0, len(frame)).to_bytes(2, "little")))
    check_form(explain_tcp(frame))
    check_form(explain_tcp(b"\x00\x01\x00\x00" + len(frame).to_bytes(2, "big") + frame))


@given(st.lists(st.sampled_from(GOOD_RTU), min_size=2, max_size=6))
def test_several_frames_in_one_line(cases: list[dict[str, Any]]) -> None:
    answer = explain_rtu(b"".join(bytes_of(case) for case in cases))
    check_form(answer)
    assert answer["verdict"] == "ok"
    assert len(answer["fields"]["frames"]) == len(cases)


@given(st.lists(st.tuples(st.binary(max_size=12), st.sampled_from(GOOD_RTU)), min_size=1, max_size=4))
def test_every_good_frame_of_a_damaged_line_is_told(parts: list[tuple[bytes, dict[str, Any]]]) -> None:
    """P-89"""
    answer = explain_rtu(b"".join(noise + bytes_of(case) for noise, case in parts))
    check_form(answer)
    frames = answer["fields"].get("frames", [answer])
    good = [frame["fields"]["crc"]["claimed"] for frame in frames if frame["verdict"] == "ok"]
    assert [bytes_of(case)[-2:].hex().upper() for _, case in parts] == good


def test_a_long_line_of_noise_takes_no_minute() -> None:
    answer = explain_rtu(bytes(range(256)) * 128)
    check_form(answer)
    assert answer["verdict"] != "ok"
