"""`wattline explain --protocol dlt645` against tests/vectors/dlt645.json and by properties."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.field.explain_dlt645 import explain
from tests.firmware.explaining import bytes_of, check_form, has, vectors

CASES = vectors("dlt645.json")
GOOD = [case for case in CASES if case["verdict"] == "ok"]


def frame_of(control: int, data: bytes) -> bytes:
    """A frame whose data are given without the +33."""
    head = bytes.fromhex("68 12 00 01 03 26 20 68") + bytes([control, len(data)])
    frame = head + bytes((byte + 0x33) & 0xFF for byte in data)
    return frame + bytes([sum(frame) & 0xFF, 0x16])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_vector(case: dict[str, Any]) -> None:
    answer = explain(bytes_of(case))
    check_form(answer)
    assert answer["verdict"] == case["verdict"], answer["reason"]
    assert answer["reason"].partition(":")[0] == case["reason"]
    assert has(answer["fields"], case["fields"]), answer["fields"]


def test_password_is_not_shown() -> None:
    for control, data in (
        (0x14, bytes.fromhex("02010004 02563412 78563412 361508")),
        (0x18, bytes.fromhex("000C0004 02563412 02563412")),
        (0x1A, bytes.fromhex("02563412 78563412")),
        (0x14, bytes.fromhex("010C0004 02999999 78563412 563412")),
    ):
        told = str(explain(frame_of(control, data))["fields"]).replace("12345678", "")
        assert "123456" not in told
        assert "563412" not in told


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["id"])
def test_no_prefix_is_ok(case: dict[str, Any]) -> None:
    frame = bytes_of(case)
    for size in range(len(frame)):
        answer = explain(frame[:size])
        check_form(answer)
        assert answer["verdict"] == "incomplete", (size, answer["reason"])


@given(st.sampled_from(GOOD), st.data())
def test_one_changed_byte_is_never_a_good_frame(case: dict[str, Any], data: st.DataObject) -> None:
    """The sum finds every change within one byte of the frame; wake-up bytes are none of it."""
    frame = bytearray(bytes_of(case).lstrip(b"\xfe"))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    answer = explain(bytes(frame))
    check_form(answer)
    assert answer["verdict"] != "ok"


def test_damaged_frame_does_not_hide_its_neighbour() -> None:
    good = bytes_of(next(case for case in CASES if case["id"] == "voltages"))
    damaged = good.replace(b"\x55", b"\x54", 1)
    answer = explain(good + damaged + b"\xfe\xfe" + good)
    assert answer["verdict"] == "malformed"
    assert [frame["verdict"] for frame in answer["fields"]["frames"]] == ["ok", "malformed", "ok"]


def test_noise_before_a_frame_is_noted() -> None:
    good = bytes_of(next(case for case in CASES if case["id"] == "voltages"))
    answer = explain(b"\xfe\x00\x68\x01" + good)
    assert answer["verdict"] == "ok"
    assert answer["fields"]["notes"] == ["leading: 3 bytes before the 68 帧前有多余字节"]


def test_single_phase_meter_answers_a_shorter_block() -> None:
    answer = explain(frame_of(0x91, bytes.fromhex("00FF0102 0122")))
    assert answer["fields"]["values"] == {"A": "220.1"}


@given(
    st.integers(0, 255),
    st.one_of(
        st.binary(max_size=200),
        st.tuples(
            st.sampled_from(
                ["00000100", "00FF0100", "00FF0102", "00030302", "01010004", "FF050004", "010D3003", "01041103"]
            ),
            st.binary(max_size=80),
        ).map(lambda pair: bytes.fromhex(pair[0]) + pair[1]),
    ),
)
def test_any_whole_frame_never_raises(control: int, data: bytes) -> None:
    check_form(explain(frame_of(control, data)))


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b"\x68"), st.just(b"\xfe")), max_size=8))
def test_any_bytes_never_raise(parts: list[bytes]) -> None:
    check_form(explain(b"".join(parts)))


@given(st.lists(st.tuples(st.binary(max_size=12), st.sampled_from(GOOD)), min_size=1, max_size=4))
def test_every_good_frame_of_a_damaged_line_is_told(parts: list[tuple[bytes, dict[str, Any]]]) -> None:
    """P-89"""
    answer = explain(b"".join(noise + bytes_of(case) for noise, case in parts))
    check_form(answer)
    frames = answer["fields"].get("frames", [answer])
    good = [frame["fields"]["checksum"]["claimed"] for frame in frames if frame["verdict"] == "ok"]
    assert [f"{bytes_of(case)[-2]:02X}" for _, case in parts] == good
